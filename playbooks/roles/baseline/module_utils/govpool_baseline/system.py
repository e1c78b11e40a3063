"""The machine as the controls see it: files below a root, programs, processes. Standard library only.

With a root other than ``/`` (a tree of files: tests, images not yet booted) nothing is run and only files are judged.
"""

from __future__ import annotations

import contextlib
import glob
import grp
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile

_TIMEOUT = 60


class NotMendable(Exception):
    """The baseline can't put this right by itself; the text says who must do what."""


class ReadOnly(Exception):
    """Something was about to be changed during an audit: an error in the module."""


class System:
    """Files and programs of one machine."""

    def __init__(self, root="/", read_only=True):
        self.root = os.path.abspath(root)
        self.live = self.root == "/"
        self.read_only = read_only
        self.cache = {}
        """What was found out once for all controls (the sshd settings, the walk); emptied by every change."""
        self.changes = 0
        self.pending = set()
        """Services to reload after mending."""

    # -- reading

    def path(self, name):
        """Place an absolute name below the root."""
        return name if self.live else os.path.join(self.root, name.lstrip("/"))

    def name(self, path):
        """Undo :meth:`path`."""
        return path if self.live else "/" + os.path.relpath(path, self.root)

    def read(self, name):
        """Return a file's text, or None if there is none."""
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def lines(self, name):
        """Return a file's lines that are neither empty nor comments."""
        text = self.read(name) or ""
        return [line.strip() for line in text.splitlines() if line.strip() and line.strip()[0] not in "#;"]

    def glob(self, pattern):
        """Return the existing names that a shell pattern matches, sorted by base name (as .d folders are read)."""
        found = glob.glob(self.path(pattern))
        return [self.name(path) for path in sorted(found, key=lambda path: (os.path.basename(path), path))]

    def globs(self, patterns):
        """Return what any of the patterns matches, pattern by pattern."""
        return [name for pattern in patterns for name in self.glob(pattern)]

    def lstat(self, name):
        """Return the status of a name itself."""
        return os.lstat(self.path(name))

    def exists(self, name):
        """Tell whether a name exists."""
        return os.path.lexists(self.path(name))

    def passwd(self):
        """Return the accounts of /etc/passwd as (name, uid, gid, home, shell)."""
        rows = [line.split(":") for line in self.lines("/etc/passwd")]
        return [(r[0], int(r[2]), int(r[3]), r[5], r[6]) for r in rows if len(r) == 7 and r[2].isdigit()]

    def shadow(self):
        """Return /etc/shadow as name -> the other fields."""
        return {r[0]: r[1:] for r in (line.split(":") for line in self.lines("/etc/shadow")) if len(r) == 9}

    def uid(self, name):
        """Return the uid of an owner; in a tree of files root's files belong to whoever made the tree."""
        return pwd.getpwnam(name).pw_uid if self.live else os.lstat(self.root).st_uid

    def group_name(self, gid):
        """Return the name of a group of the machine."""
        if not self.live:
            return "root" if gid == os.lstat(self.root).st_gid else str(gid)
        try:
            return grp.getgrgid(gid).gr_name
        except KeyError:
            return str(gid)

    def run(self, *command):
        """Run a program of the machine and return (exit status, output and errors); 127 if there is none."""
        if not self.live:
            return 127, "not a running system"
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"PATH": path, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                timeout=_TIMEOUT,
                check=False,
            )
        except FileNotFoundError:
            return 127, "%s: not installed" % command[0]
        except subprocess.TimeoutExpired:
            return 124, "%s: no answer within %d s" % (command[0], _TIMEOUT)
        return done.returncode, done.stdout.decode("utf-8", "replace").strip()

    def has_program(self, name):
        """Tell whether a program is installed."""
        return any(self.exists(folder + name) for folder in ("/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"))

    def container(self):
        """Return what kind of container this is ("systemd-nspawn"), or an empty string for a machine of its own."""
        return (self.read("/run/systemd/container") or "").strip() if self.live else ""

    def once(self, key, find):
        """Return what was found under the key, finding it the first time."""
        if key not in self.cache:
            self.cache[key] = find()
        return self.cache[key]

    # -- changing

    def changing(self, what):
        """Announce a change: refuse it in an audit, and forget what was found before."""
        if self.read_only:
            raise ReadOnly("%s would have been changed during an audit" % what)
        self.cache.clear()
        self.changes += 1

    def write(self, name, text, mode=0o644, validate=None):
        """Replace a file at once, keeping owner and mode of one that exists; ``validate`` is a command on the draft."""
        self.changing(name)
        path = os.path.realpath(self.path(name)) if self.live else self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=".govpool-", dir=os.path.dirname(path))
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(draft, mode)
            if os.path.exists(path):
                shutil.copystat(path, draft)
                os.utime(draft)
                before = os.stat(path)
                os.chown(draft, before.st_uid, before.st_gid)
            if validate and self.live:
                status, output = self.run(*validate, draft)
                if status != 0:
                    raise NotMendable("%s refuses the new %s: %s" % (validate[0], name, output[-200:]))
            os.replace(draft, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(draft)
            raise

    def set_line(self, name, pattern, line, header=None, first=False, validate=None, mode=0o644):
        """Put the line where the pattern matches (all other matches go), else at the end, or first."""
        old = (self.read(name) or "").splitlines()
        kept, placed = [], False
        for present in old:
            if re.match(pattern, present, re.IGNORECASE):
                if not placed:
                    kept.append(line)
                placed = True
            else:
                kept.append(present)
        if header and header not in kept:
            kept.append(header)
        if not placed:
            kept.insert(0 if first else len(kept), line)
        self.write(name, "\n".join(kept) + "\n", validate=validate, mode=mode)

    def chmod(self, name, mode):
        """Set the permission bits."""
        self.changing(name)
        os.chmod(self.path(name), mode)

    def chown(self, name, uid, gid):
        """Set owner and group; -1 keeps one."""
        self.changing(name)
        os.chown(self.path(name), uid, gid)

    def do(self, *command):
        """Run a program that changes something; raise NotMendable if it fails."""
        self.changing(command[0])
        status, output = self.run(*command)
        if status != 0:
            raise NotMendable("%s failed (%d): %s" % (" ".join(command), status, output[-300:]))

    def later(self, what):
        """Ask for a reload once all is mended."""
        self.pending.add(what)

    def finish(self):
        """Reload what was changed. Raises NotMendable if a service refuses its new configuration."""
        if not self.live:
            return
        if "ssh" in self.pending:
            self.do("sshd", "-t")
            self.do("systemctl", "reload", "ssh.service")
        if "journald" in self.pending:
            self.do("systemctl", "restart", "systemd-journald.service")
        self.pending.clear()


def permission(status):
    """Return the permission bits as four octal digits."""
    return "%04o" % stat.S_IMODE(status.st_mode)
