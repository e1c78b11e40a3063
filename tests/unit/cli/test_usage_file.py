"""Files of figures: what is read, and what is refused with its place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from govpool.api.usage import UsageDimension, UsageSpan
from govpool.cli.errors import CliError
from govpool.cli.usage_file import entries

NOW = datetime(2026, 11, 23, 1, tzinfo=UTC)
YAML = """
servers:
  - server: app-0
    namespace: bureau
    source: monitoring
    observedUntil: 2026-11-22T16:00:00Z
    windows:
      - over: Month
        ends: 2026-11-22
        figures:
          - {dimension: CPU, mean: 12.5, peak: 43}
          - {dimension: Memory, meanOfDailyPeaks: 76}
    peaks: [{dimension: Memory, at: 2026-11-22T10:00:00Z, percent: 91}]
    lastBusinessData: 2026-11-20
    inUse: true
    logins: 4
    freeDataDiskGiB: 500
    dataGrowthGiBPerYear: 50
"""
CSV = """server,namespace,over,ends,dimension,mean,peak,meanOfDailyPeaks,inUse,logins,lastBusinessData
app-0,bureau,Month,2026-11-22,CPU,12.5,43,,true,4,2026-11-20
app-0,bureau,Month,2026-11-22,Memory,,,76,,,
app-1,bureau,,,,,,,false,0,
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_yaml_file_is_read_whole(tmp_path: Path) -> None:
    (entry,) = entries(written(tmp_path, "use.yaml", YAML))
    usage = entry.usage("monitor", NOW, "en")
    assert (entry.server, entry.namespace) == ("app-0", "bureau")
    assert (usage.recorded_by, usage.recorded_at) == ("monitor", NOW)
    (window,) = usage.windows
    assert (window.over, window.figures[1].mean_of_daily_peaks) == (UsageSpan.MONTH, 76)
    assert (usage.free_data_disk_gib, usage.data_growth_gib_per_year, usage.logins) == (500, 50, 4)
    assert usage.peaks[0].percent == 91


def test_a_csv_file_is_read_whole(tmp_path: Path) -> None:
    first, second = entries(written(tmp_path, "use.csv", CSV))
    usage = first.usage("monitor", NOW, "en")
    (window,) = usage.windows
    assert [figures.dimension for figures in window.figures] == [UsageDimension.CPU, UsageDimension.MEMORY]
    assert (window.figures[0].mean, usage.logins, str(usage.last_business_data)) == (12.5, 4, "2026-11-20")
    unused = second.usage("monitor", NOW, "en")
    assert (unused.in_use, unused.windows, unused.observed_until) == (False, [], NOW)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.yaml", "servers: [", "no YAML"),
        ("a.yaml", "- app-0", "no list `servers`"),
        ("a.yaml", "servers: []", "no figures"),
        ("a.yaml", "servers: [{windows: []}]", "servers[0]: it names no server"),
        ("a.yaml", "servers: [{server: a, cpu: 3}]", "cpu is none of"),
        ("a.yaml", "servers: [{server: a, recordedBy: me}]", "recordedBy is none of"),
        ("a.yaml", "servers: [{server: a}, {server: a}]", "more than once"),
        ("a.yaml", "servers: [{server: a, idleSince: 2026-11-31}]", "no YAML"),
        ("a.csv", "server,cpu\na,3\n", "a.csv:1: cpu is none of"),
        ("a.csv", "server,mean\n,3\n", "a.csv:2: it names no server"),
        ("a.csv", "server,mean\na,3\n", "a.csv:2: figures need over"),
        ("a.csv", "server,over,ends,dimension,mean\na,Week,2026-11-22,CPU,high\n", "mean is no number: high"),
        ("a.csv", "server,logins\na,1.5\n", "logins is no whole number"),
        ("a.csv", "server,inUse\na,perhaps\n", "inUse is true or false"),
        ("a.csv", "server,logins\na,1\na,2\n", "a.csv:3: logins was 1 before"),
        ("a.csv", "server\na,b\n", "more values than there are columns"),
        (
            "a.csv",
            "server,over,ends,dimension,mean\na,Week,2026-11-22,CPU,1\na,Week,2026-11-21,Memory,1\n",
            "Week ended on 2026-11-22 before",
        ),
    ],
)
def test_a_file_that_can_not_be_is_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(CliError) as refused:
        entries(written(tmp_path, name, text))
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            "windows: [{over: Month, ends: 2026-11-22, figures: [{dimension: CPU, mean: 101}]}]",
            "less than or",
        ),
        ("windows: [{over: Year, ends: 2026-11-22, figures: []}]", "windows.0.over"),
        ("windows: [{over: Week, ends: '2026-11-31', figures: []}]", "windows.0.ends"),
        ("observedUntil: 2026-11-23T01:00:01Z", "later than now"),
        ("observedUntil: '2026-11-22T00:00:00'", "no time zone"),
        ("{inUse: false, logins: 1}", "there are logins"),
        ("lastBusinessData: soon", "lastBusinessData"),
        (
            "windows: ["
            "{over: Week, ends: 2026-11-22, figures: []}, {over: Week, ends: 2026-11-01, figures: []}]",
            "more than one window",
        ),
        (
            "windows: [{over: Week, ends: 2026-11-22, figures: [{dimension: CPU}, {dimension: CPU}]}]",
            "a dimension twice",
        ),
    ],
)
def test_figures_that_can_not_be_are_refused(tmp_path: Path, more: str, told: str) -> None:
    inner = more.strip("{}") if more.startswith("{") else more
    (entry,) = entries(written(tmp_path, "a.yaml", "servers: [{server: a, " + inner + "}]"))
    with pytest.raises(CliError) as refused:
        entry.usage("monitor", NOW, "en")
    assert told in str(refused.value)
    assert "servers[0]" in str(refused.value)
