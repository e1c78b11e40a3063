"""Runs the controls: audit, and mend what failed."""

from __future__ import annotations

import re
import traceback

from . import accounts, files, kernel, logs, services, ssh, tree  # noqa: F401 - they register their kinds
from .base import KINDS
from .system import NotMendable, ReadOnly


class BadControls(Exception):
    """The controls or their parameters are not what this module understands."""


def resolve(value, parameters):
    """Put the parameters' values in place of "$name" (the value itself) and "${name}" (in a text), all the way down."""
    if isinstance(value, str) and "${" in value:
        return re.sub(r"\$\{(\w+)\}", lambda match: str(resolve("$" + match.group(1), parameters)), value)
    if isinstance(value, str) and value.startswith("$"):
        if value[1:] not in parameters:
            raise BadControls("unknown parameter %s" % value)
        return parameters[value[1:]]
    if isinstance(value, list):
        return [resolve(part, parameters) for part in value]
    if isinstance(value, dict):
        return {key: resolve(part, parameters) for key, part in value.items()}
    return value


def coerce(name, default, given):
    """Give an override the type of the default: a policy writes every number as text, lists with commas."""
    if isinstance(default, list) and isinstance(given, str):
        parts = [part.strip() for part in given.split(",") if part.strip()]
        return [int(part) if part.isdigit() else part for part in parts]
    if isinstance(default, int) and not isinstance(given, int):
        try:
            return int(str(given))
        except ValueError:
            raise BadControls("parameter %s must be a whole number, not %r" % (name, given)) from None
    if not isinstance(given, type(default)):
        raise BadControls("parameter %s must be like %r, not %r" % (name, default, given))
    return given


class Baseline:
    """The controls that apply at a protection level, with their numbers."""

    def __init__(self, controls, defaults, overrides, level):
        unknown = sorted(set(overrides) - set(defaults))
        if unknown:
            raise BadControls("no control has the parameters %s; known: %s" % (unknown, sorted(defaults)))
        given = {name: coerce(name, defaults[name], value) for name, value in overrides.items()}
        parameters = dict(defaults, **given)
        self.controls = []
        for control in controls:
            if control["level"] <= level:
                self.controls.append((control, [self._make(check, parameters) for check in control["checks"]]))

    @staticmethod
    def _make(check, parameters):
        spec = resolve(check, parameters)
        name = spec.pop("kind")
        try:
            return KINDS[name](**spec)
        except (KeyError, TypeError, ValueError) as error:
            raise BadControls("check %s: %s" % (name, error)) from error

    def audit(self, system):
        """Check everything; return a result for every control."""
        return [self._judge(control, checks, system) for control, checks in self.controls]

    @staticmethod
    def _judge(control, checks, system):
        result = {"id": control["id"], "clause": control["clause"], "mended": False, "effective": True}
        try:
            findings = [check.check(system) for check in checks]
        except ReadOnly:
            raise
        except NotMendable as error:
            return dict(result, expected="", found="", result="error", detail=str(error))
        except Exception as error:  # one broken control must not hide the others; it counts as failed
            where = traceback.extract_tb(error.__traceback__)[-1]
            detail = "%s: %s (%s:%d)" % (type(error).__name__, error, where.name, where.lineno or 0)
            return dict(result, expected="", found="", result="error", detail=detail)
        applying = [finding for finding in findings if finding.passed is not None]
        passed = all(finding.passed for finding in applying)
        shown = applying or findings
        return dict(
            result,
            expected="; ".join(finding.expected for finding in shown),
            found="; ".join(finding.found for finding in shown),
            result="not-applicable" if not applying else "pass" if passed else "fail",
            detail="; ".join(finding.detail for finding in shown if finding.detail),
            effective=all(finding.effective for finding in shown),
        )

    def mend(self, system, results):
        """Mend what failed, in the order of the controls; note in the results what was mended or why not."""
        for (_, checks), result in zip(self.controls, results):
            if result["result"] not in ("fail", "error"):
                continue
            try:
                for check in checks:
                    if check.check(system).passed is False:
                        check.mend(system)
                result["mended"] = system.changes > 0  # by us, or by the mending of an earlier control
            except NotMendable as error:
                result["mended"] = False
                result["detail"] = str(error)
            except Exception as error:  # as above
                result["mended"] = False
                result["detail"] = "mending failed: %s: %s" % (type(error).__name__, error)
        system.finish()
