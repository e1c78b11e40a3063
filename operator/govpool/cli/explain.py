"""``govpool explain``: every decision about a request, why, and what would have made it otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from govpool.api.auditrecord import AuditEntry, AuditRecord, Told
from govpool.api.cloudpolicy import CloudPolicy
from govpool.api.cloudresourcerequest import CloudResourceRequest, Deadline
from govpool.cli.errors import CliError, refusal
from govpool.cli.options import (
    AsOption,
    KubeconfigOption,
    LanguageOption,
    NamespaceOption,
    StateOption,
    language_of,
)
from govpool.cli.run import acting, run
from govpool.messages import Language, message
from govpool.messages.words import fact, minutes, word, words
from govpool.rules.citation import cite_clause

if TYPE_CHECKING:
    from govpool.cli.api import Api

BEIJING = ZoneInfo("Asia/Shanghai")


class Form(StrEnum):
    """How it is told."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Explained:
    """A request's trail, and what is known of the request itself."""

    name: str
    unit: str
    system: str
    entries: tuple[tuple[AuditRecord, AuditEntry], ...]
    request: CloudResourceRequest | None
    """None when it was deleted."""
    policies: dict[str, CloudPolicy]

    @property
    def uids(self) -> tuple[str, ...]:
        """Of the requests that had this name, in their order."""
        return tuple(dict.fromkeys(record.spec.request.uid for record, _ in self.entries))

    def zone(self, record: AuditRecord) -> ZoneInfo:
        """The zone of the policy that it was decided under."""
        policy = self.policies.get(record.spec.policy)
        return ZoneInfo(policy.spec.time_zone) if policy else BEIJING


def explain(
    request: Annotated[str, typer.Argument(metavar="REQUEST", help="The CloudResourceRequest.")],
    language: LanguageOption,
    state_dir: StateOption,
    form: Annotated[Form, typer.Option("--format", help="For people, or for programs.")] = Form.TEXT,
    namespace: NamespaceOption = None,
    user: AsOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Tell every decision so far: when, who, which rule and article, from what, and what would change it.

    It is read from the audit trail, and so works when the request is gone.
    """
    who = acting(kubeconfig, user, state_dir, otherwise="viewer")
    found = run(_explained(request, namespace, who, language_of(language)))
    if form is Form.JSON:
        typer.echo(json.dumps(as_json(found, language_of(language)), ensure_ascii=False, indent=2))
        return
    Console(highlight=False).print(show(found, language_of(language)))


async def _explained(name: str, namespace: str | None, who: Path | None, language: Language) -> Explained:
    from govpool.cli.api import connected

    async with connected(who) as api:
        return await read(api, name, namespace or api.namespace, language)


async def read(api: Api, name: str, unit: str | None, language: Language) -> Explained:
    """Everything that is recorded about requests of this name.

    Raises:
        CliError: nothing is known of the name, or several units have it.
    """
    records = [r for r in await api.list(AuditRecord, namespace=unit) if r.spec.request.name == name]
    requests = [r for r in await api.list(CloudResourceRequest, namespace=unit) if r.metadata.name == name]
    units = sorted({item.metadata.namespace for item in (*records, *requests)})
    if not units:
        raise refusal("explain.nothing", language, request=name)
    if len(units) > 1:
        raise CliError(message("cli.explain.several", request=name, units=", ".join(units)).render(language))
    policies = {policy.metadata.name: policy for policy in await api.list(CloudPolicy)}
    ordered = sorted(records, key=lambda record: record.spec.sequence)
    entries = tuple((record, entry) for record in ordered for entry in record.spec.entries)
    request = next(iter(requests), None)
    system = request.spec.system.name if request else ordered[-1].spec.system
    return Explained(name, units[0], system, entries, request, policies)


# -- for people ----------------------------------------------------------------------------------
def show(found: Explained, language: Language) -> Group:
    """Every decision, oldest first, and what is next."""
    title = Text.assemble((found.name, "bold"), f"  {found.system}  ", (found.unit, "dim"))
    parts: list[RenderableType] = [title]
    if not found.entries:
        parts.append(Text(_say("empty", language)))
    for number, uid in enumerate(found.uids, 1):
        if len(found.uids) > 1:
            parts.append(Text(f"\n{_say('life', language, number=number, uid=uid)}", style="bold"))
        parts += [
            _entry(found, record, entry, language)
            for record, entry in found.entries
            if record.spec.request.uid == uid
        ]
    parts += _next(found, language)
    return Group(*parts)


def _say(key: str, language: Language, **values: object) -> str:
    return message(f"cli.explain.{key}", **values).render(language)


def _in(told: Told, language: Language) -> str:
    return told.en if language == "en" else told.zh


def _when(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _entry(found: Explained, record: AuditRecord, entry: AuditEntry, language: Language) -> RenderableType:
    zone = found.zone(record)
    head = Text.assemble(
        "\n",
        (_when(entry.at, zone), "dim"),
        "  ",
        (word(entry.what, language), "bold"),
        "  ",
        (entry.actor, "cyan"),
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(_say("outcome", language), Text(minutes(_in(entry.outcome, language), zone)))
    table.add_row(_say("article", language), Text(f"{_in(entry.citation, language)} [{entry.article}]"))
    if entry.rule:
        table.add_row(_say("rule", language), Text(entry.rule))
    if entry.inputs:
        table.add_row(_say("inputs", language), _inputs(entry, zone, language))
    for text in entry.otherwise:
        table.add_row(_say("otherwise", language), Text(minutes(_in(text, language), zone), style="italic"))
    record_name = Text(f"{record.metadata.name}  {record.spec.hash[:12]}", style="dim")
    table.add_row(_say("record", language), record_name)
    return Group(head, Padding(table, (0, 0, 0, 2)))


def _inputs(entry: AuditEntry, zone: ZoneInfo, language: Language) -> Text:
    told = (
        f"{fact(minutes(one.name, zone), language)}: {minutes(words(one.value, language), zone)}"
        for one in entry.inputs
    )
    return Text("; ".join(told))


def _next(found: Explained, language: Language) -> Iterator[RenderableType]:
    """Who must act next, until when, and why."""
    yield Text(f"\n{_say('next', language)}", style="bold")
    request = found.request
    if request is None:
        yield Text(f"  {_say('gone', language)}")
        return
    deadlines = request.status.deadlines if request.status else []
    if not deadlines:
        yield Text(f"  {_say('nobody', language)}")
    policy = _policy_of(found)
    zone = ZoneInfo(policy.spec.time_zone) if policy else BEIJING
    for deadline in deadlines:
        yield _deadline(deadline, policy, zone, language)


def _policy_of(found: Explained) -> CloudPolicy | None:
    if not found.entries:
        return None
    return found.policies.get(found.entries[-1][0].spec.policy)


def _deadline(deadline: Deadline, policy: CloudPolicy | None, zone: ZoneInfo, language: Language) -> Text:
    due = _say("no-due", language)
    if deadline.due is not None:
        key = "overdue" if deadline.overdue else "due"
        due = _say(key, language, due=_when(deadline.due, zone))
    why = cite_clause(policy.spec, deadline.article, language) if policy else deadline.article
    role, what = word(deadline.who.value, language), minutes(deadline.what, zone)
    return Text.assemble("  ", (role, "bold"), f"  {due}  {what}\n  ", (why, "dim"))


# -- for programs --------------------------------------------------------------------------------
def as_json(found: Explained, language: Language) -> dict[str, object]:
    """The same, for programs: texts in one language, times in the policy's zone."""
    status = found.request.status if found.request else None
    return {
        "request": found.name,
        "unit": found.unit,
        "system": found.system,
        "deleted": found.request is None,
        "phase": status.phase.value if status else None,
        "decisions": [_entry_json(found, record, entry, language) for record, entry in found.entries],
        "next": [
            {
                "who": one.who.value,
                "due": one.due.isoformat() if one.due else None,
                "overdue": one.overdue,
                "what": one.what,
                "article": one.article,
            }
            for one in (status.deadlines if status else ())
        ],
    }


def _entry_json(
    found: Explained, record: AuditRecord, entry: AuditEntry, language: Language
) -> dict[str, object]:
    texts: Sequence[Told] = entry.otherwise
    return {
        "at": entry.at.astimezone(found.zone(record)).isoformat(),
        "actor": entry.actor,
        "what": entry.what,
        "rule": entry.rule,
        "article": entry.article,
        "citation": _in(entry.citation, language),
        "inputs": {one.name: one.value for one in entry.inputs},
        "outcome": _in(entry.outcome, language),
        "otherwise": [_in(text, language) for text in texts],
        "record": record.metadata.name,
        "revision": record.spec.revision,
        "uid": record.spec.request.uid,
        "hash": record.spec.hash,
    }
