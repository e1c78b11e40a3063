"""Questions about oneself: may I, what may I, who am I (authorization.k8s.io, authentication.k8s.io)."""

from __future__ import annotations

from datetime import UTC, datetime

from . import authz
from .authn import User, Users
from .errors import ApiError, bad_request
from .objects import Obj
from .storage import Stored

REVIEWS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})


def _access(spec: Obj, user: User) -> Obj:
    wanted = spec.get("resourceAttributes")
    if not wanted:
        # discovery and health are open to everybody who has a token
        verb = (spec.get("nonResourceAttributes") or {}).get("verb", "")
        return {"allowed": verb in ("get", "head") or "govpool:admin" in user.groups}
    attributes = authz.Attributes(
        wanted.get("verb", ""), wanted.get("group", ""), wanted.get("resource", ""),
        wanted.get("namespace", ""),
        wanted.get("name", ""), wanted.get("subresource", ""),
    )  # fmt: skip
    return {"allowed": authz.allowed(user, attributes)}


def _rules(spec: Obj, user: User) -> Obj:
    open_paths = {
        "verbs": ["get"],
        "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/openapi/*", "/version"],
    }
    return {
        "resourceRules": authz.rules(user, spec.get("namespace", "")),
        "nonResourceRules": [open_paths],
        "incomplete": False,
    }


def _seconds(body: object) -> int:
    spec = body.get("spec") if isinstance(body, dict) else None
    wanted = (spec or {}).get("expirationSeconds") or 3600
    if not isinstance(wanted, int) or wanted < 600:
        text = "spec.expirationSeconds: Invalid value: may not specify a duration less than 10 minutes"
        raise ApiError(422, "Invalid", f'TokenRequest.authentication.k8s.io "" is invalid: {text}')
    return min(wanted, 365 * 86400)


def token(body: object, account: Stored, users: Users) -> Obj:
    """Answer a TokenRequest for a service account; raises 422 on a lifetime under ten minutes."""
    seconds = _seconds(body)
    made, expires = users.account_token(account.key.namespace, account.key.name, account.uid, seconds)
    until = datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": account.key.name, "namespace": account.key.namespace},
        "spec": {"expirationSeconds": seconds},
        "status": {"token": made, "expirationTimestamp": until},
    }


def answer(plural: str, body: object, user: User) -> Obj:
    """Answer a review; raises 400 on a body that is none."""
    if not isinstance(body, dict):
        raise bad_request("the object provided is unrecognized (must be of type Object)")
    spec = body.get("spec") or {}
    review: Obj = {k: v for k, v in body.items() if k in ("kind", "apiVersion", "spec")} | {"metadata": {}}
    if plural == "selfsubjectaccessreviews":
        review["status"] = _access(spec, user)
    elif plural == "selfsubjectrulesreviews":
        review["status"] = _rules(spec, user)
    else:
        review["status"] = {"userInfo": user.info()}
    return review
