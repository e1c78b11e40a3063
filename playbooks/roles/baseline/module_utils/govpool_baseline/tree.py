"""Checks that walk the machine's files once: writable by all, without owner, set-user-id; and of program files."""

from __future__ import annotations

import hashlib
import os
import stat

from .base import Finding, kind, listed
from .system import NotMendable

_TOPS = ("/etc", "/home", "/opt", "/root", "/srv", "/tmp", "/usr", "/var")


def _walk(system):
    """Return the finds of one walk over the root file system, other file systems left aside."""

    def find():
        finds = {"world_writable": [], "not_sticky": [], "unowned": [], "set_id": []}
        uids = {account[1] for account in system.passwd()}
        gids = {int(g[2]) for g in (li.split(":") for li in system.lines("/etc/group")) if len(g) > 2 and g[2].isdigit()}
        device = os.lstat(system.path("/")).st_dev
        pending = [system.path(top) for top in _TOPS if os.path.isdir(system.path(top))]
        while pending:
            try:
                entries = list(os.scandir(pending.pop()))
            except (FileNotFoundError, PermissionError):
                continue
            for entry in entries:
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                mode = status.st_mode
                if stat.S_ISLNK(mode):
                    continue
                if stat.S_ISDIR(mode):
                    # only directories tell the file system: on an overlay, files show their layer's number
                    if status.st_dev != device:
                        continue
                    pending.append(entry.path)
                    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
                        finds["not_sticky"].append(system.name(entry.path))
                elif stat.S_ISREG(mode):
                    if mode & stat.S_IWOTH:
                        finds["world_writable"].append(system.name(entry.path))
                    if mode & (stat.S_ISUID | stat.S_ISGID):
                        finds["set_id"].append(system.name(entry.path))
                if system.live and (status.st_uid not in uids or status.st_gid not in gids):
                    finds["unowned"].append(system.name(entry.path))
        return {what: sorted(names) for what, names in finds.items()}

    return system.once("walk", find)


@kind("tree")
class Tree:
    """Nothing in the machine's own file system is of this sort, but for what is allowed."""

    _EXPECTED = {
        "world_writable": "no file that everyone may write",
        "not_sticky": "no directory for all without the sticky bit",
        "unowned": "no file without owner or group",
        "set_id": "set-user-id and set-group-id only on known programs",
    }

    def __init__(self, what, allow=()):
        self.what, self.allow = what, set(allow)

    def _found(self, system):
        return [name for name in _walk(system)[self.what] if not self._allowed(name)]

    def _allowed(self, name):
        """A known program counts as such only where packages put programs."""
        return os.path.basename(name) in self.allow and name.startswith("/usr/")

    def check(self, system):
        """Walk, once for all controls."""
        found = self._found(system)
        return Finding(not found, self._EXPECTED[self.what], listed(found))

    def mend(self, system):
        """Take the bit away, or set the sticky one."""
        if self.what == "unowned":
            raise NotMendable("give the files to an account of the machine, or remove them")
        for name in list(self._found(system)):
            mode = stat.S_IMODE(system.lstat(name).st_mode)
            bits = {"world_writable": mode & ~stat.S_IWOTH, "not_sticky": mode | stat.S_ISVTX}
            system.chmod(name, bits.get(self.what, mode & ~(stat.S_ISUID | stat.S_ISGID)))


@kind("package_checksums")
class Checksums:
    """The programs and libraries of these packages are what the packages brought (dpkg's checksums)."""

    def __init__(self, packages):
        self.packages = packages

    def check(self, system):
        """Compare every program file of theirs."""
        checked, wrong = 0, []
        for package in self.packages:
            for table in system.globs(["/var/lib/dpkg/info/%s.md5sums" % package, "/var/lib/dpkg/info/%s:*.md5sums" % package]):
                for line in (system.read(table) or "").splitlines():
                    digest, _, name = line.partition("  ")
                    if name.startswith(("usr/bin/", "usr/sbin/", "bin/", "sbin/", "lib/", "usr/lib/")):
                        checked += 1
                        wrong += [] if self._matches(system, "/" + name, digest) else ["/" + name]
        expected = "as packaged: %s" % listed(self.packages, 20)
        if not checked:
            return Finding(False, expected, "no checksum of these packages is known")
        return Finding(not wrong, expected, listed(wrong) if wrong else "%d files as packaged" % checked)

    @staticmethod
    def _matches(system, name, digest):
        try:
            with open(system.path(name), "rb") as file:
                return hashlib.md5(file.read(), usedforsecurity=False).hexdigest() == digest
        except FileNotFoundError:
            return False

    def mend(self, system):
        """A changed program is a matter for people."""
        raise NotMendable("a program differs from its package: find out why, then open the machine anew")
