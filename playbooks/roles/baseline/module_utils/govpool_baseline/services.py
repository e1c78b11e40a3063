"""Checks of packages, services and ports."""

from __future__ import annotations

import fnmatch
import ipaddress

from .base import Finding, kind, listed
from .system import NotMendable


def installed(system):
    """Return the names of the installed packages, from dpkg's own status file."""

    def find():
        names = set()
        for block in (system.read("/var/lib/dpkg/status") or "").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != " ")
            if fields.get("Status", "").endswith(" installed"):
                names.add(fields["Package"])
        return names

    return system.once("packages", find)


@kind("packages_absent")
class PackagesAbsent:
    """Packages that must not be installed (shell patterns)."""

    def __init__(self, names):
        self.names = names

    def _found(self, system):
        return sorted(p for p in installed(system) if any(fnmatch.fnmatchcase(p, name) for name in self.names))

    def check(self, system):
        """Look through dpkg's list."""
        if not installed(system):
            return Finding(False, "none of %s" % listed(self.names, 30), "dpkg knows no package: can't tell")
        found = self._found(system)
        return Finding(not found, "none of %s" % listed(self.names, 30), listed(found))

    def mend(self, system):
        """Purge them."""
        system.do("apt-get", "purge", "--yes", "--quiet", *self._found(system))


def _units(system, names):
    """Return the state of units as name -> fields; only of those that exist."""
    fields = "Id,LoadState,ActiveState,UnitFileState,ConditionResult"
    status, output = system.run("systemctl", "show", "--property=" + fields, *names)
    if status != 0:
        raise NotMendable("systemctl show fails, so that nothing is known: %s" % output[-200:])
    states = {}
    for name, block in zip(names, output.split("\n\n")):
        state = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if state.get("LoadState") not in ("not-found", None):
            states[name] = state
    return states


@kind("service")
class Service:
    """One of these services is enabled and runs. ``own_kernel``: it can only run where the kernel is the machine's."""

    def __init__(self, any_of, own_kernel=False):
        self.any_of, self.own_kernel = any_of, own_kernel

    def check(self, system):
        """Ask systemd; in a tree of files, look for the link that enables it."""
        expected = "enabled and running: %s" % " or ".join(self.any_of)
        if not system.live:
            enabled = [u for u in self.any_of if system.glob("/etc/systemd/system/*.wants/" + u)]
            return Finding(bool(enabled), expected, listed(enabled), "not running", effective=False)
        units = _units(system, self.any_of)
        if not units:
            return Finding(False, expected, "not installed")
        enabled = [u for u, s in units.items() if s["UnitFileState"] in ("enabled", "static", "enabled-runtime", "alias")]
        running = [u for u in enabled if units[u]["ActiveState"] == "active"]
        found = "; ".join("%s %s, %s" % (u, s["UnitFileState"] or "?", s["ActiveState"]) for u, s in units.items())
        if running or not enabled:
            return Finding(bool(running), expected, found)
        if self.own_kernel and system.container():
            detail = "configured; does not run in a container (%s), whose kernel is the host's" % system.container()
            return Finding(True, expected, found, detail, effective=False)
        return Finding(False, expected, found)

    def mend(self, system):
        """Enable and start the first that is installed."""
        units = _units(system, self.any_of)
        if not units:
            raise NotMendable("install one of %s in the machine's image" % listed(self.any_of))
        unit = next(iter(units))
        system.do("systemctl", "unmask", unit)
        system.do("systemctl", "enable", unit)
        if not (self.own_kernel and system.container()):
            system.do("systemctl", "start", unit)


@kind("services_off")
class ServicesOff:
    """Services that must not run, nor start by themselves."""

    def __init__(self, names):
        self.names = names

    def _on(self, system):
        if not system.live:
            return [n for n in self.names if system.glob("/etc/systemd/system/*.wants/" + n)]
        return [
            name
            for name, state in _units(system, self.names).items()
            if state["ActiveState"] in ("active", "activating") or state["UnitFileState"].startswith("enabled")
        ]

    def check(self, system):
        """Ask systemd."""
        on = self._on(system)
        return Finding(not on, "off: %s" % listed(self.names, 30), listed(on))

    def mend(self, system):
        """Stop, disable and mask them."""
        system.do("systemctl", "mask", "--now", *self._on(system))


_LISTEN = {"tcp": "0A", "udp": "07"}


def _listening(system, protocol):
    """Return the ports that are open to the network: (port, address); loopback does not count."""
    found = set()
    for table in (protocol, protocol + "6"):
        for line in (system.read("/proc/net/" + table) or "").splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            raw = b"".join(bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8))
            place = ipaddress.ip_address(raw)
            place = getattr(place, "ipv4_mapped", None) or place
            connected = protocol == "udp" and not fields[2].endswith(":0000")
            if fields[3] == _LISTEN[protocol] and not place.is_loopback and not connected:
                found.add((int(port, 16), str(place)))
    return found


@kind("ports")
class Ports:
    """Only the given ports are open to the network."""

    def __init__(self, tcp, udp):
        self.allowed = {"tcp": {int(p) for p in tcp}, "udp": {int(p) for p in udp}}

    def check(self, system):
        """Read the kernel's socket tables."""
        text = "; ".join("%s %s" % (p, listed(sorted(ports))) for p, ports in sorted(self.allowed.items()))
        if system.read("/proc/net/tcp") is None:
            return Finding(False, text, "the kernel's socket tables can't be read")
        opened = {(protocol, port) for protocol in self.allowed for port, _ in _listening(system, protocol)}
        bad = sorted("%s/%d" % (p, n) for p, n in opened if n not in self.allowed[p])
        return Finding(not bad, text, listed(bad) if bad else "open: " + listed(sorted("%s/%d" % o for o in opened)))

    def mend(self, system):
        """Who needs the port only a person knows."""
        raise NotMendable("stop the service behind the port (ss -lntup), or name the port in allowed_tcp_ports")
