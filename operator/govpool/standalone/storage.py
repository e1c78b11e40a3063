"""Durable storage: every object in memory as serialised bytes, and in SQLite before anybody hears of it.

A write is computed on the newest state, queued or not (`head`), and handed to one writer thread that
commits whatever has gathered in one transaction (group commit). Readers and watchers see it, and its
author gets an answer, only after that commit reached the disk (`PRAGMA synchronous=FULL`).
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .errors import ApiError, internal
from .objects import Key, Obj, decode, encode

_TABLES = """
CREATE TABLE IF NOT EXISTS objects (
  storage TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (storage, namespace, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS users (
  name TEXT PRIMARY KEY, uid TEXT NOT NULL, groups TEXT NOT NULL, namespace TEXT NOT NULL,
  token_hash TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account_tokens (
  token_hash TEXT PRIMARY KEY, namespace TEXT NOT NULL, name TEXT NOT NULL, uid TEXT NOT NULL,
  expires REAL NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of one object. `data` is its JSON; the rest is what selection and collection need."""

    key: Key
    rv: int
    data: bytes
    uid: str
    labels: Mapping[str, str]
    owners: tuple[str, ...]
    finalizers: tuple[str, ...]
    deleting: bool

    def load(self) -> Obj:
        """Return a fresh copy of the object."""
        return decode(self.data)


def stored(key: Key, rv: int, obj: Obj, data: bytes | None = None) -> Stored:
    """Make the stored form of `obj` at resource version `rv`."""
    metadata = obj["metadata"]
    return Stored(
        key=key,
        rv=rv,
        data=encode(obj) if data is None else data,
        uid=metadata.get("uid", ""),
        labels=metadata.get("labels") or {},
        owners=tuple(str(o.get("uid", "")) for o in metadata.get("ownerReferences") or ()),
        finalizers=tuple(metadata.get("finalizers") or ()),
        deleting="deletionTimestamp" in metadata,
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What a write did: `old` is None on creation; on deletion `new` is the last state at the deletion's
    version."""

    new: Stored
    old: Stored | None
    deleted: bool = False


@dataclass(slots=True)
class _Write:
    """A queued write: either a change of an object or a fact to remember."""

    epoch: int
    done: asyncio.Future[None]
    change: Change | None = None
    fact: tuple[str, str] | None = None


@dataclass
class _Head:
    """The newest version of a key that is not on disk yet; None for a queued deletion."""

    value: Stored | None
    rv: int = field(default=0)


class Store:
    """All objects of one control plane."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._committed: dict[str, dict[tuple[str, str], Stored]] = defaultdict(dict)
        self._heads: dict[Key, _Head] = {}
        self._queue: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._epoch = 0
        self._failed_epoch = -1
        self._listeners: list[Callable[[Change], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.last_rv = 0
        self.committed_rv = 0
        self.facts: dict[str, str] = {}

    # --- opening and closing -------------------------------------------------------------------

    def connect(self) -> sqlite3.Connection:
        """Open a connection with the durability settings that every write relies on."""
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        return db

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read everything into memory and start the writer thread. Blocking: call it before serving."""
        db = self.connect()
        db.executescript(_TABLES)
        for storage, namespace, name, body in db.execute(
            "SELECT storage, namespace, name, body FROM objects"
        ):
            obj = decode(body)
            rv = int(obj["metadata"]["resourceVersion"])
            key = Key(storage, namespace, name)
            self._committed[storage][(namespace, name)] = stored(key, rv, obj, bytes(body))
        self.facts = dict(db.execute("SELECT name, value FROM facts"))
        self.last_rv = self.committed_rv = int(self.facts.get("resourceVersion", "0"))
        self._loop = loop
        self._thread = threading.Thread(target=self._write_forever, args=(db,), name="store", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Write what is queued, then stop the writer thread."""
        if self._thread:
            self._queue.put(None)
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
            self._thread = None

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` for each change, in resource version order, once it is on disk."""
        self._listeners.append(listener)

    # --- reading -------------------------------------------------------------------------------

    def get(self, key: Key) -> Stored | None:
        """Return the version of `key` that is on disk."""
        return self._committed[key.storage].get((key.namespace, key.name))

    def head(self, key: Key) -> Stored | None:
        """Return the newest version of `key`, on disk or queued: what the next write builds on."""
        pending = self._heads.get(key)
        return pending.value if pending else self.get(key)

    def items(self, storage: str, namespace: str = "") -> list[Stored]:
        """Return all objects of a resource, or of one namespace, in key order."""
        table = self._committed[storage]
        keys = sorted(k for k in table if k[0] == namespace) if namespace else sorted(table)
        return [table[k] for k in keys]

    def count(self, storage: str) -> int:
        """Return how many objects of a resource there are."""
        return len(self._committed[storage])

    def storages(self) -> list[str]:
        """Return the names of all resources that hold or held objects."""
        return list(self._committed)

    # --- writing -------------------------------------------------------------------------------

    def put(self, key: Key, obj: Obj) -> tuple[Stored, asyncio.Future[None]]:
        """Queue a create or update; `obj` gets its resource version. Await the future before answering."""
        old = self.head(key)
        self.last_rv += 1
        obj["metadata"]["resourceVersion"] = str(self.last_rv)
        new = stored(key, self.last_rv, obj)
        self._heads[key] = _Head(new, self.last_rv)
        return new, self._enqueue(change=Change(new, old))

    def remove(self, key: Key) -> tuple[Stored, asyncio.Future[None]]:
        """Queue a deletion of an existing object; returns its last state at the deletion's version."""
        old = self.head(key)
        if old is None:
            raise KeyError(key)
        self.last_rv += 1
        obj = old.load()
        obj["metadata"]["resourceVersion"] = str(self.last_rv)
        new = stored(key, self.last_rv, obj)
        self._heads[key] = _Head(None, self.last_rv)
        return new, self._enqueue(change=Change(new, old, deleted=True))

    def remember(self, name: str, value: str) -> asyncio.Future[None]:
        """Queue a fact (the clock's offset and the like) as durably as an object."""
        self.facts[name] = value
        return self._enqueue(fact=(name, value))

    def _enqueue(
        self, *, change: Change | None = None, fact: tuple[str, str] | None = None
    ) -> asyncio.Future[None]:
        if self._loop is None:
            raise RuntimeError("the store is not open")
        write = _Write(self._epoch, self._loop.create_future(), change, fact)
        self._queue.put(write)
        return write.done

    # --- the writer thread ---------------------------------------------------------------------

    def _write_forever(self, db: sqlite3.Connection) -> None:
        stop = False
        while not stop:
            batch: list[_Write] = []
            first = self._queue.get()
            while first is not None:
                batch.append(first)
                try:
                    first = self._queue.get_nowait()
                except queue.Empty:
                    break
            stop = first is None
            if batch:
                self._write(db, batch)
        db.close()

    def _write(self, db: sqlite3.Connection, batch: list[_Write]) -> None:
        """Commit one batch; whatever was computed on a failed batch fails with it."""
        assert self._loop is not None  # noqa: S101 - the thread starts after the loop is set
        good = [w for w in batch if w.epoch > self._failed_epoch]
        failure: Exception | None = None if good else RuntimeError("an earlier write failed")
        try:
            if good:
                self._commit(db, good)
        except sqlite3.Error as exc:
            self._failed_epoch = max(w.epoch for w in good)
            failure = exc
        if failure is None and len(good) < len(batch):
            bad = [w for w in batch if w.epoch <= self._failed_epoch]
            self._loop.call_soon_threadsafe(self._reject, bad, RuntimeError("an earlier write failed"))
        if failure is None:
            self._loop.call_soon_threadsafe(self._accept, good)
        else:
            self._loop.call_soon_threadsafe(self._reject, batch, failure)

    def _commit(self, db: sqlite3.Connection, batch: list[_Write]) -> None:
        changes = {w.change.new.key: w.change for w in batch if w.change}
        facts = dict(w.fact for w in batch if w.fact)
        if changes:
            facts["resourceVersion"] = str(max(c.new.rv for c in changes.values()))
        kept = [(*key, c.new.data) for key, c in changes.items() if not c.deleted]
        gone = [tuple(key) for key, c in changes.items() if c.deleted]
        try:
            db.execute("BEGIN IMMEDIATE")
            _run(db, "REPLACE INTO objects VALUES {}", kept)
            _run(db, "DELETE FROM objects WHERE (storage, namespace, name) IN (VALUES {})", gone)
            _run(db, "REPLACE INTO facts VALUES {}", list(facts.items()))
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _accept(self, batch: list[_Write]) -> None:
        for write in batch:
            if write.change:
                self._apply(write.change)
            if not write.done.done():
                write.done.set_result(None)

    def _apply(self, change: Change) -> None:
        key = change.new.key
        if change.deleted:
            self._committed[key.storage].pop((key.namespace, key.name), None)
        else:
            self._committed[key.storage][(key.namespace, key.name)] = change.new
        pending = self._heads.get(key)
        if pending and pending.rv == change.new.rv:
            del self._heads[key]
        self.committed_rv = change.new.rv
        for listener in self._listeners:
            listener(change)

    def _reject(self, batch: list[_Write], cause: Exception) -> None:
        """Forget what is not on disk, and tell every author that nothing was written."""
        if any(w.epoch == self._epoch for w in batch):
            self._epoch += 1
            self._heads.clear()
        error: ApiError = internal(f"nothing was written, try again: {cause}")
        for write in batch:
            if not write.done.done():
                write.done.set_exception(error)


_ROWS = 500


def _run(db: sqlite3.Connection, statement: str, rows: Sequence[tuple[str | bytes, ...]]) -> None:
    """Run a statement over many rows at once.

    Each call into SQLite hands the interpreter over and has to win it back from a busy event loop, which
    takes milliseconds: one call a row would make a batch wait that long for every write in it.
    """
    for start in range(0, len(rows), _ROWS):
        chunk = rows[start : start + _ROWS]
        places = ",".join([f"({','.join('?' * len(chunk[0]))})"] * len(chunk))
        db.execute(statement.format(places), [value for row in chunk for value in row])
