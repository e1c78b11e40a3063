"""Texts of the rules: why something is refused, what is missing, how something was classified."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {}
