"""Writes docs/baseline.md from the controls: ``python -m govpool.effects.baseline_doc >
docs/baseline.md``."""

from __future__ import annotations

import sys
from itertools import groupby

from govpool.effects.baseline import Parameter, load_controls
from govpool.effects.baseline_page import SECTIONS, section_clause

_HEAD = """\
# The security baseline (安全基线)

This page is generated from `playbooks/roles/baseline/vars/controls.yml` by
`python -m govpool.effects.baseline_doc`.

Before handover every server is audited against {total} host controls of GB/T 22239-2019 (信息安全技术
网络安全等级保护基本要求), what fails is mended, and the server is audited again over a new
connection. {level2} controls apply from protection level 2 (等保二级), all {total} at level 3.
Clauses are those of the third level (8.1.4 安全计算环境).

* **Not checked is failed.** A control that the machine did not report, or reported twice, has failed; a
  report in which nothing was checked, or nothing applied, never opens the gate.
* **Check mode is the audit.** It changes nothing; the module refuses every write in it.
* **Configured is not in force.** Where a machine can't set or show a value (a container's kernel belongs
  to its host), the control passes by its configuration, is marked so, and the report gives the kernel's
  own value.
* **What only a person can decide is not mended**: which of two accounts keeps a number, who needs an open
  port, why a program differs from its package. The report says what to do.
* Numbers are parameters. A policy sets them by name in `spec.baseline.parameters` (lists with commas):
  an unknown name or a value of another type fails the run. Controls named in `spec.baseline.waivable` may
  fail.
* `admin_sources` has no default: without the networks that administrators come from, IP-05 fails. The
  operator's own address must be in it, or the module refuses to lock itself out.

What clause 8.1.4 asks for beyond a host's configuration (a second factor of the unit's own, security
marks, anti-virus signatures, intrusion alarms, backups of data) is not claimed by any control here.
"""


def page() -> str:
    """Write the page."""
    controls, defaults = load_controls()
    level2 = sum(control["level"] == 2 for control in controls)
    lines = [_HEAD.format(total=len(controls), level2=level2)]
    for clause, members in groupby(controls, lambda control: section_clause(control["clause"])):
        title, title_zh = SECTIONS[clause]
        lines += [f"## {clause} {title} ({title_zh})", ""]
        lines += ["| Id | Clause | From level | Control | 控制项 | Parameters |", "|---|---|---|---|---|---|"]
        for control in members:
            names = ", ".join(f"`{name}`" for name in control["parameters"])
            cells = (
                control["id"],
                control["clause"],
                str(control["level"]),
                control["en"],
                control["zh"],
                names,
            )
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    lines += ["## Parameters", "", "| Name | Default |", "|---|---|"]
    lines += [f"| `{name}` | {_text(value)} |" for name, value in defaults.items()]
    return "\n".join(lines) + "\n"


def _text(value: Parameter) -> str:
    text = ", ".join(str(part) for part in value) if isinstance(value, list) else str(value)
    return text or "(empty)"


if __name__ == "__main__":
    sys.stdout.write(page())
