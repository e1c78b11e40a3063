"""A clock that can be moved on, never back; its offset survives a restart."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dateutil.relativedelta import relativedelta

from .errors import ApiError, bad_request

_DURATION = re.compile(
    r"^P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?$"
)


def parse_duration(text: str) -> relativedelta:
    """Read an ISO-8601 duration of whole units, such as `P1M` or `P2DT3H`; raises 400 on anything else."""
    found = _DURATION.match(text)
    if not found or text.endswith(("P", "T")):
        raise bad_request(f'"{text}" is no ISO-8601 duration: write P31D, P1M, PT12H or the like')
    units = {unit: int(n or 0) for unit, n in found.groupdict().items()}
    return relativedelta(
        years=units["years"], months=units["months"], weeks=units["weeks"], days=units["days"],
        hours=units["hours"], minutes=units["minutes"], seconds=units["seconds"],
    )  # fmt: skip


def utc_now() -> datetime:
    """Return the machine's own time in UTC."""
    return datetime.now(UTC)


class Clock:
    """Server time: the base clock plus an offset in seconds."""

    def __init__(self, base: Callable[[], datetime] = utc_now, offset: float = 0.0) -> None:
        self._base = base
        self.offset = offset

    def now(self) -> datetime:
        """Return the server's time, UTC."""
        return self._base() + timedelta(seconds=self.offset)

    def timestamp(self) -> str:
        """Return `now` as metav1.Time: RFC 3339, whole seconds, Z."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def micro_timestamp(self) -> str:
        """Return `now` as metav1.MicroTime."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def offset_after(self, duration: str) -> float:
        """Return the offset in seconds that the clock has once moved on by an ISO-8601 duration."""
        now = self.now()
        try:
            moved = now + parse_duration(duration)
        except (OverflowError, ValueError) as exc:
            raise ApiError(400, "BadRequest", f"the clock cannot go that far: {exc}") from exc
        return self.offset + (moved - now).total_seconds()

    def state(self) -> dict[str, str | float]:
        """Return what GET /govpool/clock answers."""
        return {"now": self.now().isoformat().replace("+00:00", "Z"), "offsetSeconds": self.offset}


def human_age(then: str, now: datetime) -> str:
    """Print the time since `then` as kubectl does (apimachinery `duration.HumanDuration`)."""
    try:
        started = datetime.fromisoformat(then)
    except ValueError:
        return "<invalid>"
    seconds = int((now - started).total_seconds())
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    years = days // 365
    steps: tuple[tuple[bool, str], ...] = (
        (seconds < 120, f"{seconds}s"),
        (minutes < 10, f"{minutes}m" + (f"{seconds % 60}s" if seconds % 60 else "")),
        (minutes < 180, f"{minutes}m"),
        (hours < 8, f"{hours}h" + (f"{minutes % 60}m" if minutes % 60 else "")),
        (hours < 48, f"{hours}h"),
        (hours < 192, f"{days}d" + (f"{hours % 24}h" if hours % 24 else "")),
        (days < 730, f"{days}d"),
        (years < 8, f"{years}y" + (f"{days % 365}d" if days % 365 else "")),
    )
    return next((text for fits, text in steps if fits), f"{years}y")
