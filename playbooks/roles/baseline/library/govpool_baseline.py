#!/usr/bin/python
"""Ansible module: audits a machine against the security baseline (安全基线), and mends what fails."""

from __future__ import absolute_import, annotations, division, print_function

DOCUMENTATION = r"""
module: govpool_baseline
short_description: Audits and mends the controls of GB/T 22239-2019 that a host can be checked for
description:
  - Runs all controls in one call. In check mode, or with O(mend=false), it only audits and changes nothing.
  - A control is a list of checks of a known kind; the kinds are in C(module_utils/govpool_baseline).
options:
  controls: {description: The controls, type: list, elements: dict, required: true}
  defaults: {description: Every parameter and its default, type: dict, required: true}
  parameters: {description: Numbers that a policy sets otherwise, type: dict, default: {}}
  level: {description: The protection level (等保) of the system, type: int, choices: [2, 3], required: true}
  mend: {description: Mend what fails, type: bool, default: false}
  root: {description: The tree to look at, type: path, default: /}
"""

RETURN = r"""
controls:
  description: For every control its id, clause, expected, found, result, mended, effective and detail,
    as they were found before anything was mended.
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.govpool_baseline.audit import BadControls, Baseline  # noqa: E402
from ansible.module_utils.govpool_baseline.system import NotMendable, System  # noqa: E402


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "controls": {"type": "list", "elements": "dict", "required": True},
            "defaults": {"type": "dict", "required": True},
            "parameters": {"type": "dict", "default": {}},
            "level": {"type": "int", "choices": [2, 3], "required": True},
            "mend": {"type": "bool", "default": False},
            "root": {"type": "path", "default": "/"},
        },
        supports_check_mode=True,
    )
    given = module.params
    mend = given["mend"] and not module.check_mode
    try:
        baseline = Baseline(given["controls"], given["defaults"], given["parameters"], given["level"])
    except BadControls as error:
        module.fail_json(msg="the baseline can't be run: %s" % error)
    system = System(given["root"], read_only=not mend)
    results = baseline.audit(system)
    if mend:
        try:
            baseline.mend(system, results)
        except NotMendable as error:
            module.fail_json(msg="the baseline was mended by half: %s" % error, controls=results, changed=True)
    failing = [result["id"] for result in results if result["result"] in ("fail", "error")]
    changed = any(result["mended"] for result in results) or (module.check_mode and given["mend"] and bool(failing))
    # the controls are long and known to the caller: they are not sent back with the results
    module.params = dict(given, controls=[], defaults={})
    module.exit_json(changed=changed, controls=results, level=given["level"])


if __name__ == "__main__":
    main()
