"""What OpenStack's answers mean to the caller of a provider.

The services disagree: a quota that is used up is 403 in Nova, 413 in Cinder and 409 in Neutron; a volume in
the wrong state is 400 in Cinder, a server in the wrong state 409 in Nova.
"""

from __future__ import annotations

import re

import requests
from keystoneauth1 import exceptions as keystone

from govpool_providers.errors import ErrorCode, ProviderError

QUOTA = re.compile(r"quota|exceeded|OverLimit|No more IP addresses|IpAddressGeneration", re.IGNORECASE)
POLICY = re.compile(r"policy doesn't allow|disallowed by policy", re.IGNORECASE)
"""What a service says when a role is missing; the rule's name may hold the word quota."""
WRONG_STATE = re.compile(
    r"status must be|is not available|already attached|in use|must not have|dependent", re.IGNORECASE
)
TEXT_LIMIT = 400


class RefusedError(ProviderError):
    """The cloud refused a request; ``status`` is HTTP's."""

    def __init__(self, code: ErrorCode, message: str, *, status: int, retry_after: float | None) -> None:
        super().__init__(code, message, retry_after=retry_after)
        self.status = status


def of_response(response: requests.Response, what: str, *, looking: bool) -> RefusedError:
    """The error in an answer with a status of 400 or more; ``what`` names the request."""
    said, status = _words(response), response.status_code
    return RefusedError(
        _code(status, said, looking=looking),
        f"{what}: {said} (HTTP {status})",
        status=status,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def of_exception(error: Exception, what: str) -> ProviderError:
    """An error that came up before there was an answer."""
    match error:
        case keystone.NotFound() if "application credential" in str(error).lower():
            return ProviderError(
                ErrorCode.UNAUTHORISED,
                f"{what}: the pool's application credential was revoked ({_brief(error)}). Renew it.",
            )
        case keystone.Unauthorized() | keystone.MissingRequiredOptions() | keystone.NoMatchingPlugin():
            return ProviderError(
                ErrorCode.UNAUTHORISED,
                f"{what}: Keystone does not accept the pool's credentials ({_brief(error)}). Renew them.",
            )
        case keystone.Forbidden():
            return ProviderError(ErrorCode.UNAUTHORISED, f"{what}: {_brief(error)}")
        case _:
            return ProviderError(
                ErrorCode.UNREACHABLE,
                f"{what}: the cloud did not answer ({_brief(error)}). It is tried again.",
            )


def _code(status: int, said: str, *, looking: bool) -> ErrorCode:
    if status == 413 or (status in {403, 409} and QUOTA.search(said) and not POLICY.search(said)):
        return ErrorCode.QUOTA_EXCEEDED
    if status in {401, 403}:
        return ErrorCode.UNAUTHORISED
    if status in {404, 410}:
        return ErrorCode.NOT_FOUND
    if status == 409 or (status == 400 and WRONG_STATE.search(said)):
        return ErrorCode.CONFLICT
    if status in {408, 425, 429}:
        return ErrorCode.RETRYABLE
    if status < 500:
        return ErrorCode.INVALID
    return ErrorCode.UNREACHABLE if looking or status in {502, 503, 504} else ErrorCode.RETRYABLE


def _words(response: requests.Response) -> str:
    """The service's own words: each wraps them in another way."""
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return (response.reason or "no reason given")[:TEXT_LIMIT]
    found = body if isinstance(body, dict) else {}
    for value in (found.get("NeutronError"), found.get("error"), *found.values()):
        if isinstance(value, dict) and value.get("message"):
            kind = f"{value['type']}: " if value.get("type") else ""
            return f"{kind}{value['message']}"[:TEXT_LIMIT]
        if isinstance(value, str) and value:
            return value[:TEXT_LIMIT]
    return (response.reason or "no reason given")[:TEXT_LIMIT]


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.strip().isdigit() else None


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:TEXT_LIMIT]
