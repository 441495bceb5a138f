"""The side index of one database file: from a key to its revisions, without a look at the rest of the file.

An LMDB file in the user's cache folder.  Rows sorted by key and revision stand in it in blocks; a block is found by
its first key, and the keys themselves are read from the database, so that a look-up touches as many pages as a search
by halves takes.  It is written once and put in place whole, hence read without locks by any number of processes.
An index that does not fit the file any more (`Identity`) is as good as none.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, Self

import lmdb
import msgspec

from etcdtool.errors import EtcdtoolError
from etcdtool.sources.index_place import Identity, folder_of_indexes, index_files, index_path, name_of
from etcdtool.sources.index_row import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from etcdtool.sources.database import Database

__all__ = ["FORM", "IndexFile", "Summary", "lock_index", "write_index"]

FORM = 3
"""Of the index; one of another form is not read."""
_KEY_SIZE_MAX = 480
"""LMDB's own keys end at 511 bytes; a block's number stands behind a longer first key that is cut."""
_NUMBER_SIZE = 8
_BLOCKS_A_TRANSACTION = 4096
_ABOUT, _BLOCK = b"about", b"k"
_SPARE_BYTES = 64 << 20
_FOOTER, _FOOTER_MAGIC = Struct("<8sQ"), b"etcdtool"
"""Stands behind LMDB's pages, with their size: an index without it is a part of one."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What an index says of itself.

    Attributes:
        form: of the index; another program's may be another one.
        path: the database, as an absolute path.
        identity: of the database when it was indexed.
        revisions, keys: how many rows and how many keys there are.
        current_revision: of the store.
    """

    form: int
    path: str
    identity: Identity
    revisions: int
    keys: int
    current_revision: int


class _Environments:
    """The LMDB files that are open: a process may open each but once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[tuple[int, int], tuple[lmdb.Environment, int]] = {}

    def take(self, path: Path) -> lmdb.Environment:
        """Open a file that is never written again, or count one more user of it.

        Raises:
            lmdb.Error: it is none, or damaged.
            OSError: it cannot be looked at.
        """
        with self._lock:
            status = path.stat()
            file = status.st_dev, status.st_ino  # another index may stand in its place by now
            if file in self._users:
                environment, users = self._users[file]
            else:
                _refuse_a_part(path)
                flags = {"subdir": False, "readonly": True, "lock": False, "create": False, "readahead": False}
                environment, users = lmdb.open(os.fspath(path), **flags), 0
            self._users[file] = environment, users + 1
            return environment

    def give_back(self, environment: lmdb.Environment) -> None:
        """Close the file, unless it has other users."""
        with self._lock:
            for file, (one, users) in list(self._users.items()):
                if one is environment:
                    if users > 1:
                        self._users[file] = one, users - 1
                    else:
                        del self._users[file]
                        one.close()


_ENVIRONMENTS = _Environments()


def _refuse_a_part(path: Path) -> None:
    """Raise where a file is not whole: LMDB maps what its first page promises, and to read behind the end kills."""
    with path.open("rb") as file:
        size = max(file.seek(0, os.SEEK_END) - _FOOTER.size, 0)
        file.seek(size)
        if file.read() != _FOOTER.pack(_FOOTER_MAGIC, size):
            raise lmdb.InvalidError(os.fspath(path))


@dataclass(frozen=True, slots=True)
class IndexFile(contextlib.AbstractContextManager["IndexFile"]):
    """An opened index."""

    path: Path
    summary: Summary
    _environment: lmdb.Environment

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """Open an index; None where there is none, or none that this program can read."""
        try:
            environment = _ENVIRONMENTS.take(path)
        except (lmdb.Error, OSError):
            return None
        with contextlib.suppress(lmdb.Error, msgspec.DecodeError):
            with environment.begin() as transaction:
                found = transaction.get(_ABOUT)
            summary = msgspec.json.decode(found or b"", type=Summary)
            if summary.form == FORM:
                return cls(path, summary, environment)
        _ENVIRONMENTS.give_back(environment)
        return None

    @classmethod
    def of(cls, database: Database) -> Self | None:
        """Open the index of an opened database; None where there is none that fits it."""
        identity = Identity.of(database)
        found = cls.open(index_path(database.file.path, identity))
        if found is not None and found.summary.identity != identity:  # not one that was written here
            found.close()
            return None
        return found

    def close(self) -> None:
        """Let go of the file."""
        _ENVIRONMENTS.give_back(self._environment)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def blocks_from(self, key: bytes) -> Iterator[bytes]:
        """Yield blocks of rows (`ROW`), by key and revision, from the one in which ``key`` is or would be.

        Raises:
            EtcdtoolError: the index is damaged.
        """
        try:
            with self._environment.begin(buffers=True) as transaction, transaction.cursor() as cursor:
                # the first block that begins at the key or behind it; the key may stand in the one before, too
                if cursor.set_range(_block_key(key, 0)):
                    cursor.prev()
                else:
                    cursor.last()
                for name, value in cursor.iternext():
                    if bytes(name[:1]) == _BLOCK:
                        yield self._whole_rows(bytes(value))
        except lmdb.Error as error:
            raise self._unreadable(str(error)) from error

    def _whole_rows(self, block: bytes) -> bytes:
        if not block or len(block) % ROW.size:
            raise self._unreadable(f"a block of {len(block)} bytes")
        return block

    def _unreadable(self, problem: str) -> EtcdtoolError:
        return EtcdtoolError(
            f"the index {self.path} cannot be read: {problem}", hint="Take it away: etcdtool index drop --all."
        )


def _block_key(first_key: bytes, number: int) -> bytes:
    """Return what a block stands under: its first key, in an order that neither a cut nor the number disturbs."""
    ordered = first_key.replace(b"\0", b"\0\xff") + b"\0\x01"
    return _BLOCK + ordered[:_KEY_SIZE_MAX] + number.to_bytes(_NUMBER_SIZE, "big")


@contextlib.contextmanager
def lock_index(database: Path) -> Iterator[None]:
    """Keep other processes from writing an index of the same database file; waits for one that does.

    Raises:
        OSError: the cache folder cannot be written.
    """
    folder = folder_of_indexes()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name_of(database)}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_index(summary: Summary, blocks: Iterable[tuple[bytes, bytes]]) -> None:
    """Write an index beside its place and put it there whole; stale ones of the same database go.  See `lock_index`.

    Args:
        summary: what it says of itself.
        blocks: rows (`ROW`) by key and revision, at most ``ROWS_PER_BLOCK``, behind the key of the first of them.

    Raises:
        OSError: the cache folder cannot be written.
    """
    path = index_path(Path(summary.path), summary.identity)
    staged = path.with_suffix(".building")
    for leftover in path.parent.glob(f"{name_of(Path(summary.path))}-*.building"):  # of processes that were killed
        leftover.unlink()
    size = summary.revisions * (ROW.size + _KEY_SIZE_MAX // 4) * 2 + _SPARE_BYTES
    try:
        pairs = ((_block_key(key, number), rows) for number, (key, rows) in enumerate(blocks, 1))
        with lmdb.open(os.fspath(staged), subdir=False, lock=False, map_size=size, sync=False) as environment:
            with environment.begin(write=True) as transaction:
                transaction.put(_ABOUT, msgspec.json.encode(summary))
            # what a transaction has written stays in memory until it ends
            while some := list(islice(pairs, _BLOCKS_A_TRANSACTION)):
                with environment.begin(write=True) as transaction, transaction.cursor() as cursor:
                    cursor.putmulti(some, append=True)
        with staged.open("ab") as file:
            file.write(_FOOTER.pack(_FOOTER_MAGIC, file.tell()))
            file.flush()
            os.fsync(file.fileno())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    for stale in index_files(Path(summary.path)):
        if stale != path:
            stale.unlink(missing_ok=True)
