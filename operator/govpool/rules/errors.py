"""What the rules raise when they are asked something that has no answer."""

from __future__ import annotations


class RuleError(Exception):
    """A question that the rules can't answer."""


class UnknownItem(RuleError):  # noqa: N818 - what it is, as callers read it
    """Content names something that the catalogue does not have; admission says so before anything else."""

    def __init__(self, item: str) -> None:
        super().__init__(f"the service catalogue has no item {item!r}")
        self.item = item


class NoCalendar(RuleError):  # noqa: N818
    """There is no public-holiday calendar for the policy's country."""

    def __init__(self, country: str) -> None:
        super().__init__(f"no public-holiday calendar for country {country!r}: correct calendar.country")
        self.country = country
