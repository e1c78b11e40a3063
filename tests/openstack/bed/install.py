"""Gets what the bed runs: locked Python packages in a venv, Debian's database and message queue unpacked."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.openstack.bed.layout import HERE, Layout
from tests.openstack.bed.processes import BedError

DEBIAN = """
mariadb-server-core mariadb-server mariadb-client mariadb-client-core libmariadb3 libaio1
liburing2 rabbitmq-server erlang-base erlang-asn1 erlang-crypto erlang-public-key erlang-mnesia
erlang-runtime-tools erlang-ssl erlang-eldap erlang-ftp erlang-tftp erlang-inets erlang-snmp
erlang-os-mon erlang-parsetools erlang-syntax-tools erlang-tools erlang-xmerl
""".split()  # noqa: SIM905
DRIVERS = HERE / "drivers"
ENTRY_POINTS = "[neutron.ml2.mechanism_drivers]\nbed = govpool_bed_networks:BindEverything\n"


def install(bed: Layout) -> None:
    """Bring the bed's home up to date; repeating it costs nothing."""
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(_python, bed), pool.submit(_debian, bed)]:
            job.result()
    _drivers(bed)


def installed(bed: Layout) -> bool:
    """Whether everything is there that bringing the bed up would otherwise make first, in minutes."""
    return _has_python(bed) and _has_debian(bed) and bed.seed.exists()


def lock() -> None:
    """Resolve requirements.in anew: versions and hashes, no address of a registry."""
    _run(
        [
            _uv(),
            "pip",
            "compile",
            HERE / "requirements.in",
            "--python-version",
            "3.11",
            "--generate-hashes",
            "--no-emit-index-url",
            "--no-annotate",
            "--quiet",
            "--upgrade",
            "-o",
            HERE / "requirements.lock",
            "--custom-compile-command",
            "python -m tests.openstack.bed lock",
        ]
    )


def _uv() -> Path:
    return Path(sys.executable).parent / "uv"


def _has_python(bed: Layout) -> bool:
    return _stamped(*_python_stamp(bed))


def _python_stamp(bed: Layout) -> tuple[Path, str]:
    return bed.venv / ".lock.sha256", hashlib.sha256(bed.lock_file.read_bytes()).hexdigest()


def _has_debian(bed: Layout) -> bool:
    return _stamped(*_debian_stamp(bed))


def _debian_stamp(bed: Layout) -> tuple[Path, str]:
    return bed.debian / ".packages", " ".join(DEBIAN)


def _stamped(stamp: Path, wanted: str) -> bool:
    return stamp.exists() and stamp.read_text() == wanted


def _python(bed: Layout) -> None:
    if _has_python(bed):
        return
    stamp, wanted = _python_stamp(bed)
    _run([sys.executable, "-m", "venv", "--clear", "--without-pip", bed.venv])
    _run(
        [
            _uv(),
            "pip",
            "install",
            "--quiet",
            "--python",
            bed.venv / "bin/python",
            "--require-hashes",
            "--compile-bytecode",
            "-r",
            bed.lock_file,
        ]
    )
    stamp.write_text(wanted)


def _debian(bed: Layout) -> None:
    if _has_debian(bed):
        return
    stamp, wanted = _debian_stamp(bed)
    shutil.rmtree(bed.debian, ignore_errors=True)
    bed.debian.mkdir(parents=True)
    files = bed.debian / "packages"
    files.mkdir()
    download = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *DEBIAN]
    if subprocess.run(download, cwd=files, capture_output=True, check=False).returncode:
        _run(["apt-get", "update", "-qq"])
        _run(download, cwd=files)
    for package in files.glob("*.deb"):
        _run(["dpkg-deb", "-x", package, bed.debian])
    shutil.rmtree(files)
    erlang = bed.debian / "usr/lib/erlang"
    for script in (erlang / "bin/erl", *erlang.glob("erts-*/bin/erl")):
        text = script.read_text().replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={erlang}")
        resolved = script.resolve()
        script.unlink()
        script.write_text(text)
        script.chmod(0o755)
        assert resolved.name == "erl"
    stamp.write_text(wanted)


def _drivers(bed: Layout) -> None:
    """The bed's drivers go where the services look for them."""
    for module in DRIVERS.glob("*.py"):
        shutil.copyfile(module, bed.site / module.name)
    shutil.copyfile(DRIVERS / "govpool_bed_servers.py", bed.site / "nova/virt/govpool_bed_servers.py")
    info = bed.site / "govpool_bed_networks-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: govpool-bed-networks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)


def _run(argv: list[str | Path], *, cwd: Path | None = None) -> None:
    words = [str(word) for word in argv]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BedError(f"{' '.join(words[:4])} failed: {done.stderr.strip()[-800:]}")
