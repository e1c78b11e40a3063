"""An operator that dies between two calls, and quotas that are too small: a cloud of any kind can have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from contract_pools import Pool, want_machine
from openstack_cloud import Cable, Killed, Tenant, finish, opened
from test_contract import refused

from govpool_providers.base import Size
from govpool_providers.errors import ErrorCode
from govpool_providers.openstack import OpenStackProvider


@pytest.mark.parametrize("short", ["compute", "volume", "network", "ports"])
def test_a_quota_of_the_cloud_is_named_and_retried(pool: Pool, tenant: Tenant, short: str) -> None:
    """Nova says 403, Cinder 413, Neutron 409; a lack of ports comes through Nova."""
    admin, project = tenant.admin, tenant.cloud.current_project_id
    if admin is None:
        pytest.skip("needs an administrator, to set quotas")

    def grant(amount: int) -> None:
        match short:
            case "compute":
                admin.compute.update_quota_set(project, cores=amount)
            case "volume":
                admin.block_storage.update_quota_set(project, gigabytes=amount)
            case "network":
                admin.network.update_quota(project, security_groups=amount)
            case _:
                admin.network.update_quota(project, ports=amount - 1)

    provider = opened(tenant)
    grant(1)
    error = refused(ErrorCode.QUOTA_EXCEEDED, lambda: provider.ensure_machine(want_machine(size=Size(2, 1))))
    assert not error.final
    assert provider.list_machines() == ()
    grant(20)
    pool.build(want_machine(size=Size(2, 1)), provider)
    assert len(provider.list_all_disks()) == 2


def killed(tenant: Tenant, changes: int, action: Callable[[OpenStackProvider], Any], *, answer: bool) -> bool:
    """Do it with a death at the change after ``changes``; whether it came to that."""
    cable = Cable()
    cable.changes_left, cable.lose_answer = changes, not answer
    try:
        action(opened(tenant, cable))
    except Killed:
        return True
    return False


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("answer", [True, False], ids=["before-the-call", "before-the-answer"])
def test_a_death_in_any_gap_of_a_build_leaves_one_machine(
    pool: Pool, tenant: Tenant, *, answer: bool
) -> None:
    for changes in range(20):
        if not killed(tenant, changes, lambda one: one.ensure_machine(want_machine()), answer=answer):
            break
        finish(pool, tenant)
        tenant.empty()
    assert changes == 8  # two volumes, a security group and its rule, two marks, a server group, the server


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("answer", [True, False], ids=["before-the-call", "before-the-answer"])
def test_a_death_in_any_gap_of_a_removal_leaves_nothing(pool: Pool, tenant: Tenant, *, answer: bool) -> None:
    def remove(provider: OpenStackProvider) -> None:
        pool.release("m1", provider)
        for key in ("m1-root", "m1-data1"):
            provider.delete_disk(key)

    for changes in range(20):
        pool.build(want_machine(), opened(tenant))
        if not killed(tenant, changes, remove, answer=answer):
            break
        remove(opened(tenant))
        assert tenant.left() == {}
    assert changes == 5  # the server, a security group, a server group, two volumes
