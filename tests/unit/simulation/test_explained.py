"""What turns by itself or by others is explained like any decision: rule, facts, and what would turn it."""

from __future__ import annotations

import pytest
import yaml
from simulation_ground import ROOT, ground

from govpool.api.auditrecord import AuditEntry, AuditRecord
from govpool.api.cloudresourcerequest import CloudResourceRequest, Deadline
from govpool.simulation.ground import LAST_DAY, Calendar
from govpool.simulation.player import Player
from govpool.simulation.scenario import Scenario
from govpool.simulation.simulate import OPENS
from govpool.simulation.virtual import VirtualTown, in_town


def lived(name: str, policy: str) -> tuple[list[AuditEntry], list[Deadline]]:
    """The audit trail of a story that ships, and every clock that any version of a request showed."""
    on = ground(policy)
    told = Scenario.model_validate(yaml.safe_load((ROOT / "scenarios" / f"{name}.yaml").read_text("utf-8")))
    in_force = on.in_force(told)
    calendar = Calendar.of(in_force)
    entries: list[AuditEntry] = []
    clocks: list[Deadline] = []

    async def play(town: VirtualTown) -> None:
        changes = town.changes

        async def watched():
            found = await changes()
            for change in found:
                if isinstance(change.after, CloudResourceRequest) and change.after.status:
                    clocks.extend(change.after.status.deadlines)
            return found

        town.changes = watched  # type: ignore[method-assign]
        await Player(town, told, on, in_force, "en").play(calendar.moment(told.until, LAST_DAY))
        for record in await town.list(AuditRecord):
            entries.extend(record.spec.entries)

    in_town(calendar.moment(told.starts, OPENS), play)
    return entries, clocks


@pytest.mark.parametrize(
    ("name", "policy", "kinds"),
    [
        ("tax-season", "weihai-2025", {"cycle", "stage"}),
        ("emergency-papers", "bozhou-2024", {"emergency"}),
        ("extension-undecided", "bozhou-2024", {"expansion"}),
        ("notice-ignored", "yiyang-2025", {"notice"}),
        ("migrated-system", "yiyang-2025", {"old-environment"}),
        ("review-overdue", "template", {"overdue", "escalated"}),
    ],
)
def test_every_turn_rests_on_something(name: str, policy: str, kinds: set[str]) -> None:
    entries, _ = lived(name, policy)
    assert kinds <= {entry.key.partition("/")[0] for entry in entries}
    for entry in entries:
        assert entry.rule, entry
        assert entry.inputs, entry
        assert entry.otherwise, entry
        assert all(text.en and text.zh for text in entry.otherwise), entry


def test_a_period_that_turns_has_days_of_its_own_and_not_the_approvals_clock() -> None:
    """WH-30: what turns months after its approval is not late at once."""
    _, clocks = lived("tax-season", "weihai-2025")
    assert clocks
    assert not [clock for clock in clocks if clock.due is not None and clock.due < clock.since]
