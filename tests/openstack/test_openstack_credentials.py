"""Credentials: application credentials, rotation without a restart, and that they get nowhere else."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from contract_pools import ACCESS, Pool, want_machine
from openstack_cloud import Tenant
from test_contract import refused

from govpool.api.cloudpool import CloudPool
from govpool.effects.kube import Kube
from govpool.effects.pools import Pools
from govpool_providers.base import PoolConnection
from govpool_providers.errors import ErrorCode, ProviderError
from govpool_providers.openstack import OpenStackProvider


@pytest.fixture
def applications(tenant: Tenant) -> list[PoolConnection]:
    """The pool's connection with each of two application credentials."""
    user = tenant.cloud.current_user_id
    made = [tenant.cloud.identity.create_application_credential(user, f"pool-{n}") for n in (1, 2)]
    settings = {**tenant.connection.settings}
    return [
        PoolConnection(
            tenant.connection.pool,
            settings,
            {"application_credential_id": one.id, "application_credential_secret": one.secret},
        )
        for one in made
    ]


class Secrets:
    """A Kubernetes API with one Secret."""

    def __init__(self, values: dict[str, str]) -> None:
        self.put(values, "1")

    def put(self, values: dict[str, str], version: str) -> None:
        data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
        self.document = {"metadata": {"resourceVersion": version}, "data": data}

    async def core_get(self, resource: str, namespace: str, name: str) -> dict[str, object]:
        return self.document


async def test_a_secret_that_is_rotated_is_used_from_the_next_call_on(
    tenant: Tenant, applications: list[PoolConnection]
) -> None:
    """The old credential is revoked in the cloud, the Secret gets the new one; nothing is restarted."""
    old, new = applications
    secrets = Secrets(dict(old.secret))
    pools = Pools(cast(Kube, secrets))
    pool = CloudPool.model_validate(
        {
            "apiVersion": "govpool.dev/v1alpha1",
            "kind": "CloudPool",
            "metadata": {"name": "rotated"},
            "spec": {
                "title": "A pool",
                "connection": {
                    "provider": "openstack",
                    "secretRef": {"name": "cloud"},
                    "settings": dict(old.settings),
                },
                "operatingMode": "SelfBuilt",
                "policy": "p",
                "catalog": "c",
            },
        }
    )
    first = await pools.of(pool)
    assert await first.call(first.provider.list_machines) == ()
    tenant.cloud.identity.delete_application_credential(
        tenant.cloud.current_user_id, old.secret["application_credential_id"]
    )
    with pytest.raises(ProviderError) as caught:
        await first.call(OpenStackProvider(old).list_machines)
    assert caught.value.code is ErrorCode.UNAUTHORISED
    secrets.put(dict(new.secret), "2")
    second = await pools.of(pool)
    assert await second.call(second.provider.list_machines) == ()


def test_no_secret_gets_into_a_log_an_error_or_an_argument_list(
    pool: Pool,
    applications: list[PoolConnection],
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = applications[0]
    kept = [
        connection.secret["application_credential_secret"],
        ACCESS.host_private_key.splitlines()[1],
        base64.b64encode(ACCESS.host_private_key.encode()).decode()[40:80],
    ]
    said: list[str] = []
    with caplog.at_level(logging.DEBUG):
        provider = OpenStackProvider(connection)
        machine = pool.build(want_machine(data=0), provider)
        wrong = {**connection.secret, "application_credential_secret": kept[0][::-1]}
        for bad in (
            OpenStackProvider(replace(connection, secret=wrong)),
            OpenStackProvider(
                replace(connection, settings={**connection.settings, "auth_url": "http://127.0.0.1:9"})
            ),
        ):
            with pytest.raises(ProviderError) as caught:
                bad.list_machines()
            said.append(f"{caught.value} {caught.value.__cause__!r}")
        refused(ErrorCode.INVALID, lambda: provider.ensure_machine(replace(want_machine("m2"), image="no")))
    assert any("/servers" in record.getMessage() for record in caplog.records), "requests are logged"
    said += [record.getMessage() for record in caplog.records]
    said += [repr(machine), repr(connection), repr(provider.cloud.settings), repr(want_machine())]
    said.append(Path("/proc/self/cmdline").read_text())
    told = "\n".join(said)
    assert [secret for secret in kept if secret in told] == []
