"""When to look again at what takes its time: when it is likely done, and together with others."""

from __future__ import annotations

import math

BEAT, SHORTEST, LONGEST = 0.5, 0.1, 2.0
"""Seconds. Looks come at multiples of a beat on the clock, so that those under way at once are shared; they
grow rarer the longer something takes: from ``SHORTEST`` apart to ``LONGEST``.
"""
SOONER = 0.6
"""The share of a pause after which a beat is good enough, so that what is done earlier is seen earlier."""


class Pace:
    """How long things of a name took lately, in seconds: many threads use it at once."""

    def __init__(self) -> None:
        self._took: dict[str, float] = {}

    def begun(self, name: str, now: float) -> float:
        """Seconds until the first look at something that has just begun."""
        took = self._took.get(name, 0.0)
        return _to_a_beat(_beat(took / 4), now + SOONER * took) - now

    def again(self, elapsed: float, now: float) -> float:
        """Seconds until the next look at something that was not done after ``elapsed`` seconds."""
        pause = min(max(elapsed / 3, SHORTEST), LONGEST)
        return _to_a_beat(_beat(pause), now + SOONER * pause) - now

    def done(self, name: str, elapsed: float) -> None:
        """Take note of how long it took: at once when it was quicker, by half when it was slower."""
        before = self._took.get(name, elapsed)
        self._took[name] = min(elapsed, (before + elapsed) / 2)


def _beat(longest: float) -> float:
    """The longest beat that is not longer, or the shortest that there is."""
    return max(beat for beat in (BEAT, 2 * BEAT, LONGEST) if beat <= max(longest, BEAT))


def _to_a_beat(beat: float, moment: float) -> float:
    return math.ceil(moment / beat) * beat
