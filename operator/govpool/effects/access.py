"""How the operator gets in between provisioning and handover: a key and a host key made for one machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from govpool.api.cloudserver import CloudServer
from govpool.effects import secrets
from govpool.effects.kube import Kube
from govpool.effects.playbooks import Target
from govpool_providers.base import Access

USER = "govpool"
MakeKeys = Callable[[], Mapping[str, str]]
"""Makes what the Secret of a machine holds."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The two key pairs of a machine, OpenSSH text."""

    operator_private: str = field(repr=False)
    operator_public: str
    host_private: str = field(repr=False)
    host_public: str

    @property
    def access(self) -> Access:
        """What the provider puts into the machine before its first boot."""
        return Access(USER, self.operator_public, self.host_public, self.host_private)

    def target(self, name: str, address: str) -> Target:
        """The machine for a playbook."""
        return Target(name, address, USER, self.operator_private, self.host_public)


def new_keys() -> dict[str, str]:
    """Two new key pairs, as the Secret holds them."""
    operator, host = _pair(), _pair()
    return {
        "operatorPrivateKey": operator[0],
        "operatorPublicKey": operator[1],
        "hostPrivateKey": host[0],
        "hostPublicKey": host[1],
    }


def _pair() -> tuple[str, str]:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return private.decode(), public.decode()


def secret_name(server: CloudServer) -> str:
    """Name of the Secret with the machine's keys."""
    return f"access-{server.spec.key}"


async def keys_of(kube: Kube, server: CloudServer, make: MakeKeys = new_keys) -> Keys:
    """The machine's keys; made before the machine is, and the same ever after."""
    return _keys(await secrets.once(kube, secret_name(server), make))


async def sanitiser_keys(kube: Kube, pool: str) -> Keys:
    """The keys of a pool's sanitiser (净化机), where it is a machine of its own."""
    return _keys(await secrets.once(kube, sanitiser_secret_name(pool), new_keys))


def sanitiser_secret_name(pool: str) -> str:
    """Name of the Secret with the keys of a pool's sanitiser."""
    return f"sanitiser-{pool}"


async def known_keys(kube: Kube, server: CloudServer) -> Keys | None:
    """The machine's keys if there are any. Who wants to get in must not make new ones: they open nothing."""
    values = await secrets.read(kube, secret_name(server))
    return None if values is None else _keys(values)


def _keys(values: Mapping[str, str]) -> Keys:
    return Keys(
        values["operatorPrivateKey"],
        values["operatorPublicKey"],
        values["hostPrivateKey"],
        values["hostPublicKey"],
    )


async def forget(kube: Kube, server: CloudServer) -> None:
    """Destroy the keys: after the handover they open nothing, and nobody shall try."""
    await secrets.destroy(kube, secret_name(server))
