"""Tells people what they must know: looks at what changed, and hands each channel what it should tell.

Nothing waits for it: a reconcile only leaves the name of what changed here.
"""

from __future__ import annotations

import asyncio
import logging

from govpool.api.base import Resource
from govpool.api.cloudpool import CloudPool
from govpool.api.cloudresourcerequest import CloudResourceRequest
from govpool.api.policy_roles import Role
from govpool.api.rectificationnotice import RectificationNotice
from govpool.api.tenantquota import TenantQuota
from govpool.api.workorder import WorkOrder
from govpool.effects.clock import Clock
from govpool.effects.kube import Kube
from govpool.effects.notify.channel import Channel, Item, Secrets
from govpool.effects.notify.config import (
    AnyChannel,
    DingtalkConfig,
    EventsConfig,
    NotifyConfig,
    SmtpConfig,
    WebhookConfig,
    WecomConfig,
)
from govpool.effects.notify.http import Dingtalk, Webhook, Wecom
from govpool.effects.notify.ledger import Ledger, digest
from govpool.effects.notify.mail import Mail
from govpool.effects.notify.objects import Events
from govpool.effects.notify.outbox import LONGEST_REST, Outbox
from govpool.effects.notify.text import lines, request_of, title
from govpool.effects.store import Key, Store
from govpool.lifecycle.tellings import Telling, tellings

log = logging.getLogger(__name__)
TOLD_OF: tuple[type[Resource], ...] = (CloudResourceRequest, RectificationNotice, WorkOrder, CloudPool)
SETTLE = 1.0
"""Seconds after a change in which others of the same moment come along."""
AT_ONCE = 50
"""Objects that are looked at before the event loop has another turn."""


def channel_of(config: AnyChannel, kube: Kube, clock: Clock) -> Channel:
    """The channel that the configuration describes."""
    keys = Secrets(kube)
    match config:
        case SmtpConfig():
            return Mail(config, keys)
        case WebhookConfig():
            return Webhook(config, keys)
        case WecomConfig():
            return Wecom(config, keys)
        case DingtalkConfig():
            return Dingtalk(config, keys)
        case EventsConfig():
            return Events(kube, clock)


class Notifier:
    """Every channel and what it has to tell."""

    def __init__(
        self, config: NotifyConfig, kube: Kube, store: Store, clock: Clock, *, alone: bool = True
    ) -> None:
        """``alone``: nobody else writes the channels' records, and what is no longer true is forgotten."""
        self._store, self._clock = store, clock
        self.outboxes = tuple(
            Outbox(
                one,
                channel_of(one, kube, clock),
                Ledger(kube, one.name, clock.now, forgets=alone),
                one.in_doubt,
            )
            for one in config.channels
        )
        self._dirty: set[Key] = set()
        self._wake = asyncio.Event()
        self._offered: dict[Key, frozenset[str]] = {}
        self._unaddressed: set[tuple[str, str]] = set()

    def touched(self, resource: Resource) -> None:
        """The object changed or is gone."""
        if isinstance(resource, TOLD_OF):
            self._dirty.add(resource.key)
            self._wake.set()

    async def run(self) -> None:
        """Look and tell until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._look_for_ever())
                for outbox in self.outboxes:
                    group.create_task(_for_ever(outbox))
        finally:
            for outbox in self.outboxes:
                await outbox.close()

    async def _look_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(SETTLE)
            self._wake.clear()
            changed, self._dirty = self._dirty, set()
            for number, key in enumerate(sorted(changed)):
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
                try:
                    self.look(key)
                except Exception:
                    # A bug about one object must not keep everybody else from being told.
                    log.exception("what is told of %s could not be worked out", key)

    def look(self, key: Key) -> None:
        """Offer what has to be told of the object, and withdraw what is no longer true of it."""
        resource = self._store.find(key)
        found: dict[str, Telling] = {}
        if resource is not None and not resource.paused:
            orders = (
                self._store.made_for(WorkOrder, resource.metadata.uid)
                if isinstance(resource, CloudResourceRequest)
                else ()
            )
            found = {digest(one.key): one for one in tellings(resource, self._clock.now(), orders)}
        for gone in self._offered.pop(key, frozenset()) - found.keys():
            for outbox in self.outboxes:
                outbox.withdraw(gone)
        if found:
            self._offered[key] = frozenset(found)
        for item_id, telling in found.items():
            for outbox in self.outboxes:
                if (item := self._item(item_id, telling, outbox)) is not None:
                    outbox.offer(item)

    def _item(self, item_id: str, telling: Telling, outbox: Outbox) -> Item | None:
        """As this channel tells it; None where it does not."""
        config, namespace = outbox.config, telling.about.metadata.namespace
        if telling.topic not in config.topics or (config.namespaces and namespace not in config.namespaces):
            return None
        if telling.to is not None and telling.to not in config.roles:
            return None
        quota = self._store.get(TenantQuota, "unit", namespace) if namespace else None
        addresses: tuple[str, ...] = ()
        if isinstance(config, SmtpConfig):
            addresses = recipients(config, telling, quota)
            if not addresses:
                self._nobody(config, telling)
                return None
        unit = quota.spec.unit_name if quota else namespace
        return Item(
            item_id,
            telling,
            title(telling, self._system(telling), config.language),
            lines(telling, unit, config.language),
            unit,
            addresses,
        )

    def _nobody(self, config: SmtpConfig, telling: Telling) -> None:
        """Say once of a recipient of copies that this channel knows no address of."""
        missing = (config.name, telling.recipient)
        if telling.recipient and missing not in self._unaddressed:
            self._unaddressed.add(missing)
            log.warning("channel %s knows nobody behind %s: enter who gets its copies under copies", *missing)

    def _system(self, telling: Telling) -> str:
        """What people call the system; else the object's own name."""
        meta = telling.about.metadata
        name = request_of(telling)
        request = self._store.get(CloudResourceRequest, name, meta.namespace) if name else None
        if request is not None:
            return request.spec.system.name
        return telling.about.spec.title if isinstance(telling.about, CloudPool) else name or meta.namespace


def recipients(config: SmtpConfig, telling: Telling, quota: TenantQuota | None) -> tuple[str, ...]:
    """Mail addresses of who is told, each once."""
    found = list(config.copies.get(telling.recipient, ())) if telling.recipient else []
    if telling.to is not None:
        found += config.to.get(telling.to, [])
        if telling.to is Role.UNIT and config.contacts and quota is not None:
            found += [contact.email for contact in quota.spec.contacts if contact.email]
    return tuple(dict.fromkeys(found))


async def _for_ever(outbox: Outbox) -> None:
    while True:
        try:
            await outbox.run()
        except Exception:
            # A bug in one channel stops neither the others nor the operator.
            log.exception("channel %s: again in %.0f s", outbox.config.name, LONGEST_REST)
        await asyncio.sleep(LONGEST_REST)
