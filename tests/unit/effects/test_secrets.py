"""Secrets and machine keys: made once, the same for everybody, and shown to nobody."""

from __future__ import annotations

import asyncio
import logging

import pytest
from effects_ground import Plane, everything, nth, server_of

from govpool.effects import access, secrets
from govpool.effects.kube import KubeError
from govpool.standalone.faults import FaultKind


async def test_of_many_at_once_one_makes_it_and_all_read_the_same(plane: Plane) -> None:
    made: list[str] = []

    def make() -> dict[str, str]:
        made.append(f"value {len(made)}")
        return {"key": made[-1]}

    async def persistently() -> dict[str, str]:
        while True:
            try:
                return await secrets.once(plane.kube, "one", make)
            except KubeError as error:
                assert error.conflict, error

    found = await asyncio.gather(*(persistently() for _ in range(12)))
    assert len(made) > 1, "else there was no race"
    assert len({values["key"] for values in found}) == 1
    assert await secrets.read(plane.kube, "one") == found[0]


async def test_who_made_it_need_not_read_it(plane: Plane) -> None:
    made = await secrets.once(plane.kube, "one", lambda: {"key": "v"})
    assert [request.verb for request in plane.seen] == ["get", "create"]
    assert made == {"key": "v"} == await secrets.once(plane.kube, "one", lambda: {"key": "another"})


async def test_a_lost_answer_to_the_making_does_not_make_another(plane: Plane) -> None:
    plane.fault = nth(1, FaultKind.DROP_AFTER)
    with pytest.raises(KubeError):
        await secrets.once(plane.kube, "one", lambda: {"key": "first"})
    assert await secrets.once(plane.kube, "one", lambda: {"key": "second"}) == {"key": "first"}


async def test_destroyed_is_gone_and_may_be_repeated(plane: Plane) -> None:
    await secrets.once(plane.kube, "one", lambda: {"key": "v"})
    await secrets.destroy(plane.kube, "one")
    await secrets.destroy(plane.kube, "one")
    assert await secrets.read(plane.kube, "one") is None


async def test_units_can_not_read_them(plane: Plane) -> None:
    from govpool.effects.kube import Kube

    await secrets.once(plane.kube, "one", lambda: {"key": "v"})
    for user in ("unit", "acceptor", "reviewer"):
        kube = await Kube.connect(plane.server.kubeconfig(user))
        try:
            with pytest.raises(KubeError) as told:
                await secrets.read(kube, "one")
            assert told.value.status == 403
        finally:
            await kube.close()


async def test_a_machine_has_one_pair_of_keys_for_ever(plane: Plane) -> None:
    server = server_of()
    first = await access.keys_of(plane.kube, server)
    assert await access.keys_of(plane.kube, server) == first
    other = await access.keys_of(plane.kube, server_of("other"))
    assert len({k.operator_private for k in (first, other)} | {k.host_private for k in (first, other)}) == 4
    assert first.operator_public.startswith("ssh-ed25519 ") and first.host_public.startswith("ssh-ed25519 ")


async def test_whoever_wants_in_makes_no_new_keys(plane: Plane) -> None:
    server = server_of()
    assert await access.known_keys(plane.kube, server) is None
    assert plane.writes() == []
    made = await access.keys_of(plane.kube, server)
    assert await access.known_keys(plane.kube, server) == made
    await access.forget(plane.kube, server)
    assert await access.known_keys(plane.kube, server) is None


async def test_private_keys_are_in_no_log_no_repr_and_no_object_but_secrets(
    plane: Plane, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = server_of()
    keys = await access.keys_of(plane.kube, server)
    target = keys.target("a", "10.0.0.1")
    with pytest.raises(ValueError, match="not an address"):
        keys.target("a", "10.0.0.1 -oProxyCommand=x")
    shown = f"{keys!r} {keys.access!r} {target!r} {keys} {target}"
    logging.getLogger("test").error("%s %s", keys, target)
    text = shown + caplog.text + await everything(plane.admin, but=("secrets",))
    for private in (keys.operator_private, keys.host_private):
        body = "".join(private.splitlines()[1:-1])
        assert body[40:80] not in text.replace("\\n", "").replace("\n", "")
    assert "PRIVATE KEY" not in text
    assert "access-gp-" in await everything(plane.admin), "the search would have found it"
