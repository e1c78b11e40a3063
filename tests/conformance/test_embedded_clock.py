"""Embedded only: the clock that can be moved on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from govpool.standalone.clock import Clock, human_age, parse_duration
from govpool.standalone.server import ControlPlane

from .conftest import Api, connect

PATH = "/govpool/clock"


def _fixed() -> datetime:
    return datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
async def plane(tmp_path: Path) -> AsyncIterator[ControlPlane]:
    async with ControlPlane(tmp_path / "state", clock=_fixed) as running:
        yield running


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Api]:
    async with connect(plane.kubeconfig("admin")) as api:
        yield api


async def test_months_are_calendar_months(admin: Api) -> None:
    assert (await admin.get(PATH)).body == {"now": "2026-01-31T12:00:00Z", "offsetSeconds": 0.0}
    reply = await admin.post(PATH, {"advance": "P1M"})
    assert reply.body == {"now": "2026-02-28T12:00:00Z", "offsetSeconds": 28 * 86400.0}
    reply = await admin.post(PATH, {"advance": "P1DT2H"})
    assert reply.body["now"] == "2026-03-01T14:00:00Z"


async def test_objects_are_stamped_with_it(admin: Api) -> None:
    await admin.post(PATH, {"advance": "P31D"})
    made = await admin.post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}})
    assert made.body["metadata"]["creationTimestamp"] == "2026-03-03T12:00:00Z"
    await admin.post(PATH, {"advance": "P2D"})
    table = await admin.get(
        "/api/v1/namespaces/default/configmaps", accept="application/json;as=Table;v=v1;g=meta.k8s.io"
    )
    assert table.body["rows"][0]["cells"][-1] == "2d"


async def test_it_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with ControlPlane(state, clock=_fixed) as plane, connect(plane.kubeconfig("admin")) as api:
        await api.post(PATH, {"advance": "P10D"})
    async with ControlPlane(state, clock=_fixed) as plane, connect(plane.kubeconfig("admin")) as api:
        assert (await api.get(PATH)).body["now"] == "2026-02-10T12:00:00Z"


async def test_watchers_hear_of_it(admin: Api) -> None:
    async with admin.session.get(admin.login.url + PATH, params={"watch": "1"}) as response:
        first = json.loads(await response.content.readline())
        await admin.post(PATH, {"advance": "P1D"})
        second = json.loads(await response.content.readline())
    assert second["offsetSeconds"] - first["offsetSeconds"] == 86400


@pytest.mark.parametrize("text", ["", "P", "PT", "-P1D", "P1.5D", "1 day", "P1H", "P99999Y"])
async def test_bad_durations(admin: Api, text: str) -> None:
    reply = await admin.post(PATH, {"advance": text})
    assert (reply.code, reply.reason) == (400, "BadRequest")
    assert (await admin.get(PATH)).body["offsetSeconds"] == 0.0


async def test_only_admin_moves_it(plane: ControlPlane) -> None:
    async with connect(plane.kubeconfig("operator")) as api:
        assert (await api.get(PATH)).code == 200
        assert (await api.post(PATH, {"advance": "P1D"})).code == 403
    async with connect(plane.kubeconfig("admin")) as api:
        assert (await api.post(PATH, {"advance": "P1D", "back": 1})).code == 400


def test_durations_and_ages() -> None:
    clock = Clock(_fixed)
    assert clock.offset_after("P1W") == 7 * 86400
    assert parse_duration("P1Y2M3DT4H5M6S").years == 1
    now = _fixed()
    for then, shown in (
        ("2026-01-31T12:00:00Z", "0s"), ("2026-01-31T11:58:01Z", "119s"), ("2026-01-31T11:55:30Z", "4m30s"),
        ("2026-01-31T09:00:00Z", "3h"), ("2026-01-31T08:30:00Z", "3h30m"), ("2026-01-29T12:00:00Z", "2d"),
        ("2026-01-28T10:00:00Z", "3d2h"), ("2025-01-31T12:00:00Z", "365d"), ("2023-01-31T12:00:00Z", "3y1d"),
        ("2026-02-01T12:00:00Z", "<invalid>"), ("soon", "<invalid>"),
    ):  # fmt: skip
        assert human_age(then, now) == shown, then
