"""What the contract suite's tests share: keys, wanted machines, and a pool under test."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from govpool_providers.base import (
    Access,
    DiskWant,
    Machine,
    MachineState,
    MachineWant,
    Owner,
    PoolConnection,
    Provider,
    Size,
)
from govpool_providers.local.network import overlapping_route
from govpool_providers.local.settings import LocalSettings

LOOKS = 200
SMALL = Size(1, 1)
"""How often a test looks at most for something that takes several calls."""


@dataclass(frozen=True)
class KeyPair:
    private: str
    public: str

    @classmethod
    def make(cls) -> KeyPair:
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        return cls(private.decode(), public.decode())


HOST_KEY = KeyPair.make()
USER_KEY = KeyPair.make()
ACCESS = Access("govpool", USER_KEY.public, HOST_KEY.public, HOST_KEY.private)


def want_machine(key: str = "m1", *, uid: str = "uid-1", size: Size = SMALL, data: int = 1) -> MachineWant:
    disks = [DiskWant(f"{key}-root", "root", 1, root=True)]
    disks += [DiskWant(f"{key}-data{n}", f"data{n}", 1) for n in range(1, data + 1)]
    owner = Owner(uid, "approval-system", "bureau", 3)
    return MachineWant(key, f"web-{key}", owner, size, "debian-12", "business", tuple(disks), ACCESS)


@dataclass
class Pool:
    """A pool under test, opened as often as a test wants (each time as another operator would)."""

    kind: str
    connection: PoolConnection
    open: Callable[..., Provider]
    break_sight: Callable[[], None]
    """From now on the pool can't be looked at."""
    plant_copy: Callable[[str], None]

    def reopened(self, **settings: str) -> Provider:
        """The same pool with other settings."""
        return self.open(PoolConnection(self.connection.pool, {**self.connection.settings, **settings}))

    def build(self, want: MachineWant, provider: Provider | None = None) -> Machine:
        """Ensure until Active."""
        provider = provider or self.open(self.connection)
        for _ in range(LOOKS):
            machine = provider.ensure_machine(want)
            if machine.state is MachineState.ACTIVE:
                return machine
            assert machine.state is MachineState.BUILDING, machine.fault
        raise AssertionError(f"still not active after {LOOKS} looks")

    def release(self, key: str, provider: Provider | None = None) -> None:
        """Release until seen absent."""
        provider = provider or self.open(self.connection)
        for _ in range(LOOKS):
            provider.release_machine(key)
            if provider.find_machine(key) is None:
                return
        raise AssertionError(f"still there after {LOOKS} looks")


def free_settings(state: Path, number: int = 0) -> dict[str, str]:
    """Settings of a local pool that collides with nothing on this host."""
    for third in range(20, 250):
        network = IPv4Network(f"10.213.{(os.getpid() + number * 83 + third) % 230 + 20}.0/24")
        settings = {
            "state": str(state),
            "bridge": f"gpt{os.getpid() % 100000}-{number}",
            "subnet": str(network),
        }
        if overlapping_route(LocalSettings.of(PoolConnection("contract", settings))) is None:
            return settings
    raise AssertionError("no free subnet on this host")
