"""Real servers that messages go to: a mail server with TLS and log-in, and an HTTP server for webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as time
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

from aiohttp import web
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PASSWORD = "correct-horse-battery"


@dataclass(frozen=True)
class Post:
    """One POST as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Post], "tuple[int, Any]"]


class Receiver:
    """An HTTP server; ``answer`` says what each POST gets. While ``held`` it keeps them waiting."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.answer: Answer = lambda _: (200, {"errcode": 0, "errmsg": "ok"})
        self.free = asyncio.Event()
        self.free.set()
        self.came = asyncio.Condition()
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        post = Post(request.path, dict(request.query), dict(request.headers), await request.read())
        async with self.came:
            self.posts.append(post)
            self.came.notify_all()
        await self.free.wait()
        status, body = self.answer(post)
        return web.json_response(body, status=status)

    async def after(self, count: int) -> Post:
        """The POST of that number, from 1."""
        async with asyncio.timeout(120), self.came:
            await self.came.wait_for(lambda: len(self.posts) >= count)
        return self.posts[count - 1]


@contextlib.asynccontextmanager
async def receiver(port: int = 0) -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{tail:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        made.free.set()
        await runner.cleanup()


@dataclass
class Mailbox:
    """What a mail server took; ``refuse`` maps a recipient to an answer, ``data`` answers messages."""

    mails: list[tuple[tuple[str, ...], EmailMessage]] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    data: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    logins: int = 0
    port: int = 0

    async def handle_RCPT(
        self, _: SMTP, __: Session, envelope: Envelope, address: str, ___: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:
        if self.data and (answer := self.data.pop(0)) != "250 OK":
            return answer
        mail = message_from_bytes(cast(bytes, envelope.content), policy=policy.default)
        self.mails.append((tuple(envelope.rcpt_tos), cast(EmailMessage, mail)))
        self.came.set()
        return "250 OK"

    def login(self, _: SMTP, __: Session, ___: Envelope, mechanism: str, given: Any) -> AuthResult:
        self.logins += 1
        right = isinstance(given, LoginPassword) and given.password == PASSWORD.encode()
        return AuthResult(success=right, handled=False)

    async def after(self, count: int) -> tuple[tuple[str, ...], EmailMessage]:
        async with asyncio.timeout(120):
            while len(self.mails) < count:
                self.came.clear()
                await self.came.wait()
        return self.mails[count - 1]


@contextlib.asynccontextmanager
async def mail_server(folder: Path) -> AsyncIterator[tuple[Mailbox, Path]]:
    """A mail server that wants STARTTLS and a log-in; and the certificate to trust."""
    trusted, context = certificate(folder)
    box = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(
            box,
            hostname="mail.test",
            tls_context=context,
            require_starttls=True,
            auth_required=True,
            authenticator=box.login,
            loop=loop,
        ),
        "127.0.0.1",
        0,
    )
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box, trusted
    finally:
        server.close()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that only whoever is told of it trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = time.datetime.now(time.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - time.timedelta(days=1))
        .not_valid_after(now + time.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "mail.pem", folder / "mail.key"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, secret)
    return pem, context
