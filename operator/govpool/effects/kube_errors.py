"""What the API server says when it does not do what was asked."""

from __future__ import annotations

import json

NOT_LEADER = "NotLeader"
"""Reason of what was not even sent, because another operator may lead."""


class KubeError(Exception):
    """The API server refused or did not answer.

    ``status`` is the HTTP status, 0 when there was no answer; ``reason`` is the Status object's reason;
    ``retry_after`` is how many seconds the server asks to be left alone.
    """

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else f"no answer: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after

    @property
    def conflict(self) -> bool:
        """Somebody wrote the object meanwhile: look again."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def exists(self) -> bool:
        """What should be created is there."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def absent(self) -> bool:
        """The object is not there."""
        return self.status == 404

    @property
    def passing(self) -> bool:
        """Asking again later may help."""
        return self.status in (0, 429, 500, 502, 503, 504)


def may_repeat(error: BaseException) -> bool:
    """Whether the server said that it did nothing and asks for patience: 429 and 503, nothing else."""
    return isinstance(error, KubeError) and error.status in (429, 503)


def gone_again(error: KubeError, what: str) -> KubeError:
    """What was said to exist and then was not found: a conflict, to be looked at again; else the error."""
    return KubeError(409, "Conflict", f"{what} was there and is not") if error.absent else error


def advice(error: KubeError) -> str:
    """What to do about an error that waiting alone does not mend; empty when there is nothing to do."""
    if error.status == 401:
        return "the API server does not know who this is: renew the token or certificate in the kubeconfig"
    if error.status == 403:
        return "the right is missing: bind the operator's ClusterRole (charts/govpool) to this account"
    if error.status == 0 and error.reason != NOT_LEADER:
        return "is the API server running, and does the kubeconfig name the right one?"
    return ""


def kube_error(status: int, body: str, retry_after: str = "") -> KubeError:
    """The error that an answer of the API server tells, whether or not its body is a Status object.

    ``retry_after`` is the header of that name; a date in it, which no API server sends, counts as none.
    """
    seconds = float(retry_after) if retry_after.isdigit() else 0.0
    try:
        document = json.loads(body)
        reason, message = str(document.get("reason", "")), str(document.get("message", body))
    except (ValueError, AttributeError):
        reason, message = "", body[:500]
    return KubeError(status, reason, message, retry_after=seconds)
