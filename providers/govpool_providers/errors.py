"""The closed set of ways in which a provider call can go wrong.

A provider raises nothing else. Whoever calls it decides by :class:`ErrorCode` alone, never by the
text; the text is for the person who reads the condition.
"""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """What kind of error it was, and so what may be done about it."""

    RETRYABLE = "Retryable"
    """Failed this time; the same call may succeed later without anybody's doing."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """The pool or the project has no room; retried, because room can be made."""
    INVALID = "Invalid"
    """The call can never succeed as it stands; somebody must change what is asked for."""
    NOT_FOUND = "NotFound"
    """What the call works on was seen to be absent (not: could not be looked up)."""
    CONFLICT = "Conflict"
    """What the call works on is in another state, or taken by somebody else."""
    UNAUTHORISED = "Unauthorised"
    """The pool's credentials are not accepted or not sufficient."""
    UNREACHABLE = "Unreachable"
    """The pool did not answer, or answered in part: nothing is known, so nothing may be concluded."""


class ProviderError(Exception):
    """A provider call failed.

    ``code`` is one of :class:`ErrorCode`; ``message`` says what happened and what to do next, never
    contains a secret; ``retry_after`` is the pool's own wish in seconds, if it gave one.
    """

    def __init__(self, code: ErrorCode, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after = retry_after

    @property
    def final(self) -> bool:
        """True when repeating the same call can't help."""
        return self.code is ErrorCode.INVALID
