"""Which sanitization fits which storage, and what a sampled verification is worth. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from govpool.api.wipecertificate import OverwriteProvability, Technique, TechniqueClass

MIB = 1 << 20
SAMPLE_BLOCK = 64 << 10
"""Bytes that a sampled verification reads at each place; the wipe module uses the same."""


@dataclass(frozen=True, slots=True)
class WipePlan:
    """What to do with a medium, and what must be said about it."""

    technique_class: TechniqueClass
    technique: Technique
    key_destruction: bool
    """Whether the key of the data is to be destroyed as well, which deleting the medium does."""
    residual_risk: str
    """What this can't prove; empty when the read-back proves it all."""


def plan(overwrite: OverwriteProvability) -> WipePlan:
    """Choose the technique for a storage that can, or can't, prove an overwrite.

    The overwrite is always made: even where it can't prove that every old block is gone, it removes the
    data from every address that the next user could read. Source: NIST SP 800-88r2 (Clear, Purge).
    """
    match overwrite:
        case OverwriteProvability.IN_PLACE:
            return WipePlan(
                TechniqueClass.CLEAR, Technique.OVERWRITE, key_destruction=False, residual_risk=""
            )
        case OverwriteProvability.ENCRYPTED:
            # The cloud destroys the key with the volume, but nobody here sees its key manager do it.
            return WipePlan(
                TechniqueClass.CLEAR,
                Technique.OVERWRITE,
                key_destruction=True,
                residual_risk=(
                    "Encrypted storage: every address was overwritten and read back through the encryption, "
                    "but blocks that held earlier versions may survive below as ciphertext. Their key goes "
                    "with the volume; the cloud's key manager was not asked whether it is destroyed."
                ),
            )
        case OverwriteProvability.COPY_ON_WRITE:
            return WipePlan(
                TechniqueClass.CLEAR,
                Technique.OVERWRITE,
                key_destruction=False,
                residual_risk=(
                    "Thin or copy-on-write storage: every address was overwritten and read back, but blocks "
                    "that held earlier versions may survive below until the storage uses them again. "
                    "They can't be read through the volume."
                ),
            )


def sample_blocks(size_bytes: int, share: float, block_bytes: int = SAMPLE_BLOCK) -> int:
    """How many blocks a sample of ``share`` (above 0, at most 1) of a medium reads.

    Raises:
        ValueError: the share, the size or the block can't be.
    """
    if not 0 < share <= 1 or size_bytes < 1 or block_bytes < 1:
        raise ValueError(
            "a sample needs a share above 0 and at most 1, a size and a block of at least one byte"
        )
    blocks = -(-size_bytes // block_bytes)
    return min(blocks, max(1, math.ceil(share * blocks)))


def detection_odds(
    size_bytes: int, share: float, leftover_bytes: int = MIB, block_bytes: int = SAMPLE_BLOCK
) -> float:
    """Least probability that a sample finds ``leftover_bytes`` that were not overwritten, wherever they lie.

    The medium's N blocks are cut into n stretches of at most S = ceil(N / n) blocks, and one block of each is
    drawn uniformly. With k_i leftover blocks in stretch i the sample misses them all with probability
    prod(1 - k_i / S_i). For a given sum K = ceil(leftover / block) that is greatest when they are spread as
    evenly as whole blocks can be, q = K // n in each stretch and one more in r = K % n of them, so it is at
    most (1 - q/S) ** (n - r) * (1 - (q + 1)/S) ** r. The odds told are 1 minus that. Leftovers that lie
    together are found more often.

    Raises:
        ValueError: as :func:`sample_blocks`.
    """
    drawn = sample_blocks(size_bytes, share, block_bytes)
    blocks = -(-size_bytes // block_bytes)
    left = min(blocks, -(-max(0, leftover_bytes) // block_bytes))
    stretch = -(-blocks // drawn)
    each, one_more = divmod(left, drawn)
    return 1 - (1 - each / stretch) ** (drawn - one_more) * (1 - (each + 1) / stretch) ** one_more
