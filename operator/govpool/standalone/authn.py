"""Who is asking: bearer tokens, kept as hashes, one kubeconfig file per user."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from .errors import unauthorized
from .objects import Obj
from .tls import write_private


@dataclass(frozen=True)
class User:
    """An authenticated user. `namespace` binds a unit's user to its own namespace; "" binds to none."""

    name: str
    uid: str
    groups: tuple[str, ...]
    namespace: str = ""

    def info(self) -> Obj:
        """Return authentication.k8s.io UserInfo."""
        info: Obj = {"username": self.name, "uid": self.uid, "groups": list(self.groups)}
        return info | {"extra": {"govpool.dev/namespace": [self.namespace]}} if self.namespace else info


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True)
class _AccountToken:
    """What a service account's token stands for. `expires` is in seconds since the epoch, machine time."""

    namespace: str
    name: str
    uid: str
    expires: float


class Users:
    """The users of one control plane; tokens are made here once and never stored in clear but in
    kubeconfigs."""

    def __init__(
        self, db: sqlite3.Connection, directory: Path, account_uid: Callable[[str, str], str]
    ) -> None:
        """`account_uid` tells the uid of the service account of a namespace and name, "" if there is none."""
        self._db = db
        self._account_uid = account_uid
        db.execute("DELETE FROM account_tokens WHERE expires < ?", (time.time(),))
        self._account_tokens = {
            row[0]: _AccountToken(*row[1:])
            for row in db.execute("SELECT token_hash, namespace, name, uid, expires FROM account_tokens")
        }
        self._directory = directory
        self._by_hash: dict[str, User] = {}
        self._by_name: dict[str, User] = {}
        for name, uid, groups, namespace, token_hash in db.execute(
            "SELECT name, uid, groups, namespace, token_hash FROM users"
        ):
            self._remember(User(name, uid, tuple(json.loads(groups)), namespace), token_hash)

    def _remember(self, user: User, token_hash: str) -> None:
        self._by_hash[token_hash] = user
        self._by_name[user.name] = user

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def names(self) -> list[str]:
        """Return all user names."""
        return sorted(self._by_name)

    def user(self, name: str) -> User:
        """Return a user by name; raises KeyError."""
        return self._by_name[name]

    def authenticate(self, header: str | None) -> User:
        """Return the user who holds the bearer token of an Authorization header; raises 401."""
        scheme, _, token = (header or "").partition(" ")
        if scheme.lower() != "bearer":
            raise unauthorized()
        digest = _hash(token.strip())
        user = self._by_hash.get(digest) or self._account(digest)
        if user is None:
            raise unauthorized()
        return user

    def _account(self, digest: str) -> User | None:
        """Return the service account that holds a token, as long as both last."""
        found = self._account_tokens.get(digest)
        if found is None or found.expires < time.time():
            return None
        if self._account_uid(found.namespace, found.name) != found.uid:
            return None
        name = f"system:serviceaccount:{found.namespace}:{found.name}"
        groups = [
            "system:serviceaccounts",
            f"system:serviceaccounts:{found.namespace}",
            "system:authenticated",
        ]
        granted = self._by_name.get(name)
        if granted:
            groups = [*dict.fromkeys([*granted.groups, *groups])]
        return User(name, found.uid, tuple(groups), granted.namespace if granted else "")

    def account_token(self, namespace: str, name: str, uid: str, seconds: int) -> tuple[str, float]:
        """Make a token for a service account; returns it with its expiry (seconds since the epoch)."""
        token, expires = secrets.token_urlsafe(32), time.time() + seconds
        self._db.execute(
            "INSERT INTO account_tokens VALUES (?,?,?,?,?)", (_hash(token), namespace, name, uid, expires)
        )
        self._account_tokens[_hash(token)] = _AccountToken(namespace, name, uid, expires)
        return token, expires

    def add(self, name: str, groups: Sequence[str], namespace: str) -> str | None:
        """Make a user, or give an existing one other groups; returns the token of a new one, else None."""
        known = self._by_name.get(name)
        everyone = (*(g for g in groups if g != "system:authenticated"), "system:authenticated")
        user = User(name, known.uid if known else str(uuid.uuid4()), everyone, namespace)
        values = (user.uid, json.dumps(everyone), namespace)
        if known:
            self._db.execute("UPDATE users SET uid=?, groups=?, namespace=? WHERE name=?", (*values, name))
            self._remember(user, next(h for h, u in self._by_hash.items() if u.name == name))
            return None
        return self._new_token(user, values)

    def _new_token(self, user: User, values: tuple[str, str, str]) -> str:
        token = secrets.token_urlsafe(32)
        self._db.execute(
            "REPLACE INTO users (name, uid, groups, namespace, token_hash) VALUES (?,?,?,?,?)",
            (user.name, *values, _hash(token)),
        )
        self._remember(user, _hash(token))
        return token

    def renew(self, name: str) -> str:
        """Give a user a new token; the old one is refused from now on."""
        user = self._by_name[name]
        self._by_hash = {h: u for h, u in self._by_hash.items() if u.name != name}
        return self._new_token(user, (user.uid, json.dumps(user.groups), user.namespace))

    def kubeconfig(self, name: str) -> Path:
        """Return where a user's kubeconfig lies."""
        return self._directory / f"{name}.kubeconfig"

    def write_kubeconfig(self, name: str, url: str, ca: bytes | None, token: str | None) -> Path:
        """Write a user's kubeconfig (0600). Without `token` the one in the existing file stays."""
        path = self.kubeconfig(name)
        user = self._by_name[name]
        if token is None:
            token = _token_in(path)
            if token is None or _hash(token) not in self._by_hash:
                token = self.renew(name)
        cluster: Obj = {"server": url}
        if ca:
            cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
        context: Obj = {"cluster": "govpool", "user": name}
        if user.namespace:
            context["namespace"] = user.namespace
        config: Obj = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "govpool", "cluster": cluster}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": f"{name}@govpool", "context": context}],
            "current-context": f"{name}@govpool",
        }
        write_private(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode())
        return path


def _token_in(path: Path) -> str | None:
    """Read the token out of an earlier kubeconfig; None when the file is gone or is not one of ours."""
    try:
        config = yaml.safe_load(path.read_text())
        token = config["users"][0]["user"]["token"]
    except (OSError, yaml.YAMLError, KeyError, IndexError, TypeError):
        return None
    return token if isinstance(token, str) else None
