"""What backup and wipe have in common: detached disks on the trusted sanitiser (净化机)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from govpool.effects import access
from govpool.effects.executors.base import OrderContext
from govpool_providers.base import Disk, RemoteSanitiser, SanitiserDevice
from govpool_providers.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Leaving:
    """A disk of a server that leaves."""

    server: str
    disk: Disk


async def leaving(context: OrderContext) -> tuple[Leaving, ...]:
    """Every disk that the pool lists for the order's servers, whether or not anybody asked for it.

    Raises:
        ProviderError: the pool could not be asked; an empty answer is never made up.
    """
    found: list[Leaving] = []
    provider = context.provider.provider
    for server in context.servers:
        key = server.spec.key
        disks = await context.provider.insist(lambda key=key: provider.list_disks(key))  # type: ignore[misc]
        found += [Leaving(server.metadata.name, disk) for disk in disks]
    return tuple(found)


@asynccontextmanager
async def on_sanitiser(
    context: OrderContext, disks: tuple[Leaving, ...]
) -> AsyncIterator[dict[str, SanitiserDevice]]:
    """The disks attached to the sanitiser, by key; detached again however it ends.

    A kill leaves them attached: attaching again is the same, and the next run detaches them.
    """
    provider, fault = context.provider.provider, None
    if isinstance(provider, RemoteSanitiser):
        keys = await access.sanitiser_keys(context.kube, context.pool.metadata.name)
        await context.provider.insist(lambda: provider.ensure_sanitiser(keys.access))
    devices: dict[str, SanitiserDevice] = {}
    try:
        for item in disks:
            key = item.disk.key
            devices[key] = await context.provider.insist(
                lambda key=key: provider.attach_to_sanitiser(key)  # type: ignore[misc]
            )
        yield devices
    finally:
        for key in [item.disk.key for item in disks]:
            try:
                await context.provider.insist(lambda key=key: provider.detach_from_sanitiser(key))  # type: ignore[misc]
            except ProviderError as error:
                fault = fault or error  # the others are detached all the same
        if fault is not None:
            raise fault
