"""Policies that nobody wrote: valid by construction, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

from findings_strategies import efficiency, rectification
from hypothesis import strategies as st
from rules_support import Obj, document, merged

from govpool.api.cloudpolicy import CloudPolicy, DeregistrationReason

ARTICLES = st.from_regex(r"\A[1-9][0-9]?(\([1-9]\))?\Z")
DAYS = st.integers(1, 30)
CLOCK = st.one_of(st.none(), DAYS.map(lambda n: {"workingDays": n}))
ZONES = (("Asia/Shanghai", "CN"), ("Asia/Urumqi", "CN"), ("UTC", "CN"), ("Europe/Berlin", "DE"))
PAPERS = ("RequestLetter", "ResourceTable", "ProjectApproval", "ConstructionPlan", "PurchaseContract")
DECIDED = ("Completeness", "Acceptance", "ExpertReview", "Evaluation", "Review")
JUDGES = {
    "Completeness": "acceptor",
    "Acceptance": "acceptor",
    "ExpertReview": "expert",
    "Evaluation": "expert",
}
OPENING = ("Quota", "Provision", "Baseline", "Handover")
LEAVING = ("Backup", "Wipe", "Reclaim", "Termination", "Certificate")
REASONS = [one.value for one in DeregistrationReason]
LATE_DAYS = st.sampled_from([[], ["2026-11-25", "2026-12-07"]])
SPANS = st.sampled_from(["P1M", "P30D", "P2M", "P15D", "P1W"])


def cited(**fields: Any) -> Obj:
    return {name: value for name, value in fields.items() if value is not None}


@st.composite
def decisions(draw: st.DrawFn, *, complex_too: bool) -> list[Obj]:
    """Stages that people decide; at least one of them on every application."""
    names = draw(st.lists(st.sampled_from(DECIDED), min_size=1, max_size=4, unique=True))
    names = [name for name in DECIDED if name in names]
    rows = [
        cited(stage=name, role=JUDGES.get(name, "reviewer"), clock=draw(CLOCK), article=draw(ARTICLES))
        for name in names
    ]
    if complex_too and len(rows) > 1 and draw(st.booleans()):
        rows[0]["when"] = "Complex"
    return rows


def acted(role: str, article: str, names: tuple[str, ...]) -> list[Obj]:
    return [{"stage": name, "role": role, "article": article} for name in names]


@st.composite
def policies(draw: st.DrawFn) -> CloudPolicy:
    """A regulation: procedures, clocks, spans and options at random, consistent with each other."""
    carries_out, article = draw(st.sampled_from(["operator", "provider"])), draw(ARTICLES)
    trial, delivery, stages = draw(delivered())
    new = draw(decisions(complex_too=True))
    opening = acted(carries_out, article, OPENING)
    procedures = [{"application": "New", "stages": [*new, *opening, *stages]}]
    change, change_article = draw(changes()), draw(ARTICLES)
    if not change.get("allAreMajor") and draw(st.booleans()):
        rows = [*draw(decisions(complex_too=False)), *acted(carries_out, change_article, OPENING)]
        procedures.append({"application": "Change", "stages": rows})
    emergency = draw(st.one_of(st.none(), st.builds(dict, article=ARTICLES)))
    if emergency is not None:
        follow = draw(CLOCK)
        emergency |= {} if follow is None else {"papersWithin": follow}
        rows = [*draw(decisions(complex_too=False)), *acted(carries_out, draw(ARTICLES), OPENING)]
        procedures.append({"application": "Emergency", "stages": rows})
    procedures.append(
        {
            "application": "Deregistration",
            "stages": [*draw(decisions(complex_too=False)), *acted(carries_out, draw(ARTICLES), LEAVING)],
        }
    )
    zone, country = draw(st.sampled_from(ZONES))
    is_complex = any(row.get("when") == "Complex" for row in new)
    admission = {
        "maxProtectionLevel": draw(st.sampled_from([3, 2, 3, 2, 1])),
        "protectionLevelArticle": draw(ARTICLES),
        "classifiedArticle": draw(ARTICLES),
        "catalogueArticle": draw(ARTICLES),
        "sponsorArticle": draw(st.one_of(st.none(), ARTICLES)),
        "materials": draw(materials()),
        "complex": {"vcpu": draw(st.integers(1, 8)), "article": draw(ARTICLES)} if is_complex else None,
    }
    temporary = {
        "maxDuration": draw(SPANS),
        "extensionLead": {"workingDays": draw(DAYS)},
        "article": draw(ARTICLES),
    }
    lead = draw(CLOCK)
    reasons = draw(st.lists(st.sampled_from(REASONS), min_size=1, unique=True))
    spec: Obj = {
        "title": {"en": "Drawn Measures", "zh": "随机办法"},
        "code": "RND",
        "documentNumber": "〔2026〕0号",
        "issuer": {"en": "Nobody", "zh": "无"},
        "effectiveFrom": draw(st.sampled_from(["2025-01-01", "2026-11-23", "2026-11-01", "2026-11-30"])),
        "effectiveUntil": draw(st.sampled_from([None, "2026-12-31", "2030-01-01"])),
        "validityArticle": draw(ARTICLES),
        "timeZone": zone,
        "calendar": {
            "country": country,
            "holidays": draw(LATE_DAYS),
        },
        "admission": cited(**admission),
        "procedures": procedures,
        "execution": cited(new=draw(CLOCK), change=draw(CLOCK), article=article),
        "change": change | {"article": change_article},
        "baseline": {"article": article},
        "trial": trial,
        "delivery": delivery,
        "billing": {
            "startsOn": draw(st.sampled_from(starts(trial, delivery))),
            "startsArticle": draw(ARTICLES),
            "endsArticle": draw(ARTICLES),
            "yearStarts": "01-01",
            "yearArticle": draw(ARTICLES),
        },
        "temporary": draw(st.sampled_from([None, temporary])),
        "businessCycles": draw(st.one_of(st.none(), st.builds(dict, article=ARTICLES))),
        "efficiency": draw(st.one_of(st.none(), efficiency())),
        "rectification": draw(st.one_of(st.none(), rectification())),
        "escalation": draw(st.one_of(st.none(), escalation())),
        "emergency": emergency,
        "deregistration": cited(
            lead=lead, reasons=reasons, wipe={"article": draw(ARTICLES)}, article=draw(ARTICLES)
        ),
        "quotaArticle": draw(ARTICLES),
        "issuingStopArticle": draw(ARTICLES),
    }
    template = document("policies/template.yaml", "CloudPolicy")
    manifest = {name: template[name] for name in ("apiVersion", "kind")} | {"metadata": {"name": "drawn"}}
    return CloudPolicy.model_validate(merged(manifest, {"spec": spec}))


@st.composite
def escalation(draw: st.DrawFn) -> Obj:
    """Who is told of a clock that ran out, at once or after a while."""
    rule: Obj = {"role": draw(st.sampled_from(["reviewer", "acceptor"])), "article": draw(ARTICLES)}
    after = draw(CLOCK)
    return rule if after is None else rule | {"after": after}


@st.composite
def delivered(draw: st.DrawFn) -> tuple[Obj | None, Obj, list[Obj]]:
    """Trial, delivery, and the stages that they ask for."""
    stages: list[Obj] = []
    trial: Obj | None = None
    if draw(st.booleans()):
        reported, probe = draw(st.booleans()), draw(st.booleans())
        trial = {"duration": draw(SPANS), "reportRequired": reported, "probeRequired": probe}
        trial["article"] = draw(ARTICLES)
        stages += acted("unit", trial["article"], ("Trial",))
    delivery: Obj = {}
    if draw(st.booleans()):
        delivery |= {"reports": ["SecurityTest"], "reportsArticle": draw(ARTICLES)}
    if delivery or (trial is not None and (trial["reportRequired"] or trial["probeRequired"])):
        stages += acted("unit", draw(ARTICLES), ("Reports",))
    for stage, field, role in (
        ("RightSizing", "rightSizingArticle", "operator"),
        ("Agreement", "agreementArticle", "unit"),
        ("Confirmation", "confirmationArticle", "unit"),
    ):
        if draw(st.booleans()):
            delivery[field] = draw(ARTICLES)
            stages += acted(role, delivery[field], (stage,))
    return trial, delivery, stages


def starts(trial: Obj | None, delivery: Obj) -> list[str]:
    """What can start billing."""
    found = ["HandedOver"]
    found += ["TrialEnded"] if trial else []
    found += ["AgreementSigned"] if "agreementArticle" in delivery else []
    if "confirmationArticle" in delivery:
        found += ["DeliveryConfirmed", *(["ConfirmedAfterTrial"] if trial else [])]
    return found


@st.composite
def changes(draw: st.DrawFn) -> Obj:
    """What goes the application way."""
    kind = draw(st.sampled_from(["share", "new", "all", "none"]))
    article = draw(ARTICLES)
    return {
        "share": {"majorAbovePercent": draw(st.integers(1, 200)), "majorArticle": article},
        "new": {"newItemsAreMajor": True, "newItemsArticle": article},
        "all": {"allAreMajor": True, "allArticle": article},
        "none": {},
    }[kind]


@st.composite
def materials(draw: st.DrawFn) -> list[Obj]:
    """Papers of some types of application."""
    rows = []
    for application in draw(st.lists(st.sampled_from(["New", "Change", "Deregistration"]), unique=True)):
        required = draw(st.lists(st.sampled_from(PAPERS), unique=True))
        rows.append({"application": application, "required": required, "article": draw(ARTICLES)})
    return rows
