"""Channels over HTTP: a signed webhook, and the group robots of WeCom and DingTalk."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.parse import quote_plus

import aiohttp
from pydantic import JsonValue

from govpool.effects.notify.channel import FailedError, Item, RefusedError, Secrets, UnknownError
from govpool.effects.notify.config import DingtalkConfig, HttpConfig, WebhookConfig, WecomConfig
from govpool.effects.notify.text import markdown

TIMEOUT = 20.0
"""Seconds for one message, from name resolution to the answer."""
CONNECT = 10.0
"""Seconds until a connection stands; what takes longer was not sent."""
Json = dict[str, JsonValue]
WECOM_BYTES = 4096
"""What WeCom takes of markdown, in bytes of UTF-8."""
DINGTALK_BYTES = 20_000
"""What DingTalk takes of a whole message."""
ROBOTS_PAUSE = 3.1
"""Both take 20 messages a minute from a robot, and shut out for longer whoever sends more."""
ROBOTS_BUNDLE = 8
WECOM_WAIT = frozenset({-1, 45009, 45033})
"""Busy, too many calls, too many at once."""
DINGTALK_WAIT = frozenset({-1, 130101, 130102})
"""Busy, sent too fast."""


class _Http:
    """Posts JSON and tells apart what the answers mean."""

    bundle = 1
    pause = 0.0

    def __init__(self, config: HttpConfig, keys: Secrets) -> None:
        self._config, self._keys = config, keys
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Give up the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _url(self) -> str:
        if self._config.url is not None:
            return self._config.url
        source = self._config.url_from
        if source is None:
            raise RefusedError("no URL is named")
        return await self._keys.read(source)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str] = {}) -> Json:
        """The answer's JSON; empty when it holds none.

        Raises:
            DeliveryError: see there. The URL, which may be a secret, stands in none of them.
        """
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=2, ssl=_trusted(self._config.ca_file))
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT, sock_connect=CONNECT),
                trust_env=True,
            )
        sent = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "govpool", **headers}
        try:
            async with self._session.post(url, data=body, headers=sent, allow_redirects=False) as answer:
                text = await answer.text()
                _judge(answer.status, answer.headers.get("Retry-After", ""))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise _unconnected(error) from None
        except (aiohttp.ClientError, TimeoutError, OSError, UnicodeDecodeError) as error:
            raise UnknownError(f"no whole answer: {type(error).__name__}") from None
        try:
            found = json.loads(text)
        except ValueError:
            return {}
        return cast(Json, found) if isinstance(found, dict) else {}


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as error:
            raise RefusedError(f"caFile can't be used: {type(error).__name__}") from None
    return context


def _unconnected(error: Exception) -> RefusedError | FailedError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return RefusedError("the receiver's certificate is not trusted: name its authority in caFile")
    if isinstance(error, aiohttp.InvalidURL):
        return RefusedError("the URL is none")
    return FailedError(f"not connected: {type(error).__name__}")


def _judge(status: int, retry_after: str) -> None:
    if status < 300:
        return
    after = float(retry_after) if retry_after.isdigit() else 0.0
    if status in (408, 425, 429) or status >= 500:
        raise FailedError(f"HTTP {status}", after=min(after, 3600.0))
    # 409: it has a message of this id already.
    if status != 409:
        raise RefusedError(f"HTTP {status}", whole=status in (401, 403, 404, 405, 410))


class Webhook(_Http):
    """One POST for each thing, signed as Standard Webhooks has it: a receiver verifies it with any of that
    specification's libraries, and knows a repeated one by ``webhook-id``.
    """

    def __init__(self, config: WebhookConfig, keys: Secrets) -> None:
        super().__init__(config, keys)
        self._secret = config.secret

    async def send(self, items: tuple[Item, ...]) -> None:
        """See :class:`Channel`."""
        (item,) = items
        secret = await self._keys.read(self._secret)
        body = json.dumps(_document(item), ensure_ascii=False).encode()
        headers = signed(secret, item.id, int(time.time()), body)
        await self._post(await self._url(), body, headers)


def signed(secret: str, message_id: str, at: int, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks. A secret ``whsec_...`` is base64, any other is taken as it is."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise RefusedError("the secret after whsec_ is no base64") from None
    digest = hmac.digest(key, f"{message_id}.{at}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature}


def _document(item: Item) -> Json:
    telling = item.telling
    meta = telling.about.metadata
    document: Json = {
        "type": f"govpool.{telling.topic.value}",
        "id": item.id,
        "object": {
            "kind": telling.about.DEFINITION.kind,
            "namespace": meta.namespace,
            "name": meta.name,
            "uid": meta.uid,
        },
        "unit": item.unit,
        "step": telling.step,
        "to": telling.to.value if telling.to else None,
        "copyTo": telling.recipient or None,
        "who": telling.who.value if telling.who else None,
        "due": telling.due.isoformat() if telling.due else None,
        "article": telling.article,
        "title": item.title,
        "text": "\n".join(item.lines),
    }
    return {key: value for key, value in document.items() if value is not None}


class Wecom(_Http):
    """``{"msgtype": "markdown"}``; the answer's ``errcode`` says whether it was taken."""

    bundle = ROBOTS_BUNDLE
    pause = ROBOTS_PAUSE

    def __init__(self, config: WecomConfig, keys: Secrets) -> None:
        super().__init__(config, keys)
        self._language = config.language

    async def send(self, items: tuple[Item, ...]) -> None:
        """See :class:`Channel`."""
        _, text = markdown(items, self._language, WECOM_BYTES)
        body: Json = {"msgtype": "markdown", "markdown": {"content": text}}
        answer = await self._post(await self._url(), json.dumps(body, ensure_ascii=False).encode())
        _robot(answer, WECOM_WAIT, 60.0)


class Dingtalk(_Http):
    """``{"msgtype": "markdown"}``; where a secret is given, time and signature stand in the query."""

    bundle = ROBOTS_BUNDLE
    pause = ROBOTS_PAUSE

    def __init__(self, config: DingtalkConfig, keys: Secrets) -> None:
        super().__init__(config, keys)
        self._language, self._secret = config.language, config.secret

    async def send(self, items: tuple[Item, ...]) -> None:
        """See :class:`Channel`."""
        title, text = markdown(items, self._language, DINGTALK_BYTES - 2000)
        body: Json = {"msgtype": "markdown", "markdown": {"title": title, "text": text}}
        url = await self._url()
        if self._secret is not None:
            url = dingtalk_signed(url, await self._keys.read(self._secret), time.time_ns() // 1_000_000)
        answer = await self._post(url, json.dumps(body, ensure_ascii=False).encode())
        # Whoever sent too fast is shut out for ten minutes.
        _robot(answer, DINGTALK_WAIT, 600.0)


def dingtalk_signed(url: str, secret: str, milliseconds: int) -> str:
    """The URL with ``timestamp`` and ``sign``: HMAC-SHA-256 of time, newline and secret, in base64."""
    digest = hmac.digest(secret.encode(), f"{milliseconds}\n{secret}".encode(), hashlib.sha256)
    sign = quote_plus(base64.b64encode(digest))
    return f"{url}{'&' if '?' in url else '?'}timestamp={milliseconds}&sign={sign}"


def _robot(answer: Json, wait: frozenset[int], seconds: float) -> None:
    code = answer.get("errcode")
    if code == 0:
        return
    if not isinstance(code, int):
        raise UnknownError("the robot's answer has no errcode")
    if code in wait:
        raise FailedError(f"errcode {code}", after=seconds)
    raise RefusedError(f"errcode {code}: look at the robot's settings (URL, signature, keywords, addresses)")
