"""What a check answers, and the register of the kinds of checks."""

from __future__ import annotations

from collections import namedtuple

KINDS = {}


class Finding(namedtuple("Finding", "passed expected found detail effective")):
    """The answer of one check.

    ``passed`` is None where the control does not apply. ``effective`` is False where the configuration is as
    wanted, but whether it is in force can't be seen or set on this machine (a container's kernel): ``detail`` says so.
    """

    def __new__(cls, passed, expected, found, detail="", effective=True):
        return super().__new__(cls, passed, str(expected), str(found), detail, effective)


def kind(name):
    """Register a kind of check: a class with check(system) and mend(system), made from the control's own data."""

    def register(cls):
        KINDS[name] = cls
        return cls

    return register


def listed(names, most=6):
    """Write a list for a person: the first few, and how many more."""
    names = [str(name) for name in names]
    if not names:
        return "none"
    return ", ".join(names[:most]) + (" and %d more" % (len(names) - most) if len(names) > most else "")


_UNITS = {"": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
_UNITS.update({"days": 86400, "w": 604800, "week": 604800, "weeks": 604800, "month": 2629800, "year": 31557600})


def number(text):
    """Read a number, or a time span of systemd.time(7) in seconds; None if it is neither."""
    text = str(text).strip().strip('"').lower()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz ")
    try:
        return int(digits) * _UNITS[text[len(digits) :].strip()]
    except (ValueError, KeyError):
        return None


def compare(found, op, wanted):
    """Tell whether a found text meets what is wanted. Nothing found never does."""
    if found is None:
        return False
    if op in ("==", "in"):
        return str(found).lower() in [str(w).lower() for w in (wanted if isinstance(wanted, list) else [wanted])]
    if op == "subset":
        return set(filter(None, str(found).split(","))) <= set(wanted)
    value = number(found)
    if value is None:
        return False
    if op == ">=":
        return value >= number(wanted)
    if op == "<=":
        return value <= number(wanted)
    if op == "1..":  # from 1 up to the number: 0 would switch the limit off
        return 1 <= value <= number(wanted)
    if op == ">= or 0":  # 0 means without limit
        return value == 0 or value >= number(wanted)
    if op == "<0":
        return value <= number(wanted) < 0
    raise ValueError("unknown comparison %r" % op)


def wanted_text(op, wanted):
    """Write what is wanted for a person."""
    text = ",".join(str(w) for w in wanted) if isinstance(wanted, list) else str(wanted)
    words = {"==": "%s", "in": "one of %s", "subset": "only %s", ">=": "at least %s", "<=": "at most %s"}
    words.update({"1..": "1 to %s", ">= or 0": "at least %s, or no limit", "<0": "%s"})
    return words[op] % text
