"""What a turn rests on that the story tells by its key: a clock, a period, an emergency, a notice."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from govpool.api.cloudresourcerequest import Happening
from govpool.api.rectification_words import Enforcement
from govpool.api.rectificationnotice import EnforcementGround, EnforcementTaken
from govpool.lifecycle.grounds import Ground, Rested
from govpool.lifecycle.ruling import inputs
from govpool.messages import Message, message


def happening(ground: Ground, told: Happening) -> Rested:
    """The rule, what it looked at, and what would have made it otherwise."""
    kind, *rest = told.key.split("/")
    find = _BY_KIND.get(kind)
    return find(ground, told, rest) if find is not None else Rested("")


def _clock(ground: Ground, told: Happening, _: list[str]) -> Rested:
    for late in ground.after.deadlines:
        if late.overdue and late.due is not None and told.at in (late.due, late.escalated_at):
            return Rested(
                "rules.calendar.WorkCalendar.after_working_days",
                inputs({"who": late.who.value, "since": late.since, "due": late.due}),
                (message("audit.otherwise.overdue", due=late.due.isoformat()),),
            )
    return Rested("rules.calendar.WorkCalendar.after_working_days", inputs({"due": told.at}))


def _old_environment(ground: Ground, _: Happening, __: list[str]) -> Rested:
    rule, approved = ground.rules.migration, ground.approved
    origin = approved.system.migrated_from if approved else None
    seen = {
        "cut over": origin.cut_over if origin else None,
        "kept for": rule.keep_old_environment if rule else None,
        "kept until": ground.after.keep_old_environment_until,
    }
    return Rested("rules.migration.keep_until", inputs(seen), (message("audit.otherwise.cut-over"),))


def _cycle(ground: Ground, _: Happening, rest: list[str]) -> Rested:
    """WH-30."""
    name, first, last, turn = rest
    content = ground.approved
    cycles = content.business_cycles if content else []
    cycle = next((one for one in cycles if one.name == name), None)
    groups = content.servers if content else []
    group = next((one for one in groups if cycle is not None and one.name == cycle.server), None)
    seen = {
        "first day": first,
        "last day": last,
        "group": cycle.server if cycle else None,
        "servers in the period": cycle.count if cycle else None,
        "servers outside of it": group.count if group else None,
    }
    day = first if turn == "Begins" else last
    return Rested("rules.cycles.period", inputs(seen), (message("audit.otherwise.cycle", day=day),))


def _expansion(ground: Ground, _: Happening, rest: list[str]) -> Rested:
    """BZ-22."""
    server, ends, *_rest = rest
    return Rested(
        "rules.temporary.while_asked",
        inputs({"group": server, "last day": ends}),
        (message("audit.otherwise.expansion", day=ends),),
    )


def _emergency(ground: Ground, _: Happening, rest: list[str]) -> Rested:
    """YY-23 and its like."""
    use, what = ground.after.emergency, rest[1]
    if use is None:
        return Rested("rules.emergency.ends")
    issued = {"issued": use.issued}
    if what == "expansion":
        return Rested(
            "rules.emergency.article_of",
            inputs({**issued, "finding": use.finding}),
            (message("audit.otherwise.emergency-finding"),),
        )
    if what == "disks":
        return Rested(
            "rules.emergency.disks_that_stay",
            inputs({**issued, "ends": use.ends}),
            (message("audit.otherwise.disks-stay"),),
        )
    if what == "papers":
        return Rested(
            "rules.emergency.papers_missing",
            inputs({**issued, "papers due": use.papers_due, "complete": use.papers_complete}),
            (message("audit.otherwise.emergency-papers"),),
        )
    return Rested(
        "rules.emergency.ends",
        inputs({**issued, "ends": use.ends}),
        (message("audit.otherwise.emergency-over"),),
    )


def _notice(ground: Ground, told: Happening, rest: list[str]) -> Rested:
    name, what = rest[0], rest[1] if len(rest) > 1 else ""
    found = next((one for one in ground.observation.notices if one.metadata.name == name), None)
    if found is None:
        return Rested("rules.notice.judge")
    status = found.status
    due = status.due if status else None
    seen = inputs(
        {
            "finding": found.spec.finding.value,
            "issued": found.spec.issued,
            "due": due,
            "decisions": len(found.spec.decisions),
        }
    )
    if not what:
        return Rested("rules.notice.notice_rule", seen, (message("audit.otherwise.notice"),))
    if what == "decision":
        return Rested("rules.notice.judge", seen, (message("audit.otherwise.notice-decision"),))
    records = status.enforcement if status else []
    taken = next((r for r in records if r.action.value == what and r.since.isoformat() in told.key), None)
    return Rested("rules.notice.judge", seen, (_not_enforced(taken, due),))


def _not_enforced(taken: EnforcementTaken | None, due: datetime | None) -> Message:
    """What would have kept it from being enforced, by the ground on which it was."""
    if taken is not None and taken.action is Enforcement.DEREGISTRATION:
        return message("audit.otherwise.notice-forced-out", by=taken.by)
    if taken is not None and taken.ground is EnforcementGround.AT_ONCE:
        return message("audit.otherwise.notice-at-once")
    if taken is not None and taken.ground is EnforcementGround.AUTOMATIC and due is not None:
        return message("audit.otherwise.notice-enforced", due=due.isoformat())
    return message("audit.otherwise.notice-decided", by=taken.by if taken else "-")


_BY_KIND: dict[str, Callable[[Ground, Happening, list[str]], Rested]] = {
    "overdue": _clock,
    "escalated": _clock,
    "old-environment": _old_environment,
    "cycle": _cycle,
    "expansion": _expansion,
    "emergency": _emergency,
    "notice": _notice,
}
