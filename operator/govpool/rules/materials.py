"""Which papers an application carries (申请材料)."""

from __future__ import annotations

from govpool.api.cloudpolicy import ApplicationType, CloudPolicySpec, MaterialRule


def material_rule(policy: CloudPolicySpec, application: ApplicationType) -> MaterialRule | None:
    """The papers that an application carries (申请材料).

    A major change that has no list of its own carries what a new application does; a temporary expansion
    what a change does. In an emergency the papers follow (YY-23, JN-13).
    """
    own = next((rule for rule in policy.admission.materials if rule.application is application), None)
    if own is not None:
        return own
    instead = {
        ApplicationType.MAJOR_CHANGE: ApplicationType.NEW,
        ApplicationType.TEMPORARY: ApplicationType.CHANGE,
    }.get(application)
    return None if instead is None else material_rule(policy, instead)
