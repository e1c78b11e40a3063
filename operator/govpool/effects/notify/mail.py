"""Mail: one message for each thing, to everybody who is behind its role."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

import aiosmtplib

from govpool.effects.notify.channel import FailedError, Item, RefusedError, Secrets, UnknownError
from govpool.effects.notify.config import SmtpConfig, SmtpSecurity
from govpool.effects.notify.text import footer

TIMEOUT = 30.0
"""Seconds for each step of the conversation."""


class Mail:
    """A mail server. Each message has the same Message-ID in every try."""

    bundle = 1
    pause = 0.0

    def __init__(self, config: SmtpConfig, keys: Secrets) -> None:
        self._config, self._keys = config, keys

    async def close(self) -> None:
        """Nothing is kept open."""

    async def send(self, items: tuple[Item, ...]) -> None:
        """See :class:`Channel`."""
        (item,) = items
        config = self._config
        source = config.password
        password = await self._keys.read(source) if source is not None else None
        client = aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            timeout=TIMEOUT,
            use_tls=config.security is SmtpSecurity.TLS,
            start_tls=config.security is SmtpSecurity.STARTTLS,
            tls_context=None if config.security is SmtpSecurity.NONE else _trusted(config),
            username=config.username,
            password=password,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPException as error:
            raise _greeted(error) from None
        except (OSError, ssl.SSLError) as error:
            raise FailedError(f"not connected: {type(error).__name__}") from None
        try:
            refused, _ = await client.send_message(
                letter(config, item), sender=config.sender, recipients=list(item.addresses)
            )
        except aiosmtplib.SMTPException as error:
            raise _sent(error) from None
        except OSError as error:
            raise UnknownError(f"the connection broke: {type(error).__name__}") from None
        finally:
            client.close()
        if refused and len(refused) == len(item.addresses):
            raise RefusedError("every recipient was refused", whole=False)


def letter(config: SmtpConfig, item: Item) -> EmailMessage:
    """The mail. Nobody sees who else gets it."""
    message = EmailMessage()
    domain = config.sender.rpartition("@")[2]
    message["Message-ID"] = f"<{item.id}.{config.name}@{domain}>"
    message["Date"] = format_datetime(datetime.now(UTC))
    message["From"] = Address("govpool", addr_spec=config.sender)
    message["To"] = "undisclosed-recipients:;"
    message["Subject"] = item.title.replace("\n", " ")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n".join((*item.lines, "", footer(config.language))) + "\n")
    return message


def _trusted(config: SmtpConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if config.ca_file is not None:
        try:
            context.load_verify_locations(config.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise RefusedError(f"caFile can't be used: {type(error).__name__}") from None
    return context


def _greeted(error: aiosmtplib.SMTPException) -> FailedError | RefusedError:
    """What went wrong before the message: nothing was sent."""
    match error:
        case aiosmtplib.SMTPAuthenticationError(code=code):
            if 400 <= code < 500:
                return FailedError(f"the log-in failed for now ({code})")
            return RefusedError(f"user name or password are not accepted ({code})")
        case aiosmtplib.SMTPNotSupported():
            return RefusedError("the mail server offers no such TLS or log-in: look at security")
        case _:
            return FailedError(f"not connected: {type(error).__name__}")


def _sent(error: aiosmtplib.SMTPException) -> FailedError | RefusedError | UnknownError:
    match error:
        case aiosmtplib.SMTPRecipientsRefused(recipients=recipients):
            if all(400 <= one.code < 500 for one in recipients):
                return FailedError("every recipient was put off")
            return RefusedError("every recipient was refused", whole=False)
        case aiosmtplib.SMTPSenderRefused(code=code) if code >= 500:
            return RefusedError(f"the sender is not accepted ({code})")
        case aiosmtplib.SMTPResponseException(code=code) if 400 <= code < 500:
            return FailedError(f"the mail server answered {code}")
        case aiosmtplib.SMTPResponseException(code=code):
            return RefusedError(f"the mail server answered {code}", whole=False)
        case _:
            return UnknownError(f"no answer to the message: {type(error).__name__}")
