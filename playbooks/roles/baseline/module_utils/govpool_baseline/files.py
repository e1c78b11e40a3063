"""Checks of configuration files and of permissions."""

from __future__ import annotations

import os
import re
import stat

from .base import Finding, compare, kind, listed, wanted_text
from .system import permission


_SEPARATORS = {"equals": (r"\s*=\s*", " = "), "assign": (r"\s*=\s*", "="), "space": (r"\s+", " ")}


@kind("setting")
class Setting:
    """A key with a value in a configuration file and its drop-in files; the last one counts.

    ``style`` is how the file writes it: ``equals`` (a = b), ``assign`` (a=b), ``space`` (a b), ``flag`` (a).
    ``default`` is what counts where nothing is set; ``write_value`` what mending writes, if not ``value``.
    """

    def __init__(
        self, file, key, value="", op="==", style="equals", more=(), write=None, section=None, default=None, write_value=None
    ):
        self.key, self.value, self.op, self.style = key, value, op, style
        self.files, self.write = [file, *more], write or file
        self.section, self.default = section, default
        self.write_value = value if write_value is None else write_value
        if style == "flag":
            self.pattern = r"\s*(%s)\s*$" % re.escape(key)
        else:
            self.pattern = r"\s*%s%s(.*?)\s*$" % (re.escape(key), _SEPARATORS[style][0])

    def check(self, system):
        """Find the value in force."""
        found = self.default
        for name in system.globs(self.files):
            for line in system.lines(name):
                match = re.match(self.pattern, line, re.IGNORECASE)
                if match:
                    found = match.group(1)
        shown = "not set" if found is None else found
        if self.style == "flag":
            return Finding(found is not None, self.key, shown)
        return Finding(compare(found, self.op, self.value), "%s %s" % (self.key, wanted_text(self.op, self.value)), shown)

    def mend(self, system):
        """Write it where the baseline writes, and take contradictions out of the drop-ins that come later."""
        line = self.key
        if self.style != "flag":
            line += ("=" if self.section else _SEPARATORS[self.style][1]) + str(self.write_value)
        system.set_line(self.write, self.pattern, line, header=self.section)
        files = system.globs(self.files)
        for name in files[files.index(self.write) + 1 :]:
            comment_out(system, name, self.pattern)
        if self.section == "[Journal]":
            system.later("journald")


@kind("shell_variable")
class ShellVariable:
    """What login shells set, ``umask`` or a variable; the last file counts."""

    FILES = ("/etc/profile", "/etc/profile.d/*.sh")

    def __init__(self, file, key, value, op, readonly=False):
        self.file, self.key, self.value, self.op, self.readonly = file, key, value, op, readonly

    def _pattern(self):
        if self.key == "umask":
            return r"umask\s+(\d+)"
        return r"(?:(?:readonly|export|declare|typeset)\s+(?:-\w+\s+)*)?%s=(\S+?);?$" % re.escape(self.key)

    def check(self, system):
        """Read the files that login shells read."""
        found = None
        for name in system.globs(self.FILES):
            for line in system.lines(name):
                match = re.match(self._pattern(), line)
                if match:
                    found = match.group(1)
        expected = "%s %s" % (self.key, wanted_text(self.op, self.value))
        return Finding(compare(found, self.op, self.value), expected, "not set" if found is None else found)

    def mend(self, system):
        """Write it into the file that sorts last."""
        value = self.value[0] if isinstance(self.value, list) else self.value
        line = "umask %s" % value if self.key == "umask" else "%s=%s" % (self.key, value)
        system.set_line(self.file, self._pattern(), line)
        if self.readonly:
            system.set_line(self.file, r"readonly %s$" % self.key, "readonly %s" % self.key)
            system.set_line(self.file, r"export %s$" % self.key, "export %s" % self.key)


def comment_out(system, name, pattern):
    """Turn the matching lines of a file into comments."""
    text = system.read(name) or ""
    kept = ["# off by the baseline: " + n if re.match(pattern, n, re.IGNORECASE) else n for n in text.splitlines()]
    if kept != text.splitlines():
        system.write(name, "\n".join(kept) + "\n")


@kind("line")
class Line:
    """A line that must stand in one of the files (a pattern), and the line to write if it does not."""

    def __init__(self, files, pattern, expected, line, write, validate=None, program=None, first=False, mode="0644"):
        self.files, self.pattern, self.expected = files, pattern, expected
        self.line, self.write, self.validate, self.program = line, write, validate, program
        self.first, self.mode = first, int(mode, 8)

    def check(self, system):
        """Look for it."""
        if self.program and not system.has_program(self.program):
            return Finding(None, self.expected, "%s is not installed" % self.program)
        for name in system.globs(self.files):
            for line in system.lines(name):
                if re.search(self.pattern, line):
                    return Finding(True, self.expected, "%s (%s)" % (line[:120], name))
        return Finding(False, self.expected, "no such line in %s" % listed(self.files))

    def mend(self, system):
        """Write it, once."""
        if self.check(system).passed:
            return
        old = (system.read(self.write) or "").splitlines()
        new = [self.line, *old] if self.first else [*old, self.line]
        system.write(self.write, "\n".join(new) + "\n", validate=self.validate, mode=self.mode)


@kind("forbidden_line")
class ForbiddenLine:
    """A line that may stand in none of the files."""

    def __init__(self, files, pattern, expected, allow=None, validate=None, program=None):
        self.files, self.pattern, self.expected = files, pattern, expected
        self.allow, self.validate, self.program = allow, validate, program

    def _bad(self, system, name):
        return [
            line
            for line in system.lines(name)
            if re.search(self.pattern, line) and not any(re.search(allowed, line) for allowed in self.allow or ())
        ]

    def check(self, system):
        """Look for it everywhere."""
        if self.program and not system.has_program(self.program):
            return Finding(None, self.expected, "%s is not installed" % self.program)
        bad = ["%s: %s" % (n, line[:100]) for n in system.globs(self.files) for line in self._bad(system, n)]
        return Finding(not bad, self.expected, listed(bad, 3))

    def mend(self, system):
        """Turn the lines into comments."""
        for name in system.globs(self.files):
            bad = self._bad(system, name)
            if bad:
                text = (system.read(name) or "").splitlines()
                kept = ["# off by the baseline: " + line if line.strip() in bad else line for line in text]
                system.write(name, "\n".join(kept) + "\n", validate=self.validate)


@kind("mode")
class Mode:
    """Permissions, owner and group of files: no bit beyond ``max``."""

    def __init__(self, paths, max, owner="root", groups=("root",), required=()):  # noqa: A002
        self.paths, self.max, self.owner, self.groups, self.required = paths, int(max, 8), owner, groups, required

    def _wrong(self, system):
        for name in system.globs(self.paths):
            status = system.lstat(name)
            if stat.S_ISLNK(status.st_mode):
                continue
            group = system.group_name(status.st_gid)
            extra = stat.S_IMODE(status.st_mode) & ~self.max
            if extra or status.st_uid != system.uid(self.owner) or group not in self.groups:
                yield name, status, group

    def check(self, system):
        """Compare every file."""
        expected = "%04o or stricter, %s:%s" % (self.max, self.owner, "|".join(self.groups))
        missing = [name for name in self.required if not system.exists(name)]
        if missing:
            return Finding(False, expected, "missing: %s" % listed(missing))
        if not system.globs(self.paths):
            return Finding(None, expected, "none of these files exists")
        wrong = ["%s %s uid %d:%s" % (n, permission(s), s.st_uid, g) for n, s, g in self._wrong(system)]
        return Finding(not wrong, expected, listed(wrong) if wrong else "%d checked" % len(system.globs(self.paths)))

    def mend(self, system):
        """Take the bits away and give the files to their owner; make a missing file (empty)."""
        for name in self.required:
            if not system.exists(name):
                system.write(name, "", mode=self.max)
        for name, status, group in list(self._wrong(system)):
            wrong_group = group not in self.groups
            system.chown(name, system.uid(self.owner), 0 if wrong_group and system.live else -1)
            system.chmod(name, stat.S_IMODE(status.st_mode) & self.max)


@kind("absent")
class Absent:
    """Files that must not exist."""

    def __init__(self, paths, expected):
        self.paths, self.expected = paths, expected

    def check(self, system):
        """Look for them."""
        found = system.globs(self.paths)
        return Finding(not found, self.expected, listed(found))

    def mend(self, system):
        """Set them aside, readable by root only: what somebody wrote is not destroyed."""
        for name in system.globs(self.paths):
            system.changing(name)
            os.replace(system.path(name), system.path(name + ".off-by-baseline"))
            os.chmod(system.path(name + ".off-by-baseline"), 0)
