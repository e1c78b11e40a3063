"""The pool's own network: a bridge, one veth pair per machine, addresses out of one subnet.

The bridge carries the pool's state folder as its alias, so that two pools never share one by
mistake. The machines have no way out: nothing forwards, and a blackhole route catches the subnet
when the bridge is gone.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.local.settings import LocalSettings
from govpool_providers.local.shell import run

SSH_PORT = 22
SYS_NET = Path("/sys/class/net")
LAST_METRIC = "4294967294"
"""Metric of the blackhole route: every other route to the subnet wins."""


class Route(BaseModel):
    """What is used of a line of ``ip -json route``."""

    type: str = "unicast"
    dst: str
    dev: str = ""


_ROUTES = TypeAdapter(list[Route])


def exists(interface: str) -> bool:
    """Whether this host has the network interface."""
    return (SYS_NET / interface).exists()


def alias_of(settings: LocalSettings) -> str:
    """What the pool's bridge is marked with."""
    return f"govpool {settings.state}"[:255]


def owns_bridge(settings: LocalSettings) -> bool:
    """Whether the bridge exists and is this pool's."""
    marked = SYS_NET / settings.bridge / "ifalias"
    try:
        return marked.read_text().strip() == alias_of(settings)
    except FileNotFoundError:
        return False


def ensure_bridge(settings: LocalSettings) -> None:
    """Adopt or make the bridge with the gateway's address, and the blackhole route."""
    name = settings.bridge
    if exists(name) and not owns_bridge(settings):
        marked = (SYS_NET / name / "ifalias").read_text().strip()
        if marked or not _is_empty_bridge(name):
            raise ProviderError(
                ErrorCode.CONFLICT,
                f"Interface {name} is in use by something else ({marked or 'no alias'}): "
                "set another 'bridge' in the pool's connection settings.",
            )
    if not exists(name):
        _refuse_overlap(settings)
        run(["ip", "link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0"])
    # a bridge without a MAC of its own takes a port's: its neighbours lose it when the ports change
    own_mac = mac_of(settings.gateway)
    run(["ip", "link", "set", name, "address", own_mac, "alias", alias_of(settings)])
    disable_ipv6 = Path("/proc/sys/net/ipv6/conf") / name / "disable_ipv6"
    if disable_ipv6.exists():
        disable_ipv6.write_text("1")
    run(["ip", "address", "replace", f"{settings.gateway}/{settings.subnet.prefixlen}", "dev", name])
    run(["ip", "link", "set", name, "up"])
    run(["ip", "route", "replace", "blackhole", str(settings.subnet), "metric", LAST_METRIC])


def _is_empty_bridge(name: str) -> bool:
    # a bridge that a killed process made and did not yet mark has no port
    ports = SYS_NET / name / "brif"
    return ports.is_dir() and not any(ports.iterdir())


def _refuse_overlap(settings: LocalSettings) -> None:
    other = overlapping_route(settings)
    if other is not None:
        raise ProviderError(
            ErrorCode.CONFLICT,
            f"Subnet {settings.subnet} overlaps {other.dst} on {other.dev or other.type}: "
            "set another 'subnet' in the pool's connection settings.",
        )


def routes() -> list[Route]:
    """This host's IPv4 routes of every table."""
    return _ROUTES.validate_json(run(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")


def overlapping_route(settings: LocalSettings) -> Route | None:
    """A route of this host that the pool's subnet would collide with; the pool's own don't count."""
    for route in routes():
        if route.dst == "default" or route.dev == settings.bridge:
            continue
        network = IPv4Network(route.dst, strict=False)
        own_blackhole = route.type == "blackhole" and network == settings.subnet
        if network.overlaps(settings.subnet) and network.prefixlen > 0 and not own_blackhole:
            return route
    return None


def has_blackhole(settings: LocalSettings) -> bool:
    """Whether the subnet's blackhole route is there."""
    return any(route.type == "blackhole" and route.dst == str(settings.subnet) for route in routes())


def remove_bridge(settings: LocalSettings) -> None:
    """Remove the blackhole route and, if it is the pool's, the bridge."""
    if owns_bridge(settings):
        run(["ip", "link", "delete", settings.bridge])
    if has_blackhole(settings):
        run(["ip", "route", "delete", "blackhole", str(settings.subnet), "metric", LAST_METRIC])


def connect(interface: str, bridge: str) -> None:
    """Put the host's end of a machine's veth pair on the bridge and up."""
    run(["ip", "link", "set", interface, "master", bridge, "up"])


def disconnect(interface: str) -> None:
    """Take the host's end of a machine's veth pair down and off the bridge: the cable is pulled."""
    run(["ip", "link", "set", interface, "nomaster", "down"])


def remove_interface(interface: str) -> None:
    """Remove a veth pair that its machine left behind."""
    if exists(interface):
        try:
            run(["ip", "link", "delete", interface])
        except ProviderError:
            if exists(interface):  # else the kernel was faster: it goes with its machine's network
                raise


def is_up(interface: str) -> bool:
    """Whether the host's end is administratively up."""
    flags = int((SYS_NET / interface / "flags").read_text(), 16)
    return bool(flags & 1)


def free_addresses(settings: LocalSettings, taken: Iterable[str]) -> list[IPv4Address]:
    """The subnet's addresses that no machine has, lowest first; never the gateway's."""
    used = {IPv4Address(address) for address in taken} | {settings.gateway}
    return [address for address in settings.subnet.hosts() if address not in used]


def answers_ssh(address: str, timeout: float = 0.5) -> bool:
    """Whether an SSH server greets at the address."""
    try:
        with socket.create_connection((address, SSH_PORT), timeout=timeout) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def mac_of(address: IPv4Address) -> str:
    """The address's own MAC: no neighbour entry is stale when another machine gets the address."""
    return ":".join(f"{byte:02x}" for byte in (0x02, 0x67, *address.packed))


def network_file(settings: LocalSettings, address: str, mac: str) -> str:
    """The machine's systemd-networkd configuration."""
    return (
        "[Match]\nName=host0\n\n"
        f"[Link]\nMACAddress={mac}\n\n"
        f"[Network]\nAddress={address}/{settings.subnet.prefixlen}\nGateway={settings.gateway}\n"
        "DHCP=no\nIPv6AcceptRA=no\nLinkLocalAddressing=no\nLLMNR=no\nConfigureWithoutCarrier=yes\n"
    )
