"""What a sample is worth, against simulation, and which technique fits which storage."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from govpool.api.wipecertificate import OverwriteProvability, Technique, TechniqueClass
from govpool.rules.wipe_plan import MIB, SAMPLE_BLOCK, detection_odds, plan, sample_blocks

GIB = 1 << 30


def test_a_sample_of_1_2_percent_of_a_gib_finds_one_leftover_mib_about_one_time_in_six() -> None:
    assert detection_odds(GIB, 0.012) == pytest.approx(0.17, abs=0.02)


@pytest.mark.parametrize(("share", "scattered"), [(0.012, False), (0.012, True), (0.05, False), (0.05, True)])
def test_the_odds_told_are_those_of_the_sample_that_is_drawn(share: float, scattered: bool) -> None:
    """Simulated: leftover blocks at random places, together or scattered, against a fresh sample."""
    rng = random.Random(20250926)
    blocks, drawn, left = GIB // SAMPLE_BLOCK, sample_blocks(GIB, share), MIB // SAMPLE_BLOCK
    edges = [index * blocks // drawn for index in range(drawn + 1)]
    rounds, found = 3000, 0
    for _ in range(rounds):
        start = rng.randrange(blocks - left)
        leftover = set(rng.sample(range(blocks), left)) if scattered else set(range(start, start + left))
        found += any(rng.randrange(edges[i], edges[i + 1]) in leftover for i in range(drawn))
    told = detection_odds(GIB, share)
    noise = 0.03
    assert found / rounds > told - noise
    if scattered:  # the worst case, which is what is told; what lies together is found more often
        assert found / rounds < told + noise


@given(
    size=st.integers(1, 1 << 50),
    share=st.floats(1e-6, 1),
    left=st.integers(0, 1 << 40),
    more=st.integers(0, 1 << 30),
)
def test_odds_are_a_probability_and_grow_with_what_was_left(
    size: int, share: float, left: int, more: int
) -> None:
    one, other = detection_odds(size, share, left), detection_odds(size, share, left + more)
    assert 0 <= one <= other + 1e-12 <= 1 + 1e-12


@given(size=st.integers(1, 1 << 40), left=st.integers(1, 1 << 30))
def test_a_sample_of_everything_finds_everything(size: int, left: int) -> None:
    assert detection_odds(size, 1.0, left) == 1
    assert sample_blocks(size, 1.0) == -(-size // SAMPLE_BLOCK)


@pytest.mark.parametrize(("size", "share", "block"), [(0, 0.5, 1), (1, 0.0, 1), (1, 1.5, 1), (1, 0.5, 0)])
def test_a_sample_that_can_not_be_is_refused(size: int, share: float, block: int) -> None:
    with pytest.raises(ValueError, match="sample"):
        sample_blocks(size, share, block)


def test_storage_that_can_not_prove_an_overwrite_has_its_residual_risk_stated() -> None:
    in_place = plan(OverwriteProvability.IN_PLACE)
    assert (in_place.technique_class, in_place.residual_risk) == (TechniqueClass.CLEAR, "")
    assert plan(OverwriteProvability.COPY_ON_WRITE).residual_risk
    encrypted = plan(OverwriteProvability.ENCRYPTED)
    assert encrypted.key_destruction and encrypted.technique is Technique.OVERWRITE
    assert "ciphertext" in encrypted.residual_risk, "nobody here sees the key destroyed: that is said"
