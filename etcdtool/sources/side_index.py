"""The side index of one database file: from a key to its revisions, without a look at the rest of the file.

An LMDB file in the user's cache folder.  Rows sorted by key and revision stand in it in blocks; a block is found by
its first key, and the keys themselves are read from the database, so that a look-up touches as many pages as a search
by halves takes.  It is written once and put in place whole, hence read without locks by any number of processes.
An index that does not fit the file any more (`Identity`) is as good as none.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import lmdb
import msgspec
import numpy as np

from etcdtool.errors import EtcdtoolError
from etcdtool.sources.cache import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from etcdtool.sources.database import Database

__all__ = [
    "FORM",
    "ROW",
    "ROWS_PER_BLOCK",
    "Identity",
    "IndexFile",
    "Summary",
    "index_files",
    "index_path",
    "lock_index",
    "write_index",
]

ROW = np.dtype(
    [
        ("main", "<i8"),
        ("sub", "<i8"),
        ("message_start", "<i8"),
        ("message_end", "<i8"),
        ("key_start", "<i8"),
        ("key_size", "<u4"),
        ("tombstone", "u1"),
    ]
)
"""A revision: its number, where its record and the user's key in it lie, and whether it is a tombstone."""
ROWS_PER_BLOCK = 64

FORM = 1
"""Of the index; one of another form is not read."""
_SUFFIX = ".lmdb"
_KEY_SIZE_MAX = 480
"""LMDB's own keys end at 511 bytes; a block's number stands behind a longer first key that is cut."""
_NUMBER_SIZE = 8
_ABOUT, _BLOCK = b"about", b"k"
_META_SIZE = 80
_PAGES_OF_METAS = 2
_SPARE_BYTES = 64 << 20


class Identity(msgspec.Struct, frozen=True):
    """What tells that a database file is the one that was indexed.

    Attributes:
        size: bytes of the file.
        modified_ns: time of its last change.
        content: sha256, hex, of both meta pages and the trailer: a commit changes one of them.
    """

    size: int
    modified_ns: int
    content: str

    @classmethod
    def of(cls, database: Database) -> Self:
        """Look at an opened database; reads two pages and the trailer."""
        page_size = database.image.page_size
        digest = hashlib.sha256()
        for number in range(_PAGES_OF_METAS):
            digest.update(database.data[number * page_size : number * page_size + _META_SIZE])
        digest.update(database.trailer or b"")
        return cls(database.file.size, database.file.modified_ns, digest.hexdigest())


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


def index_path(database: Path) -> Path:
    """Return where the index of a database file is or would be."""
    name = hashlib.sha256(os.fsencode(database.resolve())).hexdigest()[:24]
    return cache_folder("index") / f"{name}{_SUFFIX}"


def index_files() -> list[Path]:
    """Return every index in the cache folder, by name."""
    return sorted(cache_folder("index").glob(f"*{_SUFFIX}"))


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
            environment = lmdb.open(
                os.fspath(path),
                subdir=False,
                readonly=True,
                lock=False,
                create=False,
                readahead=False,
                max_spare_txns=1,
            )
        except (lmdb.Error, OSError):
            return None
        try:
            with environment.begin() as transaction:
                found = transaction.get(_ABOUT)
            summary = msgspec.json.decode(found or b"", type=Summary)
        except (lmdb.Error, msgspec.DecodeError):
            environment.close()
            return None
        if summary.form != FORM:
            environment.close()
            return None
        return cls(path, summary, environment)

    @classmethod
    def of(cls, database: Database) -> Self | None:
        """Open the index of an opened database; None where there is none that fits it."""
        found = cls.open(index_path(database.file.path))
        if found is not None and found.summary.identity != Identity.of(database):
            found.close()
            return None
        return found

    def close(self) -> None:
        """Let go of the file."""
        self._environment.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def blocks_from(self, key: bytes) -> Iterator[NDArray[np.void]]:
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
                        yield np.frombuffer(bytes(value), dtype=ROW)
        except (lmdb.Error, ValueError) as error:
            raise EtcdtoolError(
                f"the index {self.path} cannot be read: {error}", hint="Take it away: etcdtool index drop --all."
            ) from error


def _block_key(first_key: bytes, number: int) -> bytes:
    """Return what a block stands under: its first key, in an order that neither a cut nor the number disturbs."""
    ordered = first_key.replace(b"\0", b"\0\xff") + b"\0\x01"
    return _BLOCK + ordered[:_KEY_SIZE_MAX] + number.to_bytes(_NUMBER_SIZE, "big")


@contextlib.contextmanager
def lock_index(path: Path) -> Iterator[None]:
    """Keep other processes from writing the same index; waits for one that does.

    Raises:
        OSError: the cache folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_index(path: Path, summary: Summary, blocks: Iterable[tuple[bytes, NDArray[np.void]]]) -> None:
    """Write an index beside its place and put it there whole.

    Args:
        path: its place, see `index_path`; locked by the caller.
        summary: what it says of itself.
        blocks: rows by key and revision, each block with the key of its first row.

    Raises:
        OSError: the cache folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(".building")  # under the lock: what stands there is of a process that was killed
    staged.unlink(missing_ok=True)
    size = summary.revisions * (ROW.itemsize + _KEY_SIZE_MAX // 4) * 2 + _SPARE_BYTES
    try:
        with lmdb.open(os.fspath(staged), subdir=False, lock=False, map_size=size, sync=False) as environment:
            with environment.begin(write=True) as transaction, transaction.cursor() as cursor:
                transaction.put(_ABOUT, msgspec.json.encode(summary))
                cursor.putmulti(
                    ((_block_key(key, number), rows.tobytes()) for number, (key, rows) in enumerate(blocks, 1)),
                    append=True,
                )
            environment.sync(True)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
