"""The library's front: a snapshot, database file or data dir as an object, and all questions as its methods.

Everything here is read-only, and asks what the commands of the same names ask; see ``docs/tutorial-python.md``.
"""

from __future__ import annotations

import contextlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from etcdtool.model.key_range import KeyRange
from etcdtool.sources.database import open_database

if TYPE_CHECKING:
    import os
    from types import TracebackType

    from etcdtool.findings import Report
    from etcdtool.model.key_rows import RowFinder
    from etcdtool.model.key_value_columns import KeyValueColumns
    from etcdtool.model.keyvalue import KeyValue
    from etcdtool.operations.browse import Listing
    from etcdtool.operations.changes import Changes
    from etcdtool.operations.cluster_lists import Authentication, Members
    from etcdtool.operations.deleted import Deleted
    from etcdtool.operations.diff import Diff, DiffOptions
    from etcdtool.operations.export import Exported
    from etcdtool.operations.hashkv import HashKV
    from etcdtool.operations.history import Histories
    from etcdtool.operations.lease_list import Leases
    from etcdtool.operations.range_request import RangeAnswer
    from etcdtool.operations.status import SnapshotStatus
    from etcdtool.operations.status_details import SnapshotDetails
    from etcdtool.operations.top import Top, TopOptions
    from etcdtool.sources.database import Database

__all__ = ["Snapshot", "open"]


def open(  # noqa: A001  etcdtool.open(path) reads as what it does
    path: str | os.PathLike[str], *, index: bool | None = None, live: bool = False
) -> Snapshot:
    """Open a snapshot, a database file, either of them packed, or a data dir; nothing of it is ever changed.

    Args:
        path: the source; ``-`` is stdin.
        index: whether keys are looked up by a side index in the user's cache folder, which is made where there is
            none; None: one that is there is used, and one is made of a file above 2 GB; False: never.
        live: whether the database of a running server may be copied, and the copy opened.

    Raises:
        SourceError: it cannot be read, holds no database, or a running server has it open.
        FormatError: it is packed in a way that cannot be undone. What else a file holds in place of a database is told
            by the first method that needs one; `Snapshot.verify` makes a finding of it.
    """
    return Snapshot(Path(path), index=index, live=live)


class Snapshot(contextlib.AbstractContextManager["Snapshot"]):
    """An opened v3 database; close it, or use it as a context, so that what was unpacked for it goes away.

    Keys are bytes, or text that stands for its UTF-8.  What a method returns stays good after the snapshot is closed,
    but for `range`, whose records are read while one goes through them.

    Attributes:
        path: the source.
    """

    def __init__(self, path: Path, *, index: bool | None = None, live: bool = False) -> None:
        self.path = path
        self._index_asked = index
        with contextlib.ExitStack() as stack:
            self._database: Database = stack.enter_context(open_database(path, live=live))
            self._open = stack.pop_all()

    def close(self) -> None:
        """Let go of the file.

        Raises:
            SourceError: it was changed while it was read.
        """
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    @property
    def kind(self) -> str:
        """What the source was taken for, as a person is told."""
        return self._database.kind

    @property
    def size(self) -> int:
        """Bytes of the file, unpacked, the trailer included."""
        return self._database.size

    def status(self) -> SnapshotStatus:
        """Return hash, revision, keys, size and storage version, as ``snapshot status`` and etcdutl do.

        Raises:
            IntegrityError: pages are damaged.
            FormatError: a revision or its record cannot be read.
        """
        from etcdtool.operations.status import status  # noqa: PLC0415  each method loads what it needs

        return status(self._database)

    def details(self) -> SnapshotDetails:
        """Return what ``snapshot status --verbose`` tells: trailer, revisions, pages, versions, members.

        Raises:
            FormatError: something cannot be read.
        """
        from etcdtool.operations.status_details import details  # noqa: PLC0415

        return details(self._database)

    def hashkv(self, revision: int = 0) -> HashKV:
        """Return the hash of the history up to a revision (0: the newest), as ``etcdctl endpoint hashkv`` does.

        Raises:
            RevisionError: the revision is compacted, or was not reached yet.
            FormatError: the history cannot be read.
        """
        from etcdtool.operations.hashkv import hashkv  # noqa: PLC0415

        return hashkv(self._database, revision)

    def verify(self) -> Report:
        """Check everything that can be checked of a file, as ``verify`` does; damage is a finding, not an error."""
        from etcdtool.operations.verify import verify  # noqa: PLC0415

        return verify(self._database)

    def get(self, key: str | bytes, *, revision: int = 0) -> KeyValue | None:
        """Return what a key holds, or held at a revision; None where it is not there.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet; or the key is empty.
            FormatError: the database cannot be read.
        """
        return next(iter(self.range(key, revision=revision)), None)

    def range(
        self,
        key: str | bytes | KeyRange,
        *,
        revision: int = 0,
        limit: int = 0,
        keys_only: bool = False,
    ) -> RangeAnswer:
        """Return what a server answers to a range request, in the order of the keys.

        Args:
            key: one key, or a range: ``KeyRange.prefix(b"/registry/")``, ``KeyRange.of(b"a", b"b")``.
            revision: read at this revision; 0 is the newest.
            limit: give so many keys at the most; 0 is all.
            keys_only: leave values out.

        Returns:
            An iterable of `KeyValue` with ``count``, ``more`` and ``revision``.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet; or the key is empty.
            FormatError: the database cannot be read.
        """
        from etcdtool.operations.get import get  # noqa: PLC0415
        from etcdtool.operations.range_request import RangeRequest  # noqa: PLC0415

        request = RangeRequest(keys=_range_of(key), revision=revision, limit=limit, keys_only=keys_only)
        return get(self._database.image, request, find=self._find)

    def history(self, key: str | bytes | KeyRange) -> Histories:
        """Return every stored revision of a key, or of a range of keys, with values, the oldest first.

        Returns:
            An iterable of `KeyHistory`, one a key, each with ``events``.

        Raises:
            FormatError: the database cannot be read.
        """
        from etcdtool.operations.history import history  # noqa: PLC0415

        return history(self._database.image, _range_of(key), with_values=True, find=self._find)

    def changes(
        self, keys: KeyRange | None = None, *, from_revision: int | None = None, to_revision: int | None = None
    ) -> Changes:
        """Return what a watch would have told, with values: an iterable of `Event` in the order of revisions.

        Args:
            keys: which keys; None: all.
            from_revision: the first revision; None: the oldest that is not compacted.
            to_revision: the last one; None: the newest.

        Raises:
            EtcdtoolError: a revision is compacted, or was not reached yet.
            FormatError: the database cannot be read.
        """
        from etcdtool.operations.changes import changes  # noqa: PLC0415

        return changes(
            self._database.image,
            keys,
            from_revision=from_revision,
            to_revision=to_revision,
            with_values=True,
            find=self._find,
        )

    def deleted(self, since_revision: int, keys: KeyRange | None = None) -> Deleted:
        """Return the keys that were deleted since a revision and are not there now: an iterable of `DeletedKey`.

        Raises:
            EtcdtoolError: the revision was not reached yet.
            FormatError: the database cannot be read.
        """
        from etcdtool.operations.deleted import deleted  # noqa: PLC0415

        return deleted(self._database.image, since_revision, keys, find=self._find)

    def list(self, prefix: str | bytes = b"", *, depth: int = 1, revision: int = 0) -> Listing:
        """Return how many keys there are below each level of a prefix, and their bytes, as ``list`` does.

        Raises:
            EtcdtoolError: the revision is compacted, or was not reached yet.
            FormatError: the database cannot be read.
        """
        from etcdtool.operations.browse import browse  # noqa: PLC0415

        return browse(self._database.image, _bytes(prefix), depth=depth, revision=revision, find=self._find)

    def top(self, options: TopOptions | None = None) -> Top:
        """Tell what fills the file, as ``top`` does.

        Raises:
            FormatError: it is damaged.
        """
        from etcdtool.operations.top import top  # noqa: PLC0415

        return top(self._database, options)

    def diff(self, other: Snapshot, options: DiffOptions | None = None) -> Diff:
        """Compare with another snapshot that comes after this one, as ``snapshot diff`` does.

        Returns:
            A `Diff`: ``equal``, ``keys`` and what differs beside keys.

        Raises:
            EtcdtoolError: a file does not hold the revision asked for, or there is none that both hold.
            FormatError: one of them is damaged.
        """
        from etcdtool.operations.diff import diff  # noqa: PLC0415

        return diff(self._database, other._database, options)

    def leases(self, *, with_keys: bool = False) -> Leases:
        """Return the leases that are granted, and those that keys name without being granted; as ``lease list`` does.

        Raises:
            FormatError: a bucket cannot be walked.
        """
        from etcdtool.operations.lease_list import list_leases  # noqa: PLC0415

        return list_leases(self._database, with_keys=with_keys)

    def members(self) -> Members:
        """Return the members of the cluster, and the ids of those that were removed; as ``member list`` does.

        Raises:
            FormatError: a bucket cannot be walked.
        """
        from etcdtool.operations.cluster_lists import list_members  # noqa: PLC0415

        return list_members(self._database)

    def auth(self) -> Authentication:
        """Return users and roles, and whether a server asks for them; as ``auth`` does.

        Raises:
            FormatError: a bucket cannot be walked.
        """
        from etcdtool.operations.cluster_lists import read_authentication  # noqa: PLC0415

        return read_authentication(self._database)

    def export(self, target: str | os.PathLike[str], *, history: bool = False, revision: int | None = None) -> Exported:
        """Write the records to a file that is not there yet: JSON lines, CSV, Parquet or SQLite, by its suffix.

        Raises:
            TargetExistsError: it is there.
            EtcdtoolError: the revision is compacted, or was not reached yet; or a library is not installed.
        """
        from etcdtool.operations.export import ExportOptions  # noqa: PLC0415
        from etcdtool.operations.export_target import export_to_file, form_of  # noqa: PLC0415

        path = Path(target)
        return export_to_file(self._database, path, form_of(path), ExportOptions(history=history, revision=revision))

    @cached_property
    def columns(self) -> KeyValueColumns:
        """Every stored revision as NumPy columns; read once.

        Raises:
            FormatError: the database cannot be read.
        """
        from etcdtool.model.key_value_columns import KeyValueColumns  # noqa: PLC0415

        return KeyValueColumns.read(self._database.image)

    @cached_property
    def _find(self) -> RowFinder:
        from etcdtool.sources.index_place import is_worth_a_look  # noqa: PLC0415

        asked = self._index_asked
        if asked or (asked is None and is_worth_a_look(self._database)):
            from etcdtool.operations.index_finder import IndexFinder  # noqa: PLC0415
            from etcdtool.operations.side_index import opened_or_built  # noqa: PLC0415  it loads LMDB

            index = opened_or_built(self._database, asked=bool(asked))
            if index is not None:
                return IndexFinder(self._open.enter_context(index), self._database.file)
        from etcdtool.model.key_rows import KeyRows  # noqa: PLC0415  one key by an index goes without

        return KeyRows.scan


def _range_of(key: str | bytes | KeyRange) -> KeyRange:
    if isinstance(key, KeyRange):
        return key
    return KeyRange.of(_bytes(key))


def _bytes(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
