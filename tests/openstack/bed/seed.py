"""The databases after all migrations, with the service accounts and the catalogue: made once, then copied."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

from tests.openstack.bed import config, services
from tests.openstack.bed.layout import REGION, Layout
from tests.openstack.bed.processes import do, stop, until

KEYS = ("fernet-keys", "credential-keys")


def make_seed(bed: Layout) -> None:
    """Migrate empty databases, register the services, and keep the result at rest in ``bed.seed``."""
    services.make_database(bed)
    services.start_database(bed)
    until("mariadb listens", 60, lambda: services.listening(bed.port("mariadb")))
    services.create_databases(bed)
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(step, bed) for step in (_nova, _keystone, _neutron, _others)]:
            job.result()
    services.start_api(bed, "keystone")
    services.await_api(bed, "keystone")
    _register(bed)
    stop(bed, ["keystone-api"])
    stop(bed, ["mariadb"], seconds=60)
    unfinished = bed.seed.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(bed.run / "mysql", unfinished / "mysql")
    for keys in KEYS:
        shutil.copytree(bed.etc / "keystone" / keys, unfinished / keys)
    unfinished.rename(bed.seed)


def plant_seed(bed: Layout) -> None:
    """Give a new run its databases and keys."""
    shutil.copytree(bed.seed / "mysql", bed.run / "mysql")
    for keys in KEYS:
        shutil.copytree(bed.seed / keys, bed.etc / "keystone" / keys)


def manage(bed: Layout, tool: str, conf: str, *words: str) -> None:
    """One command of a service's management tool."""
    name = "-".join([tool, *words[:2]]).replace("/", "_")
    do(bed, name, [bed.venv / "bin" / tool, "--config-file", bed.etc / conf, *words], bed.environment())


def _keystone(bed: Layout) -> None:
    conf = "keystone/keystone.conf"
    manage(bed, "keystone-manage", conf, "db_sync")
    for keys in ("fernet_setup", "credential_setup"):
        manage(bed, "keystone-manage", conf, keys, "--keystone-user", "root", "--keystone-group", "root")
    command = [bed.venv / "bin/keystone-manage", "--config-file", bed.etc / conf, "bootstrap"]
    options = ["--bootstrap-region-id", REGION]
    for interface in ("public", "internal", "admin"):
        options += [f"--bootstrap-{interface}-url", bed.url("keystone")]
    environment = bed.environment(OS_BOOTSTRAP_PASSWORD=bed.password)
    do(bed, "keystone-bootstrap", [*command, *options], environment)


def _nova(bed: Layout) -> None:
    conf = "nova/nova.conf"
    manage(bed, "nova-manage", conf, "api_db", "sync")
    manage(bed, "nova-manage", conf, "cell_v2", "map_cell0")
    manage(bed, "nova-manage", conf, "db", "sync")
    manage(bed, "nova-manage", conf, "cell_v2", "create_cell", "--name", "cell1")


def _neutron(bed: Layout) -> None:
    manage(bed, "neutron-db-manage", "neutron/neutron.conf", "upgrade", "heads")


def _others(bed: Layout) -> None:
    manage(bed, "glance-manage", "glance/glance-api.conf", "db_sync")
    manage(bed, "placement-manage", "placement/placement.conf", "db", "sync")
    manage(bed, "cinder-manage", "cinder/cinder.conf", "db", "sync")


def _register(bed: Layout) -> None:
    """Service accounts, services and endpoints."""
    import openstack

    cloud = openstack.connect(
        auth_url=bed.url("keystone"),
        username="admin",
        password=bed.password,
        project_name="admin",
        user_domain_id="default",
        project_domain_id="default",
        region_name=REGION,
        identity_api_version="3",
        load_yaml_config=False,
        load_envvars=False,
    )
    identity = cloud.identity
    project = identity.create_project(name="service", domain_id="default")
    roles = [identity.find_role("admin"), identity.find_role("service")]
    for name, (kind, url) in config.endpoints(bed).items():
        user = identity.create_user(name=name, password=bed.password, domain_id="default")
        for role in roles:
            identity.assign_project_role_to_user(project, user, role)
        service = identity.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            identity.create_endpoint(service_id=service.id, interface=interface, url=url, region_id=REGION)
    cloud.close()
