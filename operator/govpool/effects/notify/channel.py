"""What a channel is, and how sending ends: sent, refused, failed, or nobody knows."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Protocol, cast

from govpool.effects import secrets
from govpool.effects.kube import Kube
from govpool.effects.notify.config import SecretSource
from govpool.lifecycle.tellings import Telling


class DeliveryError(Exception):
    """It was not sent, or nobody knows. The text holds no secret, no URL and no address."""


class RefusedError(DeliveryError):
    """The receiver does not want it as it is: the same message will be refused again until somebody mends
    the configuration. ``whole``: the channel refuses everything, and not only this message.
    """

    def __init__(self, text: str, *, whole: bool = True) -> None:
        super().__init__(text)
        self.whole = whole


class FailedError(DeliveryError):
    """It did not go out and may later; ``after`` is how many seconds the receiver asks for."""

    def __init__(self, text: str, *, after: float = 0.0) -> None:
        super().__init__(text)
        self.after = after


class UnknownError(DeliveryError):
    """It may have gone out."""


@dataclass(frozen=True, slots=True)
class Item:
    """A thing to tell, as it is told."""

    id: str
    """The same in every try."""
    telling: Telling
    title: str
    lines: tuple[str, ...]
    unit: str
    addresses: tuple[str, ...] = ()
    """Mail addresses of who is told."""


class Channel(Protocol):
    """A way to people."""

    bundle: int
    """How many things one message may hold."""
    pause: float
    """Seconds between two messages, so that the receiver takes them."""

    async def send(self, items: tuple[Item, ...]) -> None:
        """Send one message of the items.

        Raises:
            DeliveryError: it was not sent, or nobody knows.
            KubeError: its secret could not be read.
        """
        ...

    async def close(self) -> None:
        """Give up its connections."""
        ...


class Secrets:
    """Reads secrets anew each time, so that one that is renewed is used at once."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube

    async def read(self, source: SecretSource) -> str:
        """The secret's text.

        Raises:
            RefusedError: it is not there.
            KubeError: the API server did not answer.
        """
        if source.file is not None:
            try:
                return source.file.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise RefusedError(f"the secret's file can't be read: {type(error).__name__}") from None
        reference = source.secret_ref
        if reference is None:
            raise RefusedError("no secret is named")
        document = await self._kube.core_get("secrets", secrets.NAMESPACE, reference.name)
        data = cast("dict[str, str]", (document or {}).get("data") or {})
        if reference.key not in data:
            raise RefusedError(f"Secret {secrets.NAMESPACE}/{reference.name} has no key {reference.key}")
        return base64.b64decode(data[reference.key]).decode().strip()
