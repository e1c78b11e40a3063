"""The notifier's configuration file: channels, whom each tells what, and where their secrets are."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from govpool.api.base import wire_name
from govpool.api.policy_roles import Role
from govpool.lifecycle.tellings import Topic
from govpool.messages import Language

ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
Address = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s<>,;\"]+@[^@\s<>,;\"]+$")]
Url = Annotated[str, StringConstraints(max_length=2048, pattern=r"^https?://[^\s]+$")]


class ConfigError(ValueError):
    """The file can't be used; the message says which field of it and why, never a value."""


class Part(BaseModel):
    """A part of the file: camelCase, nothing unknown, frozen."""

    model_config = ConfigDict(alias_generator=wire_name, populate_by_name=True, frozen=True, extra="forbid")


class SecretKey(Part):
    """A key of a Secret in the operator's own namespace."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=253)]


class SecretSource(Part):
    """Where a secret is read from, anew for every message: a Secret, or a file that is mounted."""

    secret_ref: SecretKey | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> SecretSource:
        if (self.secret_ref is None) == (self.file is None):
            raise ValueError("give either secretRef or file")
        return self


class InDoubt(StrEnum):
    """What becomes of a message that may or may not have gone out: the operator was killed while it did, or
    the receiver never answered.
    """

    REPEAT = "repeat"
    """It is sent again under the same id, by which a receiver knows it."""
    SKIP = "skip"
    """It is not sent again; the log says so."""


class ChannelConfig(Part):
    """What every channel has."""

    name: ChannelName
    language: Language = "zh"
    topics: Annotated[list[Topic], Field(min_length=1)] = list(Topic)
    """What it tells."""
    roles: Annotated[list[Role], Field(min_length=1)] = list(Role)
    """Whom it tells; copies are told whatever stands here."""
    namespaces: list[str] = []
    """Of which units; empty: of all."""


class SmtpSecurity(StrEnum):
    """How the connection to a mail server is secured."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"
    """Only within one machine, or a network of its own."""


class SmtpConfig(ChannelConfig):
    """Mail (RFC 5321). One message for each thing and address."""

    type: Literal["smtp"]
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: SmtpSecurity = SmtpSecurity.STARTTLS
    ca_file: Path | None = None
    """Whom to trust, beside the system's own authorities."""
    username: str | None = None
    password: SecretSource | None = None
    sender: Address
    to: dict[Role, Annotated[list[Address], Field(max_length=64)]] = {}
    """Who is behind a role."""
    copies: dict[str, Annotated[list[Address], Field(max_length=64)]] = {}
    """Who is behind a name that a policy copies to (抄送)."""
    contacts: bool = True
    """Whether what is the unit's to do also goes to the contacts in its TenantQuota."""
    in_doubt: InDoubt = InDoubt.REPEAT

    @model_validator(mode="after")
    def _both(self) -> SmtpConfig:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        if self.username is not None and self.security is SmtpSecurity.NONE:
            raise ValueError("a password is not sent over a connection without TLS")
        return self


class HttpConfig(ChannelConfig):
    """What every channel over HTTP has. The URL of a chat robot is a secret itself."""

    url: Url | None = None
    url_from: SecretSource | None = None
    ca_file: Path | None = None
    """Whom to trust, beside the system's own authorities."""

    @model_validator(mode="after")
    def _somewhere(self) -> HttpConfig:
        if (self.url is None) == (self.url_from is None):
            raise ValueError("give either url or urlFrom")
        return self


class WebhookConfig(HttpConfig):
    """JSON, signed with HMAC-SHA-256 after Standard Webhooks."""

    type: Literal["webhook"]
    secret: SecretSource
    in_doubt: InDoubt = InDoubt.REPEAT


class WecomConfig(HttpConfig):
    """A group robot of WeCom (企业微信群机器人)."""

    type: Literal["wecom"]
    in_doubt: InDoubt = InDoubt.SKIP


class DingtalkConfig(HttpConfig):
    """A custom robot of DingTalk (钉钉自定义机器人); ``secret`` where it is secured by signature (加签)."""

    type: Literal["dingtalk"]
    secret: SecretSource | None = None
    in_doubt: InDoubt = InDoubt.SKIP


class EventsConfig(ChannelConfig):
    """Kubernetes Events on the object itself."""

    type: Literal["events"]
    in_doubt: InDoubt = InDoubt.REPEAT


AnyChannel = Annotated[
    SmtpConfig | WebhookConfig | WecomConfig | DingtalkConfig | EventsConfig, Field(discriminator="type")
]


class NotifyConfig(Part):
    """The whole file."""

    channels: Annotated[list[AnyChannel], Field(max_length=16)] = []

    @model_validator(mode="after")
    def _names(self) -> NotifyConfig:
        names = [channel.name for channel in self.channels]
        if len(set(names)) < len(names):
            raise ValueError("each channel has a name of its own")
        return self


def load(path: Path) -> NotifyConfig:
    """Read the file.

    Raises:
        ConfigError: it is no such file, or a field of it is no good.
        OSError: it can't be read.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError):
        # The parser quotes the line that it stumbles over, which may hold anything.
        raise ConfigError(f"{path} is no YAML") from None
    try:
        return NotifyConfig.model_validate(document or {})
    except ValidationError as error:
        told = (
            f"{'.'.join(str(part) for part in found['loc']) or 'the file'}: {found['msg']}"
            for found in error.errors(include_input=False, include_url=False, include_context=False)
        )
        raise ConfigError(f"{path}: {'; '.join(told)}") from None
