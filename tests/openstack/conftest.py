"""A pool on a real OpenStack: the bed's, or what ``OS_CLOUD`` names. Only `make test-openstack` collects it.

In the bed each test has a project of its own and an account that is no more than a member of it.
"""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

WHERE = os.environ.get("GOVPOOL_TEST_OPENSTACK", "")
collect_ignore_glob = [] if WHERE else ["test_*.py"]


def pytest_configure(config: pytest.Config) -> None:
    """A marker of these tests alone."""
    config.addinivalue_line("markers", "alone: stops services, or needs the machine for itself")


if WHERE:
    sys.path.insert(0, str(Path(__file__).parent))  # importlib mode puts no test folder on the path
    sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))
    pytest.register_assert_rewrite("test_contract")

    from contract_pools import Pool
    from openstack_cloud import Cable, Ground, Tenant, bed_ground, cloud_ground

    from govpool_providers.openstack import OpenStackProvider

    @pytest.fixture(scope="session")
    def ground() -> Iterator[Ground]:
        """What all tests share: image, network, flavours; gone in the end."""
        made = bed_ground() if WHERE == "bed" else cloud_ground()
        yield made
        made.remove()

    @pytest.fixture
    def tenant(ground: Ground) -> Iterator[Tenant]:
        """A project, and what is in it."""
        made = ground.tenant(f"t{uuid.uuid4().hex[:8]}")
        yield made
        made.remove()

    @pytest.fixture
    def pool(tenant: Tenant) -> Pool:
        """The pool of the contract's tests."""
        cable = Cable()
        return Pool(
            "openstack",
            tenant.connection,
            # the pool's Secret stays, whatever settings the test opens it with
            lambda given: OpenStackProvider(replace(given, secret=tenant.connection.secret), http=cable),
            cable.cut,
            tenant.plant_copy,
        )
