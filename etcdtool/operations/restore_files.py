"""The staged folders of a restore: every member's files written, read back, and given their names at once."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Self

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.wal_size import SEGMENT_SIZE
from etcdtool.operations.restore_pending import content_hash
from etcdtool.sources import InputFile
from etcdtool.targets import (
    Owner,
    StagedFolder,
    copy_bytes,
    forget_markers,
    free_space,
    lock_marker,
    name_all,
    write_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.model.schema import Version
    from etcdtool.operations.restore_changes import Counts
    from etcdtool.operations.restore_options import Layout, MemberPlace

    Progress = Callable[[int, int], None]

__all__ = ["Output", "refuse_full_disks"]

_DATABASE, _SNAP = "member/snap/db", "member/snap"
_SNAP_MODE = 0o666  # less the umask: upstream writes .snap files so, and all others for their owner alone
_RESERVE_SIZE = 1 << 20
_CHUNK_SIZE = 8 << 20


class Output(contextlib.AbstractContextManager["Output"]):
    """Two folders, or one where the logs are below the data dirs; left without `commit`, they are gone.

    Args:
        layout: who goes where.
        owner, mode: whom all is given to, and with which permissions.

    Attributes:
        data: the folder of the data dirs.
    """

    def __init__(self, layout: Layout, owner: Owner, mode: int | None) -> None:
        self._layout = layout
        self._owner = owner
        self._mode = mode
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self.data = stack.enter_context(StagedFolder(layout.root, entries=layout.root_entries))
            self._logs = self.data
            if layout.wal_root is not None:
                self._logs = stack.enter_context(StagedFolder(layout.wal_root, entries=layout.wal_entries))
            self._give()  # a refusal comes before anything is copied
            self._stack = stack.pop_all()

    def refuse_full_disk(self, database_size: int) -> None:
        """Raise when there is no room for everything."""
        refuse_full_disks(self._layout, database_size, self.data.path, self._logs.path)

    @staticmethod
    def database_name(place: MemberPlace) -> str:
        """Return the path of a member's database in the folder `data`."""
        return _inside(place.data_name, _DATABASE)

    def copy_database(self, written: MemberPlace, place: MemberPlace, progress: Progress) -> None:
        """Make another member's database of one that is complete, and compare them.

        Raises:
            EtcdtoolError: the disk refuses, or gives back something else.
        """
        original = InputFile.open(self.data.path / self.database_name(written))
        copy = self.data.create(self.database_name(place))
        try:
            with self.data.reporting():
                copy_bytes(original.path, copy, original.data)
                os.fsync(copy)
                _compare(original.data, copy, progress)
        finally:
            os.close(copy)

    def write_and_prove(self, place: MemberPlace, version: Version, counts: Counts) -> None:
        """Write a member's log and ``.snap``, and read back what it has.

        Raises:
            EtcdtoolError: the disk refuses, or gives back something else.
        """
        from etcdtool.operations.restore_log import snap_file, wal_file  # noqa: PLC0415  see `StagedDatabase`
        from etcdtool.operations.restore_proof import prove  # noqa: PLC0415  likewise

        name, snap = snap_file(place.cluster, version)
        snap_path = _write(self.data, _inside(place.data_name, f"{_SNAP}/{name}"), snap, mode=_SNAP_MODE)
        name, log = wal_file(place.cluster, version)
        hidden = place.deferred.hidden_name if place.deferred is not None else name
        log_path = _write(self._logs, _inside(place.wal_name, hidden), log, SEGMENT_SIZE)
        prove(
            self.data.path / self.database_name(place),
            snap_path,
            log_path,
            cluster=place.cluster,
            version=version,
            counts=counts,
            record_size=len(log),
        )

    def commit(self, marker: Callable[[int], bytes]) -> None:
        """Give everything its name.

        Args:
            marker: gives what stands beside a log that waits for its data dir, for the hash of the database.
        """
        self._mark(marker)
        self._give()
        waiting = [place.deferred for place in self._layout.members if place.deferred is not None]
        folders = [self.data] if self._logs is self.data else [self._logs, self.data]
        try:
            for folder in folders:
                folder.commit()
            name_all(waiting)
        except BaseException:
            for folder in reversed(folders):
                folder.withdraw()
            raise
        forget_markers(waiting)

    def _mark(self, marker: Callable[[int], bytes]) -> None:
        waiting = [place for place in self._layout.members if place.deferred is not None]
        if not waiting:
            return
        content = marker(content_hash(self.data.path / self.database_name(waiting[0])))
        for place in waiting:
            assert place.deferred is not None
            descriptor = self._logs.create(_inside(place.wal_name, place.deferred.marker))
            self._stack.callback(os.close, descriptor)
            lock_marker(descriptor)
            with self._logs.reporting():
                write_at(descriptor, content, 0)
                os.fsync(descriptor)

    def _give(self) -> None:
        if self._owner == Owner() and self._mode is None:
            return
        for folder in {self.data, self._logs}:
            folder.give(uid=self._owner.uid, gid=self._owner.gid, mode=self._mode)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()


def refuse_full_disks(layout: Layout, database_size: int, data: Path, logs: Path) -> None:
    """Raise when there is no room for the members' files in two folders, which may be on one disk."""
    count = len(layout.members)
    database_size, log_size = count * (database_size + _RESERVE_SIZE), count * SEGMENT_SIZE
    needed = {layout.root: (data, database_size)}
    if layout.wal_root is None or data.stat().st_dev == logs.stat().st_dev:
        needed = {layout.root: (data, database_size + log_size)}
    else:
        needed[layout.wal_root] = (logs, log_size)
    for target, (folder, size) in needed.items():
        free = free_space(folder)
        if free < size:
            raise EtcdtoolError(
                f"cannot write {target}: {size} bytes are needed, and {free} are free",
                hint="Free some space or choose another disk; nothing was left behind.",
            )


def _inside(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _compare(data: memoryview, copy: int, progress: Progress) -> None:
    size = len(data)
    for start in range(0, size, _CHUNK_SIZE):
        stop = start + _CHUNK_SIZE
        if os.pread(copy, _CHUNK_SIZE, start) != bytes(data[start:stop]):
            raise FormatError("restored database", "a copy came back with other bytes", offset=start, hint=_HINT)
        progress(min(stop, size), size)


def _write(folder: StagedFolder, name: str, data: bytes, allocated_size: int = 0, *, mode: int = 0o600) -> Path:
    """Write a whole file and sync it; ``allocated_size`` bytes are taken for it in advance."""
    descriptor = folder.create(name, mode=mode)
    try:
        with folder.reporting():
            if allocated_size:
                os.posix_fallocate(descriptor, 0, allocated_size)
            write_at(descriptor, data, 0)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return folder.path / name


_HINT = "Nothing was left behind. Try another disk"
