#!/usr/bin/python
"""Ansible module: gives a machine to its unit, and takes the operator's own access away."""

from __future__ import absolute_import, annotations, division, print_function

DOCUMENTATION = r"""
module: govpool_handover
short_description: Hands a machine over to its using unit
description:
  - C(phase=accounts) makes the unit's administrator accounts with their SSH keys and proves on the machine that they
    are as wanted. It takes nothing away and may be run any number of times.
  - C(phase=leave) looks at the accounts again, then removes the operator's account, sudo rules and keys. Once begun
    it goes on by itself, whether or not the connection holds; after it nobody can look from inside.
options:
  phase: {type: str, choices: [accounts, leave], required: true}
  accounts:
    description: The unit's accounts, each with name, keys (authorized_keys lines) and sudo (C(nopasswd), C(password)
      or C(none)). An account without a password can only use sudo with C(nopasswd).
    type: list
    elements: dict
    required: true
  operator_user: {description: The operator's account on the machine, type: str, required: true}
  operator_public_key: {description: The operator's key for the machine, type: str, required: true}
"""

RETURN = r"""
accounts:
  description: What was seen on the machine of every account - name, uid, SHA-256 fingerprints of its keys, sudo.
  type: list
removed:
  description: What C(phase=leave) took away.
  type: list
"""

import base64  # noqa: E402
import glob  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import pwd  # noqa: E402
import re  # noqa: E402
import signal  # noqa: E402
import stat  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}$")
_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa",
          "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
_SUDO = {"nopasswd": "ALL=(ALL:ALL) NOPASSWD: ALL", "password": "ALL=(ALL:ALL) ALL"}
_FIRST_PERSON = 1000


class Refused(Exception):
    """The handover can't go on; the text says why and what to do."""


def key_blob(line):
    """Return the base64 part of an authorized_keys line without options."""
    words = line.split()
    if len(words) < 2 or words[0] not in _KINDS:
        raise Refused("not an SSH public key of a kind that is taken: %.40s" % line)
    try:
        raw = base64.b64decode(words[1], validate=True)
    except ValueError:
        raise Refused("not an SSH public key: %.40s" % line) from None
    if raw[4 : 4 + len(words[0])] != words[0].encode():
        raise Refused("the key does not hold what it says it is: %.40s" % line)
    return words[1]


def fingerprint(line):
    """Return a key's SHA-256 fingerprint as ssh-keygen -l prints it."""
    digest = hashlib.sha256(base64.b64decode(key_blob(line))).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def checked(accounts, operator_user, operator_key):
    """Refuse accounts that would not be the unit's own."""
    if not accounts:
        raise Refused("no account of the unit is given: nobody could log in after the handover")
    for account in accounts:
        name, keys, sudo = account.get("name", ""), account.get("keys") or [], account.get("sudo", "nopasswd")
        if not _NAME.match(name) or name in ("root", operator_user):
            raise Refused("%r can't be the name of an account of the unit" % name)
        if not keys:
            raise Refused("account %s has no SSH public key: nobody could log in with it" % name)
        if sudo not in ("nopasswd", "password", "none"):
            raise Refused("account %s: sudo must be nopasswd, password or none, not %r" % (name, sudo))
        if key_blob(operator_key) in [key_blob(key) for key in keys]:
            raise Refused("account %s has the operator's own key: ask the unit for its own" % name)
    if all(account.get("sudo", "nopasswd") == "none" for account in accounts):
        raise Refused("none of the unit's accounts may administer the machine")
    if len({account["name"] for account in accounts}) != len(accounts):
        raise Refused("two accounts have the same name")


class Handover:
    """The work on the machine; keeps count of what it changes."""

    def __init__(self, module):
        self.module = module
        self.check = module.check_mode
        self.changes = []

    def run(self, *command):
        """Run a program that changes something."""
        self.changes.append(" ".join(command))
        if not self.check:
            status, output, errors = self.module.run_command(list(command))
            if status != 0:
                raise Refused("%s failed (%d): %s" % (" ".join(command), status, (output + errors).strip()[-300:]))

    def write(self, path, text, mode, uid=0, gid=0, validate=None):
        """Replace a file if it is not so already."""
        try:
            status = os.lstat(path)
            if not stat.S_ISREG(status.st_mode):
                raise Refused("%s is not a file: somebody prepared it; open the machine anew" % path)
            with open(path) as file:
                found = (file.read(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
            if found == (text, mode, uid, gid):
                return
        except FileNotFoundError:
            pass
        self.changes.append(path)
        if self.check:
            return
        descriptor, draft = tempfile.mkstemp(prefix=".govpool-", dir=os.path.dirname(path))
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(draft, mode)
        os.chown(draft, uid, gid)
        if validate:
            status, output, errors = self.module.run_command([*validate, draft])
            if status != 0:
                os.unlink(draft)
                raise Refused("%s is refused: %s" % (path, output + errors))
        os.replace(draft, path)

    def make(self, account):
        """Make an account with its keys and its sudo rule."""
        name, sudo = account["name"], account.get("sudo", "nopasswd")
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            self.run("useradd", "--create-home", "--shell", "/bin/bash", "--comment", account.get("comment", ""), name)
            if self.check:
                return
            entry = pwd.getpwnam(name)
        if entry.pw_uid < _FIRST_PERSON:
            raise Refused("%s is an account of the system: choose another name" % name)
        folder = os.path.join(entry.pw_dir, ".ssh")
        if not os.path.isdir(folder):
            self.changes.append(folder)
            if not self.check:
                os.mkdir(folder, 0o700)
                os.chown(folder, entry.pw_uid, entry.pw_gid)
        if os.path.isdir(folder) or not self.check:
            keys = "".join(key.strip() + "\n" for key in account["keys"])
            self.write(folder + "/authorized_keys", keys, 0o600, entry.pw_uid, entry.pw_gid)
        if sudo != "none":
            if name not in self._members("sudo"):
                self.run("usermod", "--append", "--groups", "sudo", name)
            rule = "%s %s\n" % (name, _SUDO[sudo])
            self.write("/etc/sudoers.d/" + name, rule, 0o440, validate=["visudo", "-c", "-q", "-f"])

    @staticmethod
    def _members(group):
        with open("/etc/group") as file:
            rows = [line.rstrip("\n").split(":") for line in file]
        return next((row[3].split(",") for row in rows if row[0] == group), [])

    def seen(self, account):
        """Look at the account as sshd and sudo will, and return what is evidence for it."""
        name, sudo = account["name"], account.get("sudo", "nopasswd")
        try:
            entry = pwd.getpwnam(name)
            with open(os.path.join(entry.pw_dir, ".ssh/authorized_keys")) as file:
                present = {key_blob(line) for line in file if line.strip()}
        except (KeyError, OSError) as error:
            raise Refused("account %s is not there: run the phase 'accounts' first (%s)" % (name, error)) from error
        if present != {key_blob(key) for key in account["keys"]}:
            raise Refused("account %s has other keys than the unit's: run the phase 'accounts' again" % name)
        if entry.pw_shell.endswith(("nologin", "false")):
            raise Refused("account %s has no shell" % name)
        for path in (entry.pw_dir, entry.pw_dir + "/.ssh", entry.pw_dir + "/.ssh/authorized_keys"):
            if os.stat(path).st_mode & 0o022 or os.stat(path).st_uid not in (0, entry.pw_uid):
                raise Refused("sshd would ignore the keys of %s: %s is open to others" % (name, path))
        status, settings, errors = self.module.run_command(["sshd", "-T", "-C", "user=%s,host=,addr=" % name])
        wanted = ("pubkeyauthentication yes", "authorizedkeysfile .ssh/authorized_keys")
        if status != 0 or not all(line in settings for line in wanted):
            raise Refused("sshd would not take the keys of %s: %s" % (name, errors.strip()[-200:] or "see sshd -T"))
        if sudo != "none":
            status, rights, _ = self.module.run_command(["sudo", "-l", "-U", name])
            if status != 0 or "ALL" not in rights:
                raise Refused("account %s may not use sudo" % name)
        prints = sorted(fingerprint(key) for key in account["keys"])
        return {"name": name, "uid": entry.pw_uid, "keys": prints, "sudo": sudo}

    def leave(self, user, key):
        """Remove the operator, in a process of its own that no lost connection stops.

        The account goes first: from then on no login is possible, and what is left is a rule for an account that is
        not there. The other way round, a power cut could leave an account that can log in and mend nothing.
        """
        self.changes.append("account %s" % user)
        if self.check:
            return []
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setsid()
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            try:
                answer = {"removed": remove_operator(user, key)}
            except Exception as error:  # the parent tells it; this process may end in no other way
                answer = {"error": "%s: %s" % (type(error).__name__, error)}
            try:
                os.write(writer, json.dumps(answer).encode())
            finally:
                os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            answer = json.loads(pipe.read() or b'{"error": "the removal ended without a word"}')
        os.waitpid(child, 0)
        if "error" in answer:
            raise Refused("the operator's access is removed by half: %s" % answer["error"])
        return answer["removed"]


def remove_operator(user, key):
    """Remove account, processes, sudo rules, keys and temporary files of the operator; return what was removed."""
    removed = []
    try:
        uid = pwd.getpwnam(user).pw_uid
    except KeyError:
        uid = None
    if uid is not None:
        done = subprocess.run(
            ["userdel", "--force", "--remove", user], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        with open("/etc/passwd") as file:
            if any(line.startswith(user + ":") for line in file):
                raise Refused("userdel (%d): %s" % (done.returncode, done.stdout.decode("utf-8", "replace").strip()))
        removed.append("account %s" % user)
    for path in glob.glob("/etc/sudoers.d/*"):
        with open(path) as file:
            lines = file.readlines()
        kept = [line for line in lines if line.split()[:1] != [user]]
        if kept != lines:
            removed.append("sudo rule in %s" % path)
            if any(line.strip() and not line.startswith("#") for line in kept):
                with open(path + ".govpool", "w") as file:  # sudo ignores names with a dot
                    file.writelines(kept)
                os.chmod(path + ".govpool", 0o440)
                os.replace(path + ".govpool", path)
            else:
                os.unlink(path)
    blob = key_blob(key)
    for path in ["/root/.ssh/authorized_keys", *glob.glob("/home/*/.ssh/authorized_keys")]:
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path) as file:
                lines = file.readlines()
            kept = [line for line in lines if blob not in line.split()]
            if kept != lines:
                with open(path, "w") as file:
                    file.writelines(kept)
                removed.append("key in %s" % path)
    if uid is not None:
        removed += remove_traces(uid)
    os.sync()
    return removed


def remove_traces(uid):
    """Remove the operator's files in the temporary directories, and end its other processes."""
    removed = []
    for path in glob.glob("/tmp/*") + glob.glob("/var/tmp/*") + glob.glob("/tmp/.*") + glob.glob("/var/tmp/.*"):
        if os.lstat(path).st_uid == uid:
            subprocess.run(["rm", "-rf", "--one-file-system", "--", path], check=True)
            removed.append(path)
    mine, pid = set(), os.getppid()
    while pid > 1:
        mine.add(pid)
        with open("/proc/%d/stat" % pid) as file:
            pid = int(file.read().rpartition(") ")[2].split()[1])
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and int(entry) not in mine and os.stat("/proc/" + entry).st_uid == uid:
                os.kill(int(entry), signal.SIGKILL)
                removed.append("process %s" % entry)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return removed


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "phase": {"type": "str", "choices": ["accounts", "leave"], "required": True},
            "accounts": {"type": "list", "elements": "dict", "required": True},
            "operator_user": {"type": "str", "required": True},
            "operator_public_key": {"type": "str", "required": True, "no_log": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    handover = Handover(module)
    removed = []
    try:
        if given["operator_user"] == "root":
            raise Refused("the operator logs in as root, whose account can't be removed: open the machine anew")
        checked(given["accounts"], given["operator_user"], given["operator_public_key"])
        if given["phase"] == "accounts":
            for account in given["accounts"]:
                handover.make(account)
        seen = [] if handover.check and handover.changes else [handover.seen(a) for a in given["accounts"]]
        if given["phase"] == "leave":
            removed = handover.leave(given["operator_user"], given["operator_public_key"])
    except Refused as error:
        module.fail_json(msg=str(error), changed=bool(handover.changes) and not handover.check)
    module.exit_json(changed=bool(handover.changes), phase=given["phase"], accounts=seen, removed=removed)


if __name__ == "__main__":
    main()
