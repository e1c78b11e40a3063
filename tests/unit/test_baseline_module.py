"""The module's checks on a tree of files: what fails, how it is mended, and that an audit writes nothing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from govpool.effects.baseline import control_file, load_controls

sys.path.insert(0, str(control_file().parents[1] / "module_utils"))

from govpool_baseline import audit
from govpool_baseline.base import KINDS, compare, number
from govpool_baseline.system import NotMendable, ReadOnly, System

assert audit  # registers the kinds


class Tree:
    """A machine's files below a temporary directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def read(self, name: str) -> str:
        return (self.root / name.lstrip("/")).read_text()

    def system(self, *, read_only: bool = True) -> Any:
        return System(str(self.root), read_only=read_only)

    def snapshot(self) -> dict[str, tuple[int, int, bytes]]:
        found = {}
        for folder, _, files in os.walk(self.root):
            for name in (folder, *(os.path.join(folder, file) for file in files)):
                status = os.lstat(name)
                text = Path(name).read_bytes() if os.path.isfile(name) else b""
                found[name] = (status.st_mode, status.st_mtime_ns, text)
        return found


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


MENDABLE: list[tuple[str, dict[str, Any], dict[str, str], dict[str, str]]] = [
    # kind, its data, files before, what must stand in files after
    (
        "setting",
        {"file": "/etc/login.defs", "key": "PASS_MAX_DAYS", "style": "space", "op": "1..", "value": 90},
        {"/etc/login.defs": "# PASS_MAX_DAYS 1\nPASS_MAX_DAYS\t99999\nPASS_MIN_DAYS 0\n"},
        {"/etc/login.defs": "# PASS_MAX_DAYS 1\nPASS_MAX_DAYS 90\nPASS_MIN_DAYS 0\n"},
    ),
    (
        "setting",
        {"file": "/etc/security/faillock.conf", "key": "even_deny_root", "style": "flag"},
        {"/etc/security/faillock.conf": "# even_deny_root\ndeny = 3\n"},
        {"/etc/security/faillock.conf": "# even_deny_root\ndeny = 3\neven_deny_root\n"},
    ),
    (
        "setting",
        {
            "file": "/etc/x.conf",
            "more": ["/etc/x.conf.d/*.conf"],
            "write": "/etc/x.conf.d/90-us.conf",
            "section": "[S]",
            "key": "Storage",
            "value": "none",
        },
        {"/etc/x.conf": "[S]\nStorage=none\n", "/etc/x.conf.d/95-them.conf": "[S]\nStorage=external\n"},
        {
            "/etc/x.conf.d/90-us.conf": "[S]\nStorage=none\n",
            "/etc/x.conf.d/95-them.conf": "[S]\n# off by the baseline: Storage=external\n",
        },
    ),
    (
        "shell_variable",
        {"file": "/etc/profile.d/zz.sh", "key": "TMOUT", "op": "1..", "value": 600, "readonly": True},
        {"/etc/profile": "TMOUT=0\n"},
        {"/etc/profile.d/zz.sh": "TMOUT=600\nreadonly TMOUT\nexport TMOUT\n"},
    ),
    (
        "shell_variable",
        {"file": "/etc/profile.d/zz.sh", "key": "umask", "op": "in", "value": ["027", "077"]},
        {"/etc/profile": "umask 022\n"},
        {"/etc/profile.d/zz.sh": "umask 027\n"},
    ),
    (
        "line",
        {
            "files": ["/etc/pam.d/su"],
            "pattern": "pam_wheel",
            "expected": "w",
            "line": "auth pam_wheel",
            "first": True,
        }
        | {"write": "/etc/pam.d/su"},
        {"/etc/pam.d/su": "#auth required pam_wheel.so\nauth rootok\n"},
        {"/etc/pam.d/su": "auth pam_wheel\n#auth required pam_wheel.so\nauth rootok\n"},
    ),
    (
        "forbidden_line",
        {"files": ["/etc/apt/s"], "pattern": "trusted=yes", "expected": "none"},
        {"/etc/apt/s": "deb [trusted=yes] x\ndeb y\n"},
        {"/etc/apt/s": "# off by the baseline: deb [trusted=yes] x\ndeb y\n"},
    ),
    (
        "sshd",
        {"key": "PermitRootLogin", "value": "no"},
        {
            "/usr/sbin/sshd": "",
            "/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nPermitRootLogin yes\n",
        },
        {"/etc/ssh/sshd_config.d/00-govpool-baseline.conf": "PermitRootLogin no\n"},
    ),
    (
        "sshd",
        {"key": "MaxAuthTries", "op": "1..", "value": 4},
        {"/usr/sbin/sshd": "", "/etc/ssh/sshd_config": "MaxAuthTries 6\n"},  # without Include
        {"/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nMaxAuthTries 6\n"},
    ),
    (
        "admin_sources",
        {"sources": ["10.1.0.0/16", "10.9.8.7"]},
        {
            "/usr/sbin/sshd": "",
            "/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\n",
        },
        {"/etc/ssh/sshd_config.d/00-govpool-baseline.conf": "AllowUsers *@10.1.0.0/16 *@10.9.8.7/32\n"},
    ),
    (
        "sysctl",
        {"values": {"net.ipv4.ip_forward": 0}},
        {"/etc/sysctl.d/99-sysctl.conf": "net.ipv4.ip_forward = 1\n"},
        {"/etc/sysctl.d/99-zz-govpool-baseline.conf": "net.ipv4.ip_forward = 0\n"},
    ),
    (
        "modules",
        {"names": ["sctp", "usb-storage"]},
        {"/etc/modprobe.d/a.conf": "install usb_storage /bin/true\n"},
        {
            "/etc/modprobe.d/govpool-baseline.conf": (
                "install sctp /bin/false\nblacklist sctp\n"
                "install usb-storage /bin/false\nblacklist usb-storage\n"
            )
        },
    ),
    (
        "accounts_password",
        {},
        {"/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/etc/shadow": "root::1:0:9:7:::\n"},
        {"/etc/shadow": "root:!:1:0:9:7:::\n"},
    ),
    (
        "logrotate",
        {"days": 180},
        {
            "/etc/logrotate.conf": "weekly\nrotate 4\ninclude /etc/logrotate.d\n",
            "/etc/logrotate.d/a": "/var/log/a\n/var/log/b\n{\n\trotate 7\n\tdaily\n}\n",
            "/etc/logrotate.d/b": "/var/log/c {\n  monthly\n}\n/var/log/d {\n  rotate -1\n}\n",
        },
        {
            "/etc/logrotate.conf": "weekly\nrotate 26\ninclude /etc/logrotate.d\n",
            "/etc/logrotate.d/a": "/var/log/a\n/var/log/b\n{\n\trotate 180\n\tdaily\n}\n",
            "/etc/logrotate.d/b": "/var/log/c {\n  monthly\n}\n/var/log/d {\n  rotate -1\n}\n",
        },
    ),
    (
        "audit_rules",
        {"rules": ["-w /etc/passwd -p wa -k identity", "-e 2"]},
        {"/sbin/auditctl": "", "/etc/audit/rules.d/audit.rules": "-D\n-w  /etc/shadow -p wa\n"},
        {
            "/etc/audit/rules.d/50-govpool-baseline.rules": "-w /etc/passwd -p wa -k identity\n",
            "/etc/audit/rules.d/99-govpool-finalize.rules": "-e 2\n",
        },
    ),
]


@pytest.mark.parametrize(("kind", "data", "files", "after"), MENDABLE, ids=[case[0] for case in MENDABLE])
def test_fails_is_mended_passes_and_stays(
    tree: Tree, kind: str, data: dict[str, Any], files: dict[str, str], after: dict[str, str]
) -> None:
    for name, text in files.items():
        tree.write(name, text)
    untouched = tree.snapshot()
    check = KINDS[kind](**data)
    assert check.check(tree.system()).passed is False
    assert tree.snapshot() == untouched, "an audit changes nothing"

    check.mend(tree.system(read_only=False))
    for name, text in after.items():
        assert tree.read(name) == text
    assert check.check(tree.system()).passed is True

    mended = {name: text for name, (_, _, text) in tree.snapshot().items()}
    check.mend(tree.system(read_only=False))
    assert {name: text for name, (_, _, text) in tree.snapshot().items()} == mended


@pytest.mark.parametrize(("kind", "data", "files", "after"), MENDABLE, ids=[case[0] for case in MENDABLE])
def test_a_read_only_system_can_not_be_mended(
    tree: Tree, kind: str, data: dict[str, Any], files: dict[str, str], after: dict[str, str]
) -> None:
    for name, text in files.items():
        tree.write(name, text)
    untouched = tree.snapshot()
    with pytest.raises(ReadOnly):
        KINDS[kind](**data).mend(tree.system())
    assert tree.snapshot() == untouched


PASSWD = (
    "root:x:0:0::/root:/bin/bash\nbin:x:2:2::/bin:/usr/sbin/nologin\nann:x:1000:1000::/home/ann:/bin/bash\n"
)
JUDGED: list[tuple[str, dict[str, Any], dict[str, str], bool | None]] = [
    (
        "accounts_unique",
        {},
        {"/etc/passwd": PASSWD, "/etc/group": "root:x:0:\nbin:x:2:\nann:x:1000:\n"},
        True,
    ),
    ("accounts_unique", {}, {"/etc/passwd": PASSWD, "/etc/group": "root:x:0:\nbin:x:2:\n"}, False),
    (
        "accounts_unique",
        {},
        {"/etc/passwd": PASSWD + PASSWD, "/etc/group": "root:x:0:\nbin:x:2:\nann:x:1000:"},
        False,
    ),
    ("accounts_unique", {}, {}, False),
    ("accounts_uid0", {}, {"/etc/passwd": PASSWD}, True),
    ("accounts_uid0", {}, {"/etc/passwd": PASSWD + "toor:x:0:0::/:/bin/sh\n"}, False),
    ("accounts_uid0", {}, {}, False),
    ("accounts_password", {}, {}, False),
    ("accounts_system", {}, {"/etc/passwd": PASSWD, "/etc/shadow": "bin:*:1:0:9:7:::\n"}, True),
    ("accounts_system", {}, {"/etc/passwd": PASSWD, "/etc/shadow": "bin:$y$x:1:0:9:7:::\n"}, False),
    ("accounts_ageing", {"days": 90}, {"/etc/shadow": "ann:$y$x:1:0:90:7:::\nbob:!:1:0:99999:7:::\n"}, True),
    ("accounts_ageing", {"days": 90}, {"/etc/shadow": "ann:$y$x:1:0:99999:7:::\n"}, False),
    ("accounts_ageing", {"days": 90}, {"/etc/shadow": "ann:$y$x:1:0::7:::\n"}, False),
    ("accounts_locked", {"names": ["root"]}, {"/etc/shadow": "root:*:1:0:9:7:::\n"}, True),
    ("accounts_locked", {"names": ["root"]}, {"/etc/shadow": "root:$y$x:1:0:9:7:::\n"}, False),
    (
        "sudo_nopasswd",
        {"users": ["op"]},
        {"/usr/bin/sudo": "", "/etc/sudoers.d/op": "op ALL=(ALL) NOPASSWD: ALL"},
        True,
    ),
    (
        "sudo_nopasswd",
        {"users": ["op"]},
        {"/usr/bin/sudo": "", "/etc/sudoers": "%sudo ALL=(ALL) NOPASSWD:ALL"},
        False,
    ),
    (
        "sudo_nopasswd",
        {"users": ["op"]},
        {"/usr/bin/sudo": "", "/etc/sudoers": "Defaults !authenticate"},
        False,
    ),
    ("sudo_nopasswd", {"users": ["op"]}, {}, None),
    ("sshd", {"key": "PermitRootLogin", "value": "no"}, {}, None),
    (
        "sshd",
        {"key": "PermitRootLogin", "value": "no"},
        {"/usr/sbin/sshd": "", "/etc/ssh/sshd_config": ""},
        False,
    ),
    (
        "sshd",
        {"key": "PasswordAuthentication", "value": "no"},
        {
            "/usr/sbin/sshd": "",
            "/etc/ssh/sshd_config": "PasswordAuthentication no\nMatch User b\n PasswordAuthentication yes\n",
        },
        False,
    ),
    (
        "admin_sources",
        {"sources": []},
        {"/usr/sbin/sshd": "", "/etc/ssh/sshd_config": "AllowUsers a@10.0.0.1"},
        False,
    ),
    (
        "admin_sources",
        {"sources": ["10.0.0.0/8"]},
        {"/usr/sbin/sshd": "", "/etc/ssh/sshd_config": "AllowUsers a@10.0.0.1 b@*"},
        False,
    ),
    (
        "admin_sources",
        {"sources": ["10.0.0.0/8"]},
        {"/usr/sbin/sshd": "", "/etc/ssh/sshd_config": "AllowUsers a@10.0.0.1 *@10.2.0.0/16"},
        True,
    ),
    (
        "packages_absent",
        {"names": ["proftpd*"]},
        {"/var/lib/dpkg/status": "Package: proftpd-core\nStatus: install ok installed\n\nPackage: a\n"},
        False,
    ),
    (
        "packages_absent",
        {"names": ["proftpd*"]},
        {
            "/var/lib/dpkg/status": "Package: proftpd-core\nStatus: deinstall ok config-files\n\nPackage: a\n"
            "Status: install ok installed\n"
        },
        True,
    ),
    ("packages_absent", {"names": ["x"]}, {}, False),
    ("package_checksums", {"packages": ["p"]}, {}, False),
    (
        "package_checksums",
        {"packages": ["p"]},
        {
            "/var/lib/dpkg/info/p.md5sums": "5d41402abc4b2a76b9719d911017c592  usr/bin/p\n",
            "/usr/bin/p": "hello",
        },
        True,
    ),
    (
        "package_checksums",
        {"packages": ["p"]},
        {
            "/var/lib/dpkg/info/p:amd64.md5sums": "5d41402abc4b2a76b9719d911017c592  usr/bin/p\n",
            "/usr/bin/p": "Hello",
        },
        False,
    ),
    (
        "ports",
        {"tcp": [22], "udp": []},
        {
            "/proc/net/tcp": "h\n 0: 00000000:0016 00000000:0000 0A\n 1: 0100007F:0050 00000000:0000 0A\n",
            "/proc/net/udp": "h\n",
        },
        True,
    ),
    ("ports", {"tcp": [22], "udp": []}, {"/proc/net/tcp": "h\n 0: 00000000:0017 00000000:0000 0A\n"}, False),
    (
        "ports",
        {"tcp": [22], "udp": []},
        {
            "/proc/net/tcp": "h\n",
            "/proc/net/tcp6": f"h\n 0: {'0' * 32}:0050 {'0' * 32}:0000 0A\n",
        },
        False,
    ),
    ("ports", {"tcp": [22], "udp": []}, {}, False),
    (
        "pam",
        {"stacks": {"common-auth": 2}, "module": "pam_faillock.so", "profiles": {}},
        {"/etc/pam.d/common-auth": "auth requisite pam_faillock.so\nauth [default=die] pam_faillock.so\n"},
        True,
    ),
    (
        "pam",
        {"stacks": {"common-auth": 2}, "module": "pam_faillock.so", "profiles": {}},
        {"/etc/pam.d/common-auth": "auth requisite pam_faillock.so preauth\n"},
        False,
    ),
    (
        "pam",
        {"stacks": {"p": 1}, "module": "pam_pwhistory.so", "args": ["remember=5"], "profiles": {}},
        {"/etc/pam.d/p": "password requisite pam_pwhistory.so remember=12\n"},
        True,
    ),
    (
        "pam",
        {"stacks": {"p": 1}, "module": "pam_pwhistory.so", "args": ["remember=5"], "profiles": {}},
        {"/etc/pam.d/p": "password requisite pam_pwhistory.so remember=3\n"},
        False,
    ),
    ("logrotate", {"days": 180}, {}, None),
    (
        "audit_rules",
        {"rules": ["-e 2"]},
        {"/etc/audit/rules.d/x.rules": "-e 2\n"},
        False,
    ),  # auditd is not installed
    ("absent", {"paths": ["/home/*/.rhosts"], "expected": "none"}, {"/home/ann/.rhosts": "+\n"}, False),
    ("absent", {"paths": ["/home/*/.rhosts"], "expected": "none"}, {}, True),
]


@pytest.mark.parametrize(("kind", "data", "files", "passed"), JUDGED)
def test_judgement(
    tree: Tree, kind: str, data: dict[str, Any], files: dict[str, str], passed: bool | None
) -> None:
    for name, text in files.items():
        tree.write(name, text)
    finding = KINDS[kind](**data).check(tree.system())
    assert finding.passed is passed, finding


def test_who_may_log_in_already_is_not_widened(tree: Tree) -> None:
    tree.write("/usr/sbin/sshd", "")
    tree.write("/etc/ssh/sshd_config", "AllowUsers ann\n")
    check = KINDS["admin_sources"](sources=["10.1.0.0/16"])
    with pytest.raises(NotMendable, match="ann"):
        check.mend(tree.system(read_only=False))
    assert tree.read("/etc/ssh/sshd_config") == "AllowUsers ann\n"


def test_modes_are_taken_away_and_never_given(tree: Tree) -> None:
    tree.write("/etc/a", "", 0o666)
    tree.write("/etc/b", "", 0o400)
    check = KINDS["mode"](paths=["/etc/*"], max="0640")
    assert not check.check(tree.system()).passed
    check.mend(tree.system(read_only=False))
    assert [(tree.root / "etc" / name).stat().st_mode & 0o7777 for name in "ab"] == [0o640, 0o400]


def test_a_missing_file_that_must_exist_is_made(tree: Tree) -> None:
    (tree.root / "etc").mkdir()
    check = KINDS["mode"](paths=["/etc/cron.allow"], max="0640", required=["/etc/cron.allow"])
    assert not check.check(tree.system()).passed
    check.mend(tree.system(read_only=False))
    assert check.check(tree.system()).passed


def test_the_walk_finds_what_is_open_and_known_programs_only_where_they_belong(tree: Tree) -> None:
    tree.write("/etc/passwd", PASSWD)
    tree.write("/etc/open", "", 0o666)
    tree.write("/usr/bin/sudo", "", 0o4755)
    tree.write("/home/ann/sudo", "", 0o4755)
    (tree.root / "var").mkdir()
    (tree.root / "var" / "shared").mkdir()
    (tree.root / "var" / "shared").chmod(0o777)
    for what, name, mode in (
        ("world_writable", "etc/open", 0o664),
        ("not_sticky", "var/shared", 0o1777),
        ("set_id", "home/ann/sudo", 0o755),
    ):
        check = KINDS["tree"](what=what, allow=["sudo"])
        finding = check.check(tree.system())
        assert (finding.passed, finding.found) == (False, "/" + name)
        check.mend(tree.system(read_only=False))
        assert (tree.root / name).stat().st_mode & 0o7777 == mode
        assert check.check(tree.system()).passed
    assert (tree.root / "usr/bin/sudo").stat().st_mode & 0o7777 == 0o4755


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("accounts_unique", {}),
        ("accounts_uid0", {}),
        ("ports", {"tcp": [], "udp": []}),
        ("sudo_nopasswd", {"users": []}),
        ("package_checksums", {"packages": ["p"]}),
        ("admin_sources", {"sources": []}),
    ],
)
def test_what_only_a_person_can_decide_is_left(tree: Tree, kind: str, data: dict[str, Any]) -> None:
    with pytest.raises(NotMendable, match=r"\w+"):
        KINDS[kind](**data).mend(tree.system(read_only=False))
    assert not list(tree.root.iterdir())


def test_one_broken_control_hides_no_other(tree: Tree) -> None:
    tree.write("/etc/shadow", "root:*:x:0:9:7:::\n")
    tree.write("/etc/passwd", PASSWD)
    tree.write("/etc/cron.allow", "")
    controls = [
        {"id": "A", "clause": "c", "level": 2, "checks": [{"kind": "sysctl", "values": {"a.b": 1}}]},
        {
            "id": "B",
            "clause": "c",
            "level": 2,
            "checks": [{"kind": "setting", "file": "/etc/shadow/x", "key": "k"}],
        },
        {
            "id": "C",
            "clause": "c",
            "level": 2,
            "checks": [
                {"kind": "line", "files": ["/etc/passwd"], "pattern": "("}
                | {"expected": "e", "line": "l", "write": "/w"}
            ],
        },
        {"id": "D", "clause": "c", "level": 2, "checks": [{"kind": "accounts_uid0"}]},
        {"id": "E", "clause": "c", "level": 3, "checks": [{"kind": "accounts_uid0"}]},
    ]
    results = audit.Baseline(controls, {}, {}, 2).audit(tree.system())
    assert [(r["id"], r["result"]) for r in results] == [
        ("A", "fail"),
        ("B", "fail"),
        ("C", "error"),
        ("D", "pass"),
    ]
    assert "unterminated" in results[2]["detail"]


def test_the_whole_baseline_on_a_bare_tree_changes_nothing_and_reports_all(tree: Tree) -> None:
    tree.write("/etc/passwd", PASSWD)
    controls, defaults = load_controls()
    untouched = tree.snapshot()
    results = audit.Baseline(controls, defaults, {}, 3).audit(tree.system())
    assert tree.snapshot() == untouched
    assert [r["id"] for r in results] == [c["id"] for c in controls]
    assert sum(r["result"] == "pass" for r in results) < len(results) / 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("180day", 15552000),
        ("6month", 15778800),
        ("0", 0),
        ("2w", 1209600),
        ("90", 90),
        ("x", None),
        ("", None),
    ],
)
def test_numbers_and_time_spans(text: str, value: int | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("found", "op", "wanted", "met"),
    [
        (None, "<=", 5, False),
        ("0", "1..", 90, False),  # 0 would switch the limit off
        ("91", "1..", 90, False),
        ("90", "1..", 90, True),
        ("0", ">= or 0", 900, True),
        ("899", ">= or 0", 900, False),
        ("Yes", "==", "yes", True),
        ("a,b", "subset", ["a", "b", "c"], True),
        ("a,d", "subset", ["a", "b", "c"], False),
        ("often", ">=", 1, False),
    ],
)
def test_comparisons(found: str | None, op: str, wanted: Any, met: bool) -> None:
    assert compare(found, op, wanted) is met
