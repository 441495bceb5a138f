"""A restore with ``--wal-dir`` that was stopped between its two renames: known by the markers it left, and completed.

The log's folder comes first, with a marker in place of the log, on which no version of etcd starts ("wal: file not
found"); then the data dir; then the log gets its name.  Had the log its name before there is a database, 3.4 to 3.6
would serve an empty cluster; were there a database without a log, all versions would found a new cluster on its keys.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError, TargetExistsError
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.digest import sha256_of
from etcdtool.model.compactions import read_meta
from etcdtool.operations.restore_version import version_to_write
from etcdtool.sources import InputFile
from etcdtool.targets import forget_markers, name_all, take_away_left_overs

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.model.schema import Version
    from etcdtool.operations.restore_options import Layout, MemberPlace, RestoreOptions
    from etcdtool.sources import Database

__all__ = ["Pending", "content_hash", "marker_content"]

_DATABASE = "member/snap/db"
_ABOUT = (
    "etcdtool snapshot restore was stopped here. Run the same command again, and it completes what is missing; "
    "or remove this folder and the data dir."
)


@dataclass(frozen=True, slots=True)
class _File:
    image: Image


def content_hash(database: Path) -> int:
    """Return the hash over all buckets of a database, which stays what it is when a server that gives up touches it."""
    from etcdtool.operations.status import status  # noqa: PLC0415  most restores go without

    return status(_File(Image.open(InputFile.open(database).data))).hash


def marker_content(database: Database, options: RestoreOptions, written_hash: int) -> bytes:
    """Return what the marker says: what the restore was asked for, and what it wrote."""
    facts = {"about": _ABOUT, "order": _order(database, options), "content": f"{written_hash:08x}"}
    return json.dumps(facts, indent=1).encode() + b"\n"


def _order(database: Database, options: RestoreOptions) -> str:
    """Return a digest of source and options; names and URLs are in the log, which is compared itself."""
    source = database.trailer or sha256_of(database.data)
    words = (source, database.size, options.changes, options.for_version, options.owner, options.mode)
    return hashlib.sha256(repr(words).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Pending:
    """What a stopped run left.

    Attributes:
        layout: where everything goes.
        members: those whose log waits for its name.
    """

    layout: Layout
    members: tuple[MemberPlace, ...]

    @classmethod
    def find(cls, layout: Layout) -> Pending | None:
        """Look for markers; None where there are none.

        Raises:
            TargetExistsError: a running process works there.
        """
        members = []
        for place in layout.members:
            if place.deferred is None or place.deferred.read_marker() is None:
                continue
            if place.deferred.is_held:
                raise TargetExistsError(f'wal-dir "{place.wal_dir}" is being written by another process')
            members.append(place)
        return cls(layout, tuple(members)) if members else None

    @property
    def has_data(self) -> bool:
        """Whether the data dirs have their names."""
        return any(os.path.lexists(place.data_dir / "member") for place in self.layout.members)

    def take_away(self) -> None:
        """Remove the logs that wait, since there are no data dirs for them."""
        for place in self.members:
            assert place.deferred is not None
            if not os.path.lexists(place.wal_dir / place.deferred.name):  # with its name it may be a server's by now
                place.deferred.take_away()
        if self.layout.wal_root is not None and len(self.layout.members) > 1:
            _remove_if_empty(self.layout.wal_root)

    def complete(self, database: Database, options: RestoreOptions) -> Version:
        """Give the logs their names, if all that is there is what this very call would write.

        Returns:
            The version it was written for.

        Raises:
            TargetExistsError: it is not.
        """
        version = version_to_write(read_meta(database.image), options.for_version)
        for place in self.members:
            self._check(place, database, options, version)
        waiting = [place.deferred for place in self.members if place.deferred is not None]
        name_all(waiting)
        forget_markers(waiting)
        for target in filter(None, (self.layout.root, self.layout.wal_root)):
            for home in (target, target.parent):
                take_away_left_overs(target, home=home)
        return version

    def _check(self, place: MemberPlace, database: Database, options: RestoreOptions, version: Version) -> None:
        from etcdtool.operations.restore_log import snap_file, wal_file  # noqa: PLC0415  seldom needed

        assert place.deferred is not None
        told = _parse(place.deferred.read_marker())
        (_, log), (snap_name, snap) = wal_file(place.cluster, version), snap_file(place.cluster, version)
        if told.get("order") != _order(database, options) or not _starts_with(place.deferred.path, log):
            raise TargetExistsError(
                f'wal-dir "{place.wal_dir}" holds an unfinished restore of another file or with other options',
                hint=f"Give the same ones to complete it, or remove it and {place.data_dir}.",
            )
        written = place.data_dir / _DATABASE
        same = _starts_with(written.with_name(snap_name), snap)
        if not same or f"{_hash_or_nothing(written)}" != told.get("content"):
            raise TargetExistsError(
                f'data-dir "{place.data_dir}" is not what the unfinished restore wrote',
                hint=f"A server may have written to it. Remove it and {place.wal_dir}, and run the command again.",
            )


def _parse(marker: bytes | None) -> dict[str, object]:
    try:
        facts = json.loads(marker or b"")
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _starts_with(path: Path, content: bytes) -> bool:
    try:
        return bytes(InputFile.open(path).data[: len(content)]) == content
    except EtcdtoolError:
        return False


def _hash_or_nothing(database: Path) -> str:
    try:
        return f"{content_hash(database):08x}"
    except EtcdtoolError:
        return ""


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:  # what is in it is not ours
        return
