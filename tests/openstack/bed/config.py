"""The configuration files of the services."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.openstack.bed.layout import APIS, CLOUD, REGION, Layout

EXAMPLES = Path(__file__).parents[3] / "examples/openstack-policy"
POLICIES = ("keystone", "nova", "cinder", "neutron")
"""Services that run with the policy that the documentation recommends."""
Sections = dict[str, dict[str, object]]


def write_all(bed: Layout) -> None:
    """Write every service's file under ``etc`` and the ``clouds.yaml`` of the bed's administrator."""
    for service, sections in {
        "keystone/keystone": _keystone(bed),
        "placement/placement": _placement(bed),
        "glance/glance-api": _glance(bed),
        "neutron/neutron": _neutron(bed),
        "nova/nova": _nova(bed, with_database=True),
        "nova/nova-compute": _nova(bed, with_database=False),
        "cinder/cinder": _cinder(bed),
    }.items():
        path = bed.etc / f"{service}.conf"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_ini(sections))
        path.chmod(0o600)
    bed.clouds_yaml.touch(mode=0o600)
    bed.clouds_yaml.write_text(_clouds(bed))
    for service in POLICIES:
        shutil.copyfile(EXAMPLES / f"{service}.yaml", bed.etc / service / "policy.yaml")
    shutil.copyfile(bed.venv / "etc/nova/api-paste.ini", bed.etc / "nova/api-paste.ini")
    folders = ("glance/images", "glance/staging", "glance/tasks", "nova/instances", "nova-compute/instances")
    for folder in folders:
        (bed.run / folder).mkdir(parents=True, exist_ok=True)


def _ini(sections: Mapping[str, Mapping[str, object]]) -> str:
    lines: list[str] = []
    for name, options in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {_text(value)}" for key, value in options.items()]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _clouds(bed: Layout) -> str:
    return f"""clouds:
  {CLOUD}:
    auth:
      auth_url: {bed.url("keystone")}
      username: admin
      password: {bed.password}
      project_name: admin
      user_domain_id: default
      project_domain_id: default
    region_name: {REGION}
    identity_api_version: 3
"""


def _database(bed: Layout, name: str) -> dict[str, object]:
    url = f"mysql+pymysql://root@127.0.0.1:{bed.port('mariadb')}/{name}?charset=utf8"
    return {"connection": url, "max_pool_size": 5, "max_overflow": 30}


def _account(bed: Layout, user: str) -> dict[str, object]:
    return {
        "auth_type": "password",
        "auth_url": bed.url("keystone"),
        "username": user,
        "password": bed.password,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "region_name": REGION,
    }


def _tokens(bed: Layout, user: str) -> Sections:
    account = _account(bed, user)
    return {
        "keystone_authtoken": {
            **account,
            "www_authenticate_uri": bed.url("keystone"),
            "service_token_roles": "service",
            "service_token_roles_required": True,
        },
        "service_user": {**account, "send_service_user_token": True},
    }


def _common(bed: Layout, name: str) -> dict[str, object]:
    (bed.run / name / "lock").mkdir(parents=True, exist_ok=True)
    return {
        "transport_url": f"rabbit://guest:guest@127.0.0.1:{bed.port('rabbitmq')}/",
        "use_stderr": True,
        "state_path": bed.run / name,
        "rpc_response_timeout": 60,
        "executor_thread_pool_size": 32,
    }


def _policy(bed: Layout, name: str) -> Sections:
    return {"oslo_policy": {"policy_file": bed.etc / name / "policy.yaml"}}


def _messaging(bed: Layout, name: str) -> Sections:
    return {
        "oslo_concurrency": {"lock_path": bed.run / name / "lock"},
        "oslo_messaging_notifications": {"driver": "noop"},
        "oslo_messaging_rabbit": {
            "heartbeat_in_pthread": False,
            "rabbit_quorum_queue": False,
            "amqp_auto_delete": True,
            "kombu_reconnect_delay": 0.5,
        },
    }


def _keystone(bed: Layout) -> Sections:
    keys = bed.etc / "keystone/fernet-keys"
    return {
        "DEFAULT": {"use_stderr": True},
        "database": _database(bed, "keystone"),
        "token": {"provider": "fernet", "expiration": 3600},
        "fernet_tokens": {"key_repository": keys},
        "fernet_receipts": {"key_repository": keys},
        "credential": {"key_repository": bed.etc / "keystone/credential-keys"},
        "identity": {"password_hash_rounds": 4},
        # Pickled: what is handed out of the plain memory backend is the cached object itself.
        "cache": {"enabled": True, "backend": "dogpile.cache.memory_pickle"},
        **_policy(bed, "keystone"),
        "oslo_messaging_notifications": {"driver": "noop"},
    }


def _placement(bed: Layout) -> Sections:
    (bed.run / "placement").mkdir(parents=True, exist_ok=True)
    return {
        "DEFAULT": {"use_stderr": True, "state_path": bed.run / "placement"},
        "placement_database": _database(bed, "placement"),
        "api": {"auth_strategy": "keystone"},
        **_tokens(bed, "placement"),
    }


def _glance(bed: Layout) -> Sections:
    store = bed.run / "glance"
    return {
        "DEFAULT": {
            **_common(bed, "glance"),
            "enabled_backends": "file:file",
            "workers": 0,
            "worker_self_reference_url": bed.url("glance"),
        },
        "glance_store": {"default_backend": "file"},
        "file": {"filesystem_store_datadir": store / "images"},
        "os_glance_staging_store": {"filesystem_store_datadir": store / "staging"},
        "os_glance_tasks_store": {"filesystem_store_datadir": store / "tasks"},
        "paste_deploy": {"flavor": "keystone", "config_file": bed.venv / "etc/glance/glance-api-paste.ini"},
        "database": _database(bed, "glance"),
        **_tokens(bed, "glance"),
        **_messaging(bed, "glance"),
    }


def _neutron(bed: Layout) -> Sections:
    return {
        "DEFAULT": {
            **_common(bed, "neutron"),
            "core_plugin": "ml2",
            "service_plugins": "router",
            "auth_strategy": "keystone",
            "dhcp_agent_notification": False,
            "notify_nova_on_port_status_changes": True,
            "notify_nova_on_port_data_changes": True,
            "api_workers": 1,
            "rpc_workers": 0,
            "api_paste_config": bed.venv / "etc/neutron/api-paste.ini",
        },
        "database": _database(bed, "neutron"),
        "nova": _account(bed, "nova"),
        "placement": _account(bed, "placement"),
        "ml2": {
            "type_drivers": "local,flat",
            "tenant_network_types": "local",
            "mechanism_drivers": "bed",
            "extension_drivers": "port_security",
        },
        "ml2_type_flat": {"flat_networks": "*"},
        "securitygroup": {"enable_security_group": True},
        **_tokens(bed, "neutron"),
        **_policy(bed, "neutron"),
        **_messaging(bed, "neutron"),
    }


def _nova(bed: Layout, *, with_database: bool) -> Sections:
    name = "nova" if with_database else "nova-compute"
    databases: Sections = {"database": _database(bed, "nova"), "api_database": _database(bed, "nova_api")}
    return {
        "DEFAULT": {
            **_common(bed, name),
            "host": "controller" if with_database else "compute-1",
            "my_ip": "127.0.0.1",
            "compute_driver": "govpool_bed_servers.FakeServers",
            "instances_path": bed.run / name / "instances",
            "allow_resize_to_same_host": True,
            "vif_plugging_is_fatal": False,
            "vif_plugging_timeout": 0,
            "osapi_compute_workers": 1,
            "cpu_allocation_ratio": 16.0,
            "sync_power_state_interval": 600,
        },
        "api": {"auth_strategy": "keystone"},
        "wsgi": {"api_paste_config": bed.venv / "etc/nova/api-paste.ini"},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": -1},
        "conductor": {"workers": 1},
        "vnc": {"enabled": False},
        "filter_scheduler": {"track_instance_changes": False},
        "placement": _account(bed, "placement"),
        "neutron": {**_account(bed, "neutron"), "service_metadata_proxy": False},
        "cinder": {**_account(bed, "cinder"), "catalog_info": "block-storage::publicURL"},
        "glance": _account(bed, "glance"),
        **(databases if with_database else {}),
        **_tokens(bed, "nova"),
        **_policy(bed, "nova"),
        **_messaging(bed, name),
    }


def _cinder(bed: Layout) -> Sections:
    (bed.run / "cinder/coordination").mkdir(parents=True, exist_ok=True)
    return {
        "DEFAULT": {
            **_common(bed, "cinder"),
            "auth_strategy": "keystone",
            "my_ip": "127.0.0.1",
            "host": "volumes-1",
            "osapi_volume_workers": 1,
            "api_paste_config": bed.venv / "etc/cinder/api-paste.ini",
            "resource_query_filters_file": bed.venv / "etc/cinder/resource_filters.json",
            "enabled_backends": "files",
            "glance_api_servers": bed.url("glance"),
            "image_conversion_dir": bed.run / "cinder/conversion",
        },
        "files": {"volume_driver": "govpool_bed_volumes.FileDriver", "volume_backend_name": "files"},
        "coordination": {"backend_url": f"file://{bed.run}/cinder/coordination"},
        "database": _database(bed, "cinder"),
        "nova": _account(bed, "nova"),
        **_tokens(bed, "cinder"),
        **_policy(bed, "cinder"),
        **_messaging(bed, "cinder"),
    }


def endpoints(bed: Layout) -> dict[str, tuple[str, str]]:
    """Service name to type and address, as the catalogue needs them (Keystone brings its own)."""
    return {name: (kind, bed.url(name)) for name, kind in APIS.items() if name != "keystone"}
