"""Where the side index of a database file stands, and whether one is worth having: asked before LMDB is loaded.

The name of an index says which file it is of, and in which state of the file it was made.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

import msgspec

from etcdtool.formats.digest import fnv1a64
from etcdtool.sources.cache import cache_folder

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.sources.database import Database

__all__ = [
    "BUILT_ABOVE_BYTES",
    "Identity",
    "folder_of_indexes",
    "index_files",
    "index_path",
    "is_big",
    "is_worth_a_look",
    "name_of",
]

BUILT_ABOVE_BYTES = 2 << 30
"""A file of more bytes is indexed without being asked to: a scan of 400 MB takes a quarter of a second."""

_SUFFIX = ".lmdb"
_META_SIZE = 80
_PAGES_OF_METAS = 2


class Identity(msgspec.Struct, frozen=True):
    """What tells that a database file is the one that was indexed.

    Attributes:
        size: bytes of the file.
        inode: its number in the file system.
        changed_ns: time of its last change, which nobody can set back.
        content: both meta pages and the trailer, hex, one behind the other: a commit changes one of them.
    """

    size: int
    inode: int
    changed_ns: int
    content: str

    @classmethod
    def of(cls, database: Database) -> Self:
        """Look at an opened database; reads two pages and the trailer."""
        page_size = database.image.page_size
        starts = (number * page_size for number in range(_PAGES_OF_METAS))
        metas = b"".join(database.data[start : start + _META_SIZE] for start in starts)
        status = database.file.path.stat()
        return cls(status.st_size, status.st_ino, status.st_ctime_ns, (metas + (database.trailer or b"")).hex())


def folder_of_indexes() -> Path:
    """Return the part of the cache folder that holds indexes and nothing else."""
    return cache_folder("index")


def index_path(database: Path, identity: Identity) -> Path:
    """Return where the index of a database file is or would be: one that went stale keeps another name.

    The name is a place to look; whether the index there is the one that is meant, its own `Identity` says.
    """
    own = _short_hash(msgspec.json.encode(identity))
    return folder_of_indexes() / f"{name_of(database)}-{own}{_SUFFIX}"


def index_files(database: Path | None = None) -> list[Path]:
    """Return every index in the cache folder, or those of one database file, stale ones too."""
    return sorted(folder_of_indexes().glob(f"{'*' if database is None else name_of(database)}-*{_SUFFIX}"))


def name_of(database: Path) -> str:
    """Return what the names of all indexes of a database file begin with."""
    return _short_hash(os.fsencode(database.resolve()))


def _short_hash(content: bytes) -> str:
    return f"{fnv1a64(content):016x}"


def is_worth_a_look(database: Database) -> bool:
    """Tell whether a database has an index that fits it, or is so big that one is made without being asked for."""
    if not database.is_in_place:
        return False
    return is_big(database) or index_path(database.file.path, Identity.of(database)).exists()


def is_big(database: Database) -> bool:
    """Tell whether an index of a database is made without being asked for."""
    return database.size > BUILT_ABOVE_BYTES
