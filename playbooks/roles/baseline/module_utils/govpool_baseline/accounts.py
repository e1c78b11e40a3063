"""Checks of accounts: who there is, who may log in, and with what."""

from __future__ import annotations

import re
import stat
from collections import Counter

from .base import Finding, kind, listed
from .system import NotMendable, permission

_NO_LOGIN = ("/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false", "/bin/sync")
_FIRST_PERSON, _LAST_PERSON = 1000, 60000


def _locked(field):
    return field.startswith(("!", "*"))


@kind("accounts_unique")
class Unique:
    """No two accounts or groups share a name or a number, and every account has its group."""

    def check(self, system):
        """Count names and numbers."""
        accounts = system.passwd()
        groups = [line.split(":") for line in system.lines("/etc/group")]
        counts = {
            "account": Counter(a[0] for a in accounts),
            "uid": Counter(a[1] for a in accounts),
            "group": Counter(g[0] for g in groups),
            "gid": Counter(g[2] for g in groups if len(g) > 2),
        }
        twice = ["%s %s" % (what, name) for what, count in counts.items() for name, n in count.items() if n > 1]
        known = {g[2] for g in groups if len(g) > 2}
        twice += ["account %s without its group %d" % (a[0], a[2]) for a in accounts if str(a[2]) not in known]
        found = listed(twice) if twice else "%d accounts" % len(accounts)
        return Finding(bool(accounts) and not twice, "unique names and numbers", found)

    def mend(self, system):
        """Which of two is right only a person knows."""
        raise NotMendable("decide by hand which of the accounts keeps the name or number")


@kind("accounts_password")
class Passwords:
    """Every account has a password or is locked; none is empty."""

    def _empty(self, system):
        shadow = system.shadow()
        fields = {line.split(":")[0]: line.split(":")[1] for line in system.lines("/etc/passwd") if ":" in line}
        return sorted(
            [name for name, row in shadow.items() if not row[0]]
            + [name for name, field in fields.items() if field == "" or (field == "x" and name not in shadow)]
        )

    def check(self, system):
        """Look for empty password fields."""
        if not system.exists("/etc/shadow"):
            return Finding(False, "no empty password", "there is no /etc/shadow")
        empty = self._empty(system)
        return Finding(not empty, "no empty password", listed(empty))

    def mend(self, system):
        """Lock them."""
        for file in ("/etc/shadow", "/etc/passwd"):
            rows = []
            for line in (system.read(file) or "").splitlines():
                fields = line.split(":")
                if len(fields) > 1 and fields[1] == "":
                    fields[1] = "!"
                rows.append(":".join(fields))
            if "\n".join(rows) + "\n" != system.read(file):
                system.write(file, "\n".join(rows) + "\n")


@kind("accounts_uid0")
class OnlyRoot:
    """Only root has the number 0."""

    def check(self, system):
        """Look for others."""
        zero = [a[0] for a in system.passwd() if a[1] == 0]
        return Finding(zero == ["root"], "only root", listed(zero))

    def mend(self, system):
        """Whose account it is only a person knows."""
        raise NotMendable("give the other accounts of uid 0 a number of their own, or remove them")


@kind("accounts_system")
class SystemAccounts:
    """Accounts of the system can't log in: no shell, no password."""

    def __init__(self, allow=()):
        self.allow = allow

    def _wrong(self, system):
        shadow = system.shadow()
        for name, uid, _, _, shell in system.passwd():
            if 0 < uid < _FIRST_PERSON or uid > _LAST_PERSON:
                field = shadow.get(name, ["*"])[0]
                if name not in self.allow and (shell not in _NO_LOGIN or not _locked(field)):
                    yield name, shell

    def check(self, system):
        """Look at shells and passwords."""
        wrong = ["%s (%s)" % pair for pair in self._wrong(system)]
        return Finding(not wrong, "no login shell, password locked", listed(wrong))

    def mend(self, system):
        """Lock them and take their shell."""
        for name, _ in list(self._wrong(system)):
            system.do("usermod", "--lock", "--shell", "/usr/sbin/nologin", name)


@kind("accounts_locked")
class Locked:
    """Default accounts have no password to log in with."""

    def __init__(self, names):
        self.names = names

    def _open(self, system):
        shadow = system.shadow()
        return [name for name in self.names if name in shadow and not _locked(shadow[name][0])]

    def check(self, system):
        """Look at their password fields."""
        unlocked = self._open(system)
        return Finding(not unlocked, "password of %s locked" % listed(self.names), listed(unlocked))

    def mend(self, system):
        """Lock them."""
        for name in self._open(system):
            system.do("passwd", "--lock", name)


@kind("accounts_ageing")
class Ageing:
    """Accounts with a password must change it in time."""

    def __init__(self, days):
        self.days = int(days)

    def _wrong(self, system):
        for name, row in system.shadow().items():
            if row[0] and not _locked(row[0]) and not (row[3].isdigit() and 0 < int(row[3]) <= self.days):
                yield name, row[3] or "never"

    def check(self, system):
        """Look at /etc/shadow."""
        wrong = ["%s (%s)" % pair for pair in self._wrong(system)]
        with_password = sum(1 for row in system.shadow().values() if row[0] and not _locked(row[0]))
        found = listed(wrong) if wrong else "%d accounts have a password" % with_password
        return Finding(not wrong, "changed within %d days" % self.days, found)

    def mend(self, system):
        """Set the limit."""
        for name, _ in list(self._wrong(system)):
            system.do("chage", "--maxdays", str(self.days), name)


@kind("accounts_home")
class Homes:
    """A person's home directory belongs to the person and is closed to others."""

    def __init__(self, max):  # noqa: A002
        self.max = int(max, 8)

    def _wrong(self, system):
        for name, uid, _, home, _ in system.passwd():
            if _FIRST_PERSON <= uid <= _LAST_PERSON and system.exists(home):
                status = system.lstat(home)
                foreign = system.live and status.st_uid != uid
                if stat.S_IMODE(status.st_mode) & ~self.max or foreign:
                    yield name, home, status, uid

    def check(self, system):
        """Look at every home directory."""
        wrong = ["%s %s" % (home, permission(status)) for _, home, status, _ in self._wrong(system)]
        return Finding(not wrong, "%04o or stricter, of its owner" % self.max, listed(wrong))

    def mend(self, system):
        """Close them."""
        for _, home, status, uid in list(self._wrong(system)):
            if system.live and status.st_uid != uid:
                system.chown(home, uid, -1)
            system.chmod(home, stat.S_IMODE(status.st_mode) & self.max)


@kind("sudo_nopasswd")
class SudoWithoutPassword:
    """Only the named accounts may use sudo without a password; no group may, nor everyone."""

    def __init__(self, users):
        self.users = users

    def check(self, system):
        """Look for NOPASSWD and !authenticate."""
        expected = "NOPASSWD only for %s" % listed(self.users)
        if not system.has_program("sudo"):
            return Finding(None, expected, "sudo is not installed")
        bad = []
        for name in system.globs(["/etc/sudoers", "/etc/sudoers.d/*"]):
            for line in system.lines(name):
                loose = re.search(r"\bNOPASSWD\s*:", line) and line.split()[0] not in self.users
                if loose or re.search(r"!authenticate\b", line):
                    bad.append("%s: %s" % (name, line[:80]))
        return Finding(not bad, expected, listed(bad, 3))

    def mend(self, system):
        """Taking away a right that somebody gave is not ours to do."""
        raise NotMendable("remove the rule, or name the account in the parameter sudo_nopasswd_users")
