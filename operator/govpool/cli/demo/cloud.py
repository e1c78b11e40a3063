"""The cloud of a demo on an OpenStack pool: what a file says of it, and whether it answers."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from govpool.cli.errors import CliError, Exit
from govpool_providers.base import PoolConnection
from govpool_providers.errors import ProviderError


class DemoCloud(BaseModel):
    """The file of ``govpool demo --pool openstack --cloud-file FILE`` (docs/openstack-pool.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cloud: str
    """Entry of ``clouds.yaml``."""
    settings: dict[str, str] = {}
    """Settings of the pool: image.debian-12, network.GovernmentExtranet, sanitiser.image ..."""
    backup: str
    """The restic repository, as the sanitiser reaches it."""
    admin_networks: list[str] = Field(default=["10.0.0.0/8"], alias="adminNetworks")
    """Where the operator and the administrators come from."""
    volumes: Path | None = None
    """Folder with a raw file for each volume, named by its id, where the demo may search them."""


def load(path: Path) -> DemoCloud:
    """Read the file.

    Raises:
        CliError: it can't be read, or says something else.
    """
    try:
        return DemoCloud.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, yaml.YAMLError) as error:
        raise CliError(f"{path}: {error}", Exit.USAGE) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise CliError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}", Exit.USAGE) from None


def ask(cloud: DemoCloud) -> int | None:
    """How many vCPU the project may still take, None for without limit: the cloud answers, and lets us in.

    Raises:
        CliError: it does not.
    """
    from govpool_providers.openstack import OpenStackProvider

    try:
        seen = OpenStackProvider(PoolConnection("demo", {**cloud.settings, "cloud": cloud.cloud})).capacity()
    except ProviderError as error:
        raise CliError(f"the cloud {cloud.cloud!r} can't be used: {error.message}") from None
    return None if seen.vcpu is None else seen.vcpu - seen.vcpu_used
