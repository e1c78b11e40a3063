"""Texts of the life cycle: where a request stands, who must act, what happened."""

from __future__ import annotations

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {}
