"""What the bed consists of, in the order in which it is started."""

from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keystoneauth1.exceptions
from tests.openstack.bed.layout import APIS, CLOUD, DATABASES, Layout
from tests.openstack.bed.processes import BedError, do, listening, names, running, start, stop, until

WSGI = {
    "keystone": "keystone.wsgi.api",
    "placement": "placement.wsgi.api",
    "glance": "glance.wsgi.api",
    "neutron": "neutron.wsgi.api",
    "nova": "nova.wsgi.osapi_compute",
    "cinder": "cinder.wsgi.api",
}
DAEMONS = {
    "nova-conductor": "nova/nova.conf",
    "nova-scheduler": "nova/nova.conf",
    "nova-compute": "nova/nova-compute.conf",
    "cinder-scheduler": "cinder/cinder.conf",
    "cinder-volume": "cinder/cinder.conf",
}
FIRST_LOOKS = {
    "keystone": ("identity", "/projects"),
    "placement": ("placement", "/resource_providers"),
    "glance": ("image", "/images"),
    "neutron": ("network", "/security-groups"),  # never empty, and looked through one by one
    "nova": ("compute", "/servers"),
    "cinder": ("block_storage", "/volumes"),
}
"""openstacksdk's name of each service, and a listing for which it has to look into its policy."""
BASE = ("mariadb", "epmd", "rabbitmq")
THREADS = 8
ONE_BY_ONE = frozenset({"keystone"})
"""Services that answer one request at a time. Requests side by side in one Keystone were seen to find another
user's roles, or none just after a grant, with its cache in memory and without it.
"""


def make_folders(bed: Layout) -> None:
    """The folders of a run."""
    for folder in (bed.etc, bed.log, bed.pids, bed.run / "faults"):
        folder.mkdir(parents=True, exist_ok=True)


# -- the database --------------------------------------------------------------------------------------
def make_database(bed: Layout) -> None:
    """An empty MariaDB."""
    do(
        bed,
        "install-db",
        [
            bed.debian / "usr/bin/mariadb-install-db",
            "--no-defaults",
            f"--basedir={bed.debian}/usr",
            f"--datadir={bed.run}/mysql",
            "--user=root",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
            f"--plugin-dir={bed.debian}/usr/lib/mysql/plugin",
        ],
        bed.environment(),
    )


def start_database(bed: Layout) -> None:
    """MariaDB, careless about power cuts: a run's data is not worth a flush."""
    start(
        bed,
        "mariadb",
        [
            bed.debian / "usr/sbin/mariadbd",
            "--no-defaults",
            f"--basedir={bed.debian}/usr",
            f"--datadir={bed.run}/mysql",
            "--user=root",
            "--bind-address=127.0.0.1",
            f"--port={bed.port('mariadb')}",
            f"--socket={bed.run}/mysql.sock",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--innodb-doublewrite=0",
            "--innodb-buffer-pool-size=256M",
            "--innodb-log-file-size=32M",
            "--max-connections=500",
            "--skip-log-bin",
            "--character-set-server=utf8mb3",
            "--collation-server=utf8mb3_general_ci",
            f"--plugin-dir={bed.debian}/usr/lib/mysql/plugin",
        ],
        bed.environment(),
    )


def create_databases(bed: Layout) -> None:
    """The services' databases, empty."""
    statements = " ".join(f"CREATE DATABASE {name};" for name in DATABASES)
    client = [bed.debian / "usr/bin/mariadb", "--no-defaults", "-uroot", f"--socket={bed.run}/mysql.sock"]
    do(bed, "create-databases", [*client, "-e", statements], bed.environment())


@contextmanager
def without_database(bed: Layout, name: str) -> Iterator[None]:
    """One service's tables are out of its reach, as when its database server is down; then back."""
    hidden, tables = f"{name}_away", _asked(bed, f"SHOW TABLES IN {name}").split()
    _asked(bed, f"CREATE DATABASE {hidden}")
    _asked(bed, _moved(tables, name, hidden))
    try:
        yield
    finally:
        _asked(bed, _moved(tables, hidden, name))
        _asked(bed, f"DROP DATABASE {hidden}")


def leave_in_build(bed: Layout, server: str) -> None:
    """A server is as Nova leaves one whose build failed while it could not reach Keystone."""
    unborn = "vm_state = 'building', task_state = NULL, launched_at = NULL"
    _asked(bed, f"UPDATE nova.instances SET {unborn} WHERE uuid = '{server}'")


def _moved(tables: Sequence[str], source: str, target: str) -> str:
    moves = ", ".join(f"{source}.{table} TO {target}.{table}" for table in tables)
    return f"SET lock_wait_timeout = 20; RENAME TABLE {moves}"


def _asked(bed: Layout, statement: str) -> str:
    """What the database answers."""
    client = [
        bed.debian / "usr/bin/mariadb",
        "--no-defaults",
        "-uroot",
        f"--socket={bed.run}/mysql.sock",
        "-N",
    ]
    done = subprocess.run(
        [*client, "-e", statement], env=bed.environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise BedError(f"the database refuses: {done.stderr.strip()}")
    return done.stdout


# -- the message queue ---------------------------------------------------------------------------------
def start_queue(bed: Layout) -> None:
    """RabbitMQ and its port mapper."""
    home = bed.run / "rabbitmq"
    (home / "home").mkdir(parents=True, exist_ok=True)
    (home / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{bed.port('rabbitmq')}\n"
        "loopback_users = none\n"
        "log.file.level = warning\n"
        "vm_memory_high_watermark.relative = 0.2\n"
    )
    (home / "enabled_plugins").write_text("[].")
    (home / "env.conf").touch()
    server = next((bed.debian / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))
    environment = bed.environment(
        HOME=str(home / "home"),
        RABBITMQ_HOME=str(server),
        RABBITMQ_NODENAME="govpool-bed@localhost",
        RABBITMQ_BASE=str(home),
        RABBITMQ_MNESIA_BASE=str(home / "mnesia"),
        RABBITMQ_LOG_BASE=str(home / "log"),
        RABBITMQ_CONFIG_FILE=str(home / "rabbitmq.conf"),
        RABBITMQ_CONF_ENV_FILE=str(home / "env.conf"),
        RABBITMQ_ENABLED_PLUGINS_FILE=str(home / "enabled_plugins"),
        RABBITMQ_PID_FILE=str(home / "pid"),
        RABBITMQ_DIST_PORT=str(bed.port("rabbitmq-dist")),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
        " -kernel inet_dist_use_interface {127,0,0,1}",
        ERL_EPMD_PORT=str(bed.port("epmd")),
        ERL_EPMD_ADDRESS="127.0.0.1",
    )
    erlang = bed.debian / "usr/lib/erlang"
    environment["PATH"] = f"{erlang}/bin:{environment['PATH']}"
    start(bed, "epmd", [next(erlang.glob("erts-*/bin/epmd"))], environment)
    start(bed, "rabbitmq", [server / "sbin/rabbitmq-server"], environment)


def start_base(bed: Layout) -> None:
    """Database and message queue, until both take connections."""
    start_database(bed)
    start_queue(bed)
    for service, seconds in (("mariadb", 60), ("rabbitmq", 90)):
        until(f"{service} listens", seconds, lambda service=service: listening(bed.port(service)))  # type: ignore[misc]


# -- the services --------------------------------------------------------------------------------------
def start_api(bed: Layout, service: str) -> None:
    """An API under uWSGI."""
    etc = str(bed.etc / service)
    places = {
        "neutron": {"OS_NEUTRON_CONFIG_DIR": etc, "OS_NEUTRON_CONFIG_FILES": "neutron.conf"},
    }.get(service, {f"OS_{service.upper()}_CONFIG_DIR": etc})
    more = ["--pyargv", f"--config-file {etc}/cinder.conf"] if service == "cinder" else []
    start(
        bed,
        f"{service}-api",
        [
            bed.venv / "bin/uwsgi",
            "--http-socket",
            f"127.0.0.1:{bed.port(service)}",
            "--module",
            f"{WSGI[service]}:application",
            "--virtualenv",
            bed.venv,
            "--master",
            "--processes",
            "1",
            "--threads",
            "1" if service in ONE_BY_ONE else str(THREADS),
            "--enable-threads",
            "--lazy-apps",
            "--need-app",
            "--die-on-term",
            "--worker-reload-mercy",
            "3",
            "--add-header",
            "Connection: close",
            "--hook-master-start",
            "unix_signal:15 gracefully_kill_them_all",
            "--buffer-size",
            "65535",
            "--chunked-input-limit",
            "67108864",
            "--chunked-input-timeout",
            "60",
            "--disable-logging",
            "--procname-prefix",
            f"bed-{service} ",
            *more,
        ],
        bed.environment(**places),
    )


def start_daemon(bed: Layout, daemon: str) -> None:
    """A daemon of Nova or Cinder."""
    config = bed.etc / DAEMONS[daemon]
    start(bed, daemon, [bed.venv / "bin" / daemon, "--config-file", config], bed.environment())


def start_services(bed: Layout) -> None:
    """Every API and daemon that is not running."""
    for service in APIS:
        if not running(bed, f"{service}-api"):
            start_api(bed, service)
    for daemon in DAEMONS:
        if not running(bed, daemon):
            start_daemon(bed, daemon)


def answers(bed: Layout, service: str) -> bool:
    """Whether an API gives any answer below 500."""
    connection = http.client.HTTPConnection("127.0.0.1", bed.port(service), timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def await_api(bed: Layout, service: str) -> None:
    """Until the API answers; BedError when its process ends before."""

    def answering() -> bool:
        if not running(bed, f"{service}-api"):
            raise BedError(f"{service} ended; see {bed.log}/{service}-api.log")
        return answers(bed, service)

    until(f"{service} answers (see {bed.log}/{service}-api.log)", 120, answering)
    until(f"{service} has read its policy", 120, lambda: _first_look(bed, service))


def _first_look(bed: Layout, service: str) -> bool:
    """Whether a first request of the administrator's was answered.

    A service reads its policy during its first request. Others that come meanwhile, in other threads, find
    half of it and are refused with 403.
    """
    import openstack.config
    import openstack.connection

    proxy, path = FIRST_LOOKS[service]
    config = openstack.config.OpenStackConfig(config_files=[str(bed.clouds_yaml)], load_envvars=False)
    cloud = openstack.connection.Connection(config=config.get_one(CLOUD))
    try:
        return bool(getattr(cloud, proxy).get(path).ok)
    except (openstack.exceptions.SDKException, keystoneauth1.exceptions.ClientException, OSError):
        return False
    finally:
        cloud.close()


def stop_all(bed: Layout) -> None:
    """End everything that was started: services first, then queue and database."""
    if not bed.pids.is_dir():
        return
    started = names(bed)
    stop(bed, [name for name in started if name not in BASE])
    stop(bed, [name for name in reversed(BASE) if name in started], seconds=30)


def wipe(folder: Path) -> None:
    """Remove a run's folder."""
    shutil.rmtree(folder, ignore_errors=True)
