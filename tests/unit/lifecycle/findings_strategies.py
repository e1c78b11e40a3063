"""What a policy may say of use, of notices and of what follows from them, drawn by hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Obj = dict[str, Any]
ARTICLES = st.from_regex(r"\A[1-9][0-9]?(\([1-9]\))?\Z")
SPANS = st.sampled_from(["P1W", "P15D", "P1M", "P3M"])
FIGURES = ("Mean", "Peak", "MeanOfDailyPeaks", "MeanOfMonthlyPeaks")
WINDOWS = ("Week", "Month", "ThreeMonths")
DIMENSIONS = ("CPU", "Memory", "Storage")
SORTS = ("Expand", "Reduce", "Zombie", "OutOfBand")
GIVEN_BY_PEOPLE = ("OtherUse", "Vulnerability", "GraveDanger", "Other")
MILD = ("StopIssuing", "ForcedShutdown", "Isolation")


@st.composite
def usage_tests(draw: st.DrawFn) -> Obj:
    """One test of a server's figures."""
    statistic = draw(st.sampled_from((*FIGURES, "Idle", "NoBusinessData", "FreeDataDisk")))
    if statistic in ("Idle", "NoBusinessData"):
        return {"statistic": statistic, "longerThan": draw(SPANS)}
    if statistic == "FreeDataDisk":
        return {"statistic": statistic, "gib": draw(st.integers(0, 200))}
    return {
        "statistic": statistic,
        "dimensions": draw(st.lists(st.sampled_from(DIMENSIONS), min_size=1, max_size=3, unique=True)),
        "over": draw(st.sampled_from(WINDOWS)),
        "comparator": draw(st.sampled_from(["Above", "AtLeast", "Below", "AtMost"])),
        "percent": draw(st.integers(0, 100)),
    }


@st.composite
def efficiency(draw: st.DrawFn) -> Obj:
    """How use is judged."""
    groups = st.lists(st.lists(usage_tests(), min_size=1, max_size=2), min_size=1, max_size=2)
    rules = [
        {
            "name": f"rule-{number}",
            "sort": sort,
            "soft": draw(st.booleans()),
            "anyOf": [{"allOf": group} for group in draw(groups)],
            "article": draw(ARTICLES),
        }
        for number, sort in enumerate(draw(st.lists(st.sampled_from(SORTS), min_size=1, max_size=4)))
    ]
    return {"rules": rules}


@st.composite
def rectification(draw: st.DrawFn) -> Obj:
    """Notices: on findings and on what people see, with and without a clock."""
    findings = draw(
        st.lists(st.sampled_from((*SORTS, *GIVEN_BY_PEOPLE)), min_size=1, max_size=5, unique=True)
    )
    return {"notices": [draw(notice(finding)) for finding in findings], "article": draw(ARTICLES)}


@st.composite
def notice(draw: st.DrawFn, finding: str) -> Obj:
    """What follows from one finding."""
    some = st.lists(st.sampled_from(MILD), max_size=2, unique=True)
    row: Obj = {
        "finding": finding,
        "byOperator": finding in SORTS and draw(st.booleans()),
        "expertReview": draw(st.booleans()),
        "enforcement": draw(st.lists(st.sampled_from((*MILD, "Deregistration")), max_size=3, unique=True)),
        "article": draw(ARTICLES),
    }
    if draw(st.booleans()):
        row |= {"clock": draw(SPANS), "automatic": draw(some)}
    if finding == "GraveDanger":
        row["atOnce"] = draw(some)
    return row
