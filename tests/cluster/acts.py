# ruff: noqa: E501 - a table: one act, one line
"""What each role tries: what the policies and roles must let through, and what they must refuse.

``<name>`` stands for what the life before left there. Acts are dry runs: admission and authorization are
asked as for the real thing, and nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

G = "/apis/govpool.dev/v1alpha1"
NS = f"{G}/namespaces/<ns>"
OTHER = f"{G}/namespaces/govpool-test-other"
SECRETS = "/api/v1/namespaces/govpool-system/secrets"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@dataclass(frozen=True)
class Act:
    """One attempt."""

    who: str
    what: str
    method: str
    path: str
    body: Any = None
    says: str = ""
    answers: tuple[int, ...] = (403,)


def _decision(stage: str, by: str, verdict: str = "Approve") -> dict[str, Any]:
    entry = {"stage": stage, "verdict": verdict, "by": by, "opinion": "", "at": "<at>"}
    return {"spec": {"decisions": [entry]}}


def _may(who: str, what: str, method: str, path: str, body: Any = None) -> Act:
    return Act(who, what, method, path, body, answers=(200,))


CANNOT = "cannot"
"""How RBAC refuses."""
STATUS = {"status": {"conditions": []}}
READERS = ("engineer", "acceptor", "reviewer", "expert", "provider", "auditor")
KINDS = ("approvals", "auditrecords", "cloudresourcerequests", "wipecertificates", "workorders")

PERMITTED: tuple[Act, ...] = (
    _may("acceptor", "accept", "PATCH", f"{NS}/approvals/<approval>", _decision("Acceptance", "desk-wang")),
    _may("unit", "read its own request", "GET", f"{NS}/cloudresourcerequests/<request>"),
    _may("unit", "read the pools", "GET", f"{G}/cloudpools"),
    _may("unit", "edit its request", "PATCH", f"{NS}/cloudresourcerequests/<request>", {"spec": {"state": "Active"}}),
    _may("engineer", "edit a quota", "PATCH", f"{NS}/tenantquotas/<quota>", {"metadata": {"annotations": {"a": "b"}}}),
    _may("engineer", "make a namespace", "POST", "/api/v1/namespaces", {"metadata": {"name": "govpool-test-new"}}),
    *(_may(who, f"read all {kind}", "GET", f"{G}/{kind}") for who in READERS for kind in KINDS),
    _may("operator", "read the ends of the chains", "GET",
         "/api/v1/namespaces/govpool-system/configmaps/audit-anchors"),
)  # fmt: skip

_WRITES: tuple[tuple[str, str, str, Any], ...] = (
    ("write an Approval's status", "PATCH", f"{NS}/approvals/<approval>/status", STATUS),
    ("write a request's status", "PATCH", f"{NS}/cloudresourcerequests/<request>/status", STATUS),
    ("write a pool's status", "PATCH", f"{G}/cloudpools/fixture-pool/status", STATUS),
    ("write a quota's status", "PATCH", f"{NS}/tenantquotas/<quota>/status", {"status": {"observedGeneration": 0}}),
    ("write an order's evidence", "PATCH", f"{NS}/workorders/<order>/status", {"status": {"message": "done"}}),
    ("delete an Approval", "DELETE", f"{NS}/approvals/<approval>", None),
    ("delete an order", "DELETE", f"{NS}/workorders/<order>", None),
    ("delete a server's record", "DELETE", f"{NS}/cloudservers/<server>", None),
    ("delete a certificate", "DELETE", f"{NS}/wipecertificates/<certificate>", None),
    ("edit a certificate", "PATCH", f"{NS}/wipecertificates/<certificate>", {"spec": {"number": "X-1"}}),
    ("edit a baseline's report", "PATCH", f"{NS}/baselinereports/<report>", {"spec": {"score": 100}}),
    ("edit the audit trail", "PATCH", f"{NS}/auditrecords/<record>", {"spec": {"sequence": 9}}),
    ("cut the audit trail", "DELETE", f"{NS}/auditrecords/<record>", None),
    ("list govpool's Secrets", "GET", SECRETS, None),
    ("make a role", "POST", f"{RBAC}/clusterroles", {"metadata": {"name": "govpool-test"}, "rules": []}),
    ("take the policies away", "DELETE",
     "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/approval-decisions.govpool.dev", None),
    ("remove a kind", "DELETE",
     "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/wipecertificates.govpool.dev", None),
)  # fmt: skip
"""What no person may, whatever the role."""

EVERYBODY = (*READERS, "unit", "both", "nobody")
NOT_THE_UNIT: tuple[tuple[str, str, str, Any], ...] = (
    ("apply in a unit's name", "POST", f"{NS}/cloudresourcerequests",
     {"apiVersion": "govpool.dev/v1alpha1", "kind": "CloudResourceRequest", "metadata": {"name": "x"}, "spec": {}}),
    ("edit a unit's request", "PATCH", f"{NS}/cloudresourcerequests/<request>", {"spec": {"state": "Deregistered"}}),
    ("delete a unit's request", "DELETE", f"{NS}/cloudresourcerequests/<request>", None),
)  # fmt: skip
NOT_THE_ENGINEER: tuple[tuple[str, str, str, Any], ...] = (
    ("enlarge a quota", "PATCH", f"{NS}/tenantquotas/<quota>", {"spec": {"outside": True}}),
    ("edit a regulation", "PATCH", f"{G}/cloudpolicies/yiyang-2025", {"metadata": {"annotations": {"a": "b"}}}),
    ("close a pool", "PATCH", f"{G}/cloudpools/fixture-pool", {"spec": {"state": "Cordoned"}}),
    ("edit the prices", "PATCH", f"{G}/servicecatalogs/catalog-2026", {"spec": {"year": 2027}}),
    ("make a namespace", "POST", "/api/v1/namespaces", {"metadata": {"name": "govpool-test-new"}}),
    ("grant a role", "POST", f"{RBAC}/namespaces/<ns>/rolebindings",
     {"metadata": {"name": "x"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
      "name": "govpool-unit-editor"}, "subjects": []}),
)  # fmt: skip


def _cluster_admin(who: str) -> Act:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "engineer-lin"}
    body = {"metadata": {"name": "up"}, "roleRef": reference, "subjects": [subject]}
    return Act(who, "give itself more rights", "POST", f"{RBAC}/namespaces/<ns>/rolebindings", body, "")


APPROVAL = f"{NS}/approvals/<approval>"
REQUEST = f"{NS}/cloudresourcerequests/<request>"
CONFIRMED = {"spec": {"confirmations": {"delivery": {"by": "somebody", "at": "<at>", "statement": "ok"}}}}

FORBIDDEN: tuple[Act, ...] = (
    *(Act(who, what, method, path, body) for who in EVERYBODY for what, method, path, body in _WRITES),
    *(
        Act(who, what, method, path, body, CANNOT)
        for who in EVERYBODY
        if who not in ("unit", "both")
        for what, method, path, body in NOT_THE_UNIT
    ),
    *(
        Act(who, what, method, path, body, CANNOT)
        for who in EVERYBODY
        if who != "engineer"
        for what, method, path, body in NOT_THE_ENGINEER
    ),
    # -- deciding --
    Act("acceptor", "decide the reviewer's step", "PATCH", APPROVAL, _decision("Review", "desk-wang"), "its role"),
    Act("acceptor", "decide in another's name", "PATCH", APPROVAL, _decision("Acceptance", "reviewer-zhao"), "by must be"),
    Act("acceptor", "take a decision back", "PATCH", f"{NS}/approvals/<decided>", {"spec": {"decisions": []}},
        "append-only", (422,)),
    Act("acceptor", "change what was applied for", "PATCH", APPROVAL, {"spec": {"revision": 9}}, "immutable", (422,)),
    Act("reviewer", "decide the desk's step", "PATCH", APPROVAL, _decision("Acceptance", "reviewer-zhao"), "its role"),
    Act("expert", "decide the desk's step", "PATCH", APPROVAL, _decision("Acceptance", "expert-sun"), "its role"),
    Act("both", "decide its own unit's request", "PATCH", APPROVAL, _decision("Acceptance", "two-hats"), "of a unit"),
    Act("operator", "decide", "PATCH", APPROVAL,
        _decision("Acceptance", "system:serviceaccount:govpool-system:govpool"), "its role"),
    *(
        Act(who, "decide", "PATCH", APPROVAL, _decision("Acceptance", who), CANNOT)
        for who in ("unit", "engineer", "provider", "auditor", "nobody")
    ),
    # -- a unit --
    Act("unit", "confirm in another's name", "PATCH", REQUEST, CONFIRMED, "by must be"),
    Act("unit", "take the finalizer away", "PATCH", REQUEST, {"metadata": {"finalizers": []}}, "finalizer"),
    Act("unit", "hide its request from govpool", "PATCH", REQUEST,
        {"metadata": {"labels": {"govpool.dev/settled": "true"}}}, "govpool's own"),
    Act("unit", "read another unit", "GET", f"{OTHER}/cloudresourcerequests", None, CANNOT),
    Act("unit", "read all units", "GET", f"{G}/cloudresourcerequests", None, CANNOT),
    Act("unit", "apply in another unit's namespace", "POST", f"{OTHER}/cloudresourcerequests",
        {"apiVersion": "govpool.dev/v1alpha1", "kind": "CloudResourceRequest", "metadata": {"name": "x"}, "spec": {}},
        CANNOT),
    Act("unit", "report an order as done", "PATCH", f"{NS}/workorders/<order>",
        {"spec": {"outcome": {"by": "liu", "at": "<at>", "result": "Done"}}}, CANNOT),
    # -- a provider --
    Act("provider", "write more than what it measured", "PATCH", f"{NS}/cloudservers/<server>/status",
        {"status": {"message": "all is well"}}, "only usage"),
    Act("provider", "change what an order is about", "PATCH", f"{NS}/workorders/<order>",
        {"spec": {"role": "reviewer"}}, "", (403, 422)),
    # -- a platform engineer --
    _cluster_admin("engineer"),
    # -- the operator --
    Act("operator", "list Secrets, even in its own namespace", "GET", SECRETS, None, CANNOT),
    Act("operator", "read a Secret of a unit", "GET", "/api/v1/namespaces/<ns>/secrets/x", None, CANNOT),
    Act("operator", "delete a unit's request", "DELETE", REQUEST, None, CANNOT),
    Act("operator", "edit a certificate", "PATCH", f"{NS}/wipecertificates/<certificate>",
        {"spec": {"number": "X-1"}}, CANNOT),
    Act("operator", "cut the audit trail", "DELETE", f"{NS}/auditrecords/<record>", None, CANNOT),
    Act("operator", "edit a regulation", "PATCH", f"{G}/cloudpolicies/yiyang-2025",
        {"metadata": {"annotations": {"a": "b"}}}, CANNOT),
    Act("operator", "enlarge a quota", "PATCH", f"{NS}/tenantquotas/<quota>", {"spec": {"outside": True}}, CANNOT),
    Act("operator", "give itself more rights", "POST", f"{RBAC}/namespaces/govpool-system/rolebindings",
        {"metadata": {"name": "x"}}, CANNOT),
    Act("operator", "run a Pod", "POST", "/api/v1/namespaces/govpool-system/pods", {"metadata": {"name": "x"}}, CANNOT),
)  # fmt: skip
