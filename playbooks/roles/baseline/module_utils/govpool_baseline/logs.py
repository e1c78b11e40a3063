"""Checks of audit rules, of the stack of PAM modules, and of how long logs are kept."""

from __future__ import annotations

import re

from .base import Finding, kind, listed
from .system import NotMendable

_PERIOD_DAYS = {"daily": 1, "weekly": 7, "monthly": 30, "yearly": 365}


@kind("audit_rules")
class AuditRules:
    """Rules of the Linux audit system, for the next start and in the kernel where it is ours."""

    FILE = "/etc/audit/rules.d/50-govpool-baseline.rules"
    LAST = "/etc/audit/rules.d/99-govpool-finalize.rules"

    def __init__(self, rules):
        self.rules = rules

    @staticmethod
    def _plain(rule):
        return " ".join(rule.split())

    def check(self, system):
        """Look for each in rules.d, and ask the kernel if it answers."""
        expected = "%d rules: %s" % (len(self.rules), listed([r.split(" -k ")[0] for r in self.rules], 3))
        if not system.has_program("auditctl"):
            return Finding(False, expected, "auditd is not installed")
        written = {self._plain(line) for name in system.glob("/etc/audit/rules.d/*.rules") for line in system.lines(name)}
        missing = [rule for rule in self.rules if self._plain(rule) not in written]
        if missing:
            return Finding(False, expected, "missing: " + listed(missing, 3))
        if system.container() or not system.live:
            detail = "configured; the kernel's audit system belongs to the host of this container"
            return Finding(True, expected, "all in rules.d", detail, effective=False)
        status, output = system.once("auditctl", lambda: system.run("auditctl", "-l"))
        if status != 0 or "No rules" in output:
            return Finding(False, expected, "in rules.d, but not loaded: %s" % output[-100:])
        return Finding(True, expected, "all in rules.d, %d loaded" % len(output.splitlines()))

    def mend(self, system):
        """Write them, and load them where the kernel is ours. ``-e 2`` goes into a file that is read last."""
        if not system.has_program("auditctl"):
            raise NotMendable("install auditd in the machine's image")
        for file, rules in ((self.LAST, [r for r in self.rules if r == "-e 2"]), (self.FILE, self.rules)):
            old = (system.read(file) or "").splitlines()
            new = old + [r for r in rules if (r != "-e 2" or file == self.LAST) and r not in old]
            if new != old:
                system.write(file, "\n".join(new) + "\n", mode=0o640)
        if system.live and not system.container():
            system.do("augenrules", "--load")


@kind("pam")
class Pam:
    """A module stands in a stack of PAM; brought there by a profile of pam-auth-update(8)."""

    def __init__(self, stacks, module, profiles, args=(), requires=None):
        self.stacks, self.module, self.profiles, self.args, self.requires = stacks, module, profiles, args, requires

    def check(self, system):
        """Look through the stacks."""
        expected = "%s in %s" % (" ".join([self.module, *self.args]), listed(sorted(self.stacks)))
        missing = []
        for stack, count in sorted(self.stacks.items()):
            lines = [line for line in system.lines("/etc/pam.d/" + stack) if re.search(r"\s%s\b" % re.escape(self.module), line)]
            if len(lines) < count or not all(any(self._has(line, arg) for line in lines) for arg in self.args):
                missing.append("%s: %s" % (stack, "; ".join(" ".join(line.split()) for line in lines) or "not there"))
        return Finding(not missing, expected, listed(missing) if missing else "there")

    @staticmethod
    def _has(line, arg):
        """Tell whether a line has an argument; a number asked for is the least."""
        key, separator, wanted = arg.partition("=")
        for word in line.split():
            found_key, found_separator, found = word.partition("=")
            if found_key == key and found_separator == separator:
                if found == wanted or (found.isdigit() and wanted.isdigit() and int(found) >= int(wanted)):
                    return True
        return False

    def mend(self, system):
        """Write the profiles and let pam-auth-update put them into the stacks."""
        if self.requires and not system.glob("/usr/lib/*/security/" + self.requires) + system.glob("/lib/*/security/" + self.requires):
            raise NotMendable("%s is missing: install its package in the machine's image" % self.requires)
        for name, text in sorted(self.profiles.items()):
            system.write("/usr/share/pam-configs/" + name, text)
        system.do("pam-auth-update", "--package", "--enable", *sorted(self.profiles))


@kind("logrotate")
class Logrotate:
    """Rotated logs are kept long enough: period times count, for every file that logrotate rotates."""

    def __init__(self, days):
        self.days = int(days)

    @staticmethod
    def _sections(text):
        """Yield (heading, lines) of a configuration: the global part first, with an empty heading."""
        outside, inside, heading = [], [], None
        sections = []
        for raw in text.splitlines():
            line = raw.split("#")[0].strip()
            if heading is None and line.endswith("{"):
                heading, inside = line[:-1].strip() or (outside.pop() if outside else "?"), []
            elif heading is not None and line == "}":
                sections.append((heading, inside))
                heading = None
            elif line:
                (outside if heading is None else inside).append(line)
        return [("", outside), *sections]

    def _kept(self, lines, default):
        period, count = default
        for line in lines:
            words = line.split()
            if words[0] in _PERIOD_DAYS:
                period = _PERIOD_DAYS[words[0]]
            elif words[0] == "rotate" and len(words) > 1:
                count = int(words[1])
        return period, count

    @staticmethod
    def _enough(period, count, days):
        return count < 0 or period * count >= days  # -1 keeps for ever

    def _short(self, system):
        """Yield (file, heading, period) of every section that keeps less."""
        default = (7, 0)
        for name in ["/etc/logrotate.conf", *system.glob("/etc/logrotate.d/*")]:
            for heading, lines in self._sections(system.read(name) or ""):
                period, count = self._kept(lines, default)
                if not heading and name == "/etc/logrotate.conf":
                    default = (period, count)
                if (heading or name == "/etc/logrotate.conf") and not self._enough(period, count, self.days):
                    yield name, heading, period, count

    def check(self, system):
        """Work it out for every section."""
        expected = "kept for %d days" % self.days
        if not system.exists("/etc/logrotate.conf"):
            return Finding(None, expected, "logrotate is not installed")
        short = ["%s%s: %d days" % (n, " " + h if h else "", p * c) for n, h, p, c in self._short(system)]
        return Finding(not short, expected, listed(short) if short else "all")

    def mend(self, system):
        """Raise the counts where they stand, or where the section begins."""
        for _ in range(200):  # each turn mends one section; the global one may mend others
            wrong = next(iter(self._short(system)), None)
            if wrong is None:
                return
            self._raise(system, *wrong[:3])
        raise NotMendable("logrotate's configuration can't be understood: look at it by hand")

    def _raise(self, system, name, heading, period):
        count = -(-self.days // period)
        new, current, written = [], "", False
        for line in (system.read(name) or "").splitlines():
            bare = line.split("#")[0].strip()
            if bare.endswith("{"):
                current = bare[:-1].strip() or (new[-1].strip() if new else "?")
            if current == heading and re.match(r"rotate\s", bare):
                line = re.sub(r"rotate\s+-?\d+", "rotate %d" % count, line)
                written = True
            if bare == "}":
                if current == heading and not written:
                    new.append("    rotate %d" % count)
                    written = True
                current = ""
            new.append(line)
        if not written and not heading:
            new.insert(0, "rotate %d" % count)
        system.write(name, "\n".join(new) + "\n")
