"""Checks of what sshd is really set to (sshd -T), and of who may come from where."""

from __future__ import annotations

import ipaddress
import os
import re

from .base import Finding, compare, kind, listed, wanted_text
from .system import NotMendable

CONFIG = "/etc/ssh/sshd_config"
DROP_IN = "/etc/ssh/sshd_config.d/00-govpool-baseline.conf"
_INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf"


def _configured(system, name=CONFIG):
    """Yield (key, value, inside a Match block) as written, following Include."""
    inside = False
    for line in system.lines(name):
        key, _, value = line.replace("=", " ", 1).partition(" ")
        key, value = key.lower(), value.strip().strip('"')
        if key == "include":
            for pattern in value.split():
                included = pattern if pattern.startswith("/") else "/etc/ssh/" + pattern
                for found in system.glob(included):
                    yield from ((k, v, i or inside) for k, v, i in _configured(system, found))
        elif key == "match":
            inside = True
        else:
            yield key, value, inside


def effective(system):
    """Return sshd's settings as key -> list of values: of `sshd -T`, or of the files (the first value counts)."""

    def find():
        settings = {}
        if system.live:
            status, output = system.run("sshd", "-T")
            if status != 0:
                raise NotMendable("sshd -T fails, so that nothing is known: %s" % output[-200:])
            for line in output.splitlines():
                key, _, value = line.partition(" ")
                settings.setdefault(key.lower(), []).append(value)
            return settings
        for key, value, inside in _configured(system):
            if not inside and (key not in settings or key == "allowusers"):
                settings.setdefault(key, []).append(value)
        return settings

    return system.once("sshd", find)


def set_option(system, key, value):
    """Set an option in our drop-in file, which sorts first: in sshd the first value counts."""
    if not any(re.match(r"include\s+/etc/ssh/sshd_config\.d/\*\.conf", li, re.I) for li in system.lines(CONFIG)):
        system.set_line(CONFIG, r"include\s+/etc/ssh/sshd_config\.d/\*\.conf", _INCLUDE, first=True)
    system.set_line(DROP_IN, r"%s\s" % re.escape(key), "%s %s" % (key, value), mode=0o600)
    status, output = system.run("sshd", "-t")
    if system.live and status != 0:
        system.set_line(DROP_IN, r"%s\s" % re.escape(key), "# refused by sshd: %s" % key, mode=0o600)
        raise NotMendable("sshd refuses %s %s: %s" % (key, value, output[-200:]))
    system.later("ssh")


@kind("sshd")
class Sshd:
    """One option of sshd, in force for everyone: a Match block that loosens it for some fails the control."""

    def __init__(self, key, value, op="==", write=None, program="sshd"):
        self.key, self.value, self.op, self.program = key, value, op, program
        self.write = write if write is not None else value

    def check(self, system):
        """Compare what is in force, and what Match blocks say."""
        expected = "%s %s" % (self.key, wanted_text(self.op, self.value))
        if not system.has_program(self.program):
            return Finding(None, expected, "sshd is not installed")
        found = (effective(system).get(self.key.lower()) or [None])[0]
        if found is None:
            return Finding(False, expected, "not set")
        loosened = [
            value
            for key, value, inside in _configured(system)
            if inside and key == self.key.lower() and not compare(value, self.op, self.value)
        ]
        shown = found + ("; in a Match block: " + listed(loosened) if loosened else "")
        return Finding(compare(found, self.op, self.value) and not loosened, expected, shown)

    def mend(self, system):
        """Set it in the drop-in file."""
        if self.key.lower() == "permitrootlogin" and login_user(system) == "root":
            raise NotMendable("this very login is root's: give the operator an account of its own first")
        value = ",".join(self.write) if isinstance(self.write, list) else self.write
        set_option(system, self.key, value)
        if not self.check(system).passed:
            raise NotMendable("%s is also set in a Match block of sshd_config: take it out there" % self.key)


def _login(system):
    """Return (client address, account) of the SSH login that this process came from, or (None, None)."""
    pid = os.getpid()
    while system.live and pid > 1:
        try:
            with open("/proc/%d/environ" % pid, "rb") as file:
                environment = dict(e.split(b"=", 1) for e in file.read().split(b"\0") if b"=" in e)
            with open("/proc/%d/stat" % pid) as file:
                parent = int(file.read().rpartition(") ")[2].split()[1])
        except OSError:
            return None, None
        if b"SSH_CONNECTION" in environment:
            return environment[b"SSH_CONNECTION"].split()[0].decode(), environment.get(b"USER", b"").decode()
        pid = parent
    return None, None


def login_user(system):
    """Return the account of the SSH login that this process came from."""
    return _login(system)[1]


@kind("admin_sources")
class AdminSources:
    """Logins are accepted from the given networks only (sshd's AllowUsers with addresses)."""

    def __init__(self, sources):
        self.sources = [str(ipaddress.ip_network(source, strict=False)) for source in sources]

    def check(self, system):
        """Every pattern of AllowUsers must end in one of the networks."""
        expected = "AllowUsers only from %s" % listed(self.sources)
        if not self.sources:
            return Finding(False, "networks of the administrators", "no network given: set the parameter admin_sources")
        if not system.has_program("sshd"):
            return Finding(None, expected, "sshd is not installed")
        patterns = [p for line in effective(system).get("allowusers", []) for p in line.split()]
        open_to_all = [p for p in patterns if not self._within(p.partition("@")[2])]
        if not patterns:
            return Finding(False, expected, "AllowUsers is not set: logins from everywhere")
        return Finding(not open_to_all, expected, listed(open_to_all or patterns))

    def _within(self, source):
        try:
            network = ipaddress.ip_network(source)
        except ValueError:
            return False
        return any(
            network.version == wanted.version and network.subnet_of(wanted)
            for wanted in map(ipaddress.ip_network, self.sources)
        )

    def mend(self, system):
        """Limit logins, unless that would lock out the login that does it."""
        if not self.sources:
            raise NotMendable("set the parameter admin_sources to the networks that administrators come from")
        client = _login(system)[0]
        if client and not self._within(client):
            raise NotMendable("the operator itself comes from %s: add it to admin_sources" % client)
        ours = {p for line in system.lines(DROP_IN) if line.startswith("AllowUsers ") for p in line.split()[1:]}
        theirs = [p for li in effective(system).get("allowusers", []) for p in li.split() if p not in ours]
        if theirs:  # the lines of AllowUsers add up: ours would let in everyone whom theirs keeps out
            raise NotMendable("AllowUsers is set already (%s): give each a network of admin_sources" % listed(theirs))
        set_option(system, "AllowUsers", " ".join("*@" + source for source in self.sources))
