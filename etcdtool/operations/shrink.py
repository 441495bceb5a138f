"""Write a database smaller: in the place of the one in a stopped member's data dir, or to a new snapshot.

In place: the locks that a server takes are held throughout; the new file is written beside the old one, synced, read
back, and put in its place at once; no other file is touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.formats.digest import TRAILER_SIZE, sha256_of
from etcdtool.operations.shrink_work import Plan, Shrunk, Work, map_output
from etcdtool.operations.write_behind import syncing
from etcdtool.sources import Database, InputFile, locate_database, open_database
from etcdtool.targets import Hold, Replacement, StagedFile, refuse_existing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Progress = Callable[[int, int], None]

__all__ = ["Member", "Plan", "Shrunk", "in_place", "to_snapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A stopped member whose database is written anew.

    Attributes:
        data_dir: its data dir.
        wal_dir: where its log is when that is kept apart.
        keep: whether the old file is kept.
        wait_seconds: how long to wait for a server that works on it to end.
        waiting: is called with the file's path when that takes longer than a moment.
    """

    data_dir: Path
    wal_dir: Path | None = None
    keep: bool = True
    wait_seconds: float = 0.0
    waiting: Callable[[Path], None] = lambda _: None


def in_place(member: Member, plan: Plan, *, progress: Progress | None = None) -> Shrunk:
    """Write the database of a stopped member anew, and put it in its place.

    Args:
        member: whose.
        plan: what is done.
        progress: is called with the bytes done and the bytes there are.

    Raises:
        SourceError: there is no database.
        InUseError: a process works on it.
        AnswerIsNoError, FormatError: it is damaged.
        EtcdtoolError: the disk refuses; nothing is changed.
    """
    parts, path = locate_database(member.data_dir, wal_dir=member.wal_dir)
    shown = parts.database or path
    with Hold(
        database=path,
        segments=parts.segments,
        wait_seconds=member.wait_seconds,
        waiting=lambda: member.waiting(path),
    ) as hold:
        database = Database.of(InputFile.open(path), name=str(shown), kind="database")
        work = Work(database, plan, progress)
        with Replacement(path, verb=plan.verb, keep=member.keep) as output:
            work.refuse_full_disk(path)
            size = work.write(output)
            with syncing(output.fileno()):
                work.prove(map_output(output))

            def last_look() -> None:
                hold.refuse_company()
                database.file.check_unchanged()

            kept = output.commit(last_look=last_look)
    return work.shrunk(shown, kept, size)


def to_snapshot(source: Path, target: Path, plan: Plan, *, progress: Progress | None = None) -> Shrunk:
    """Write a snapshot, or another source that holds a database, to a new snapshot file; the source is not changed.

    Args:
        source: what is read; its sha256 trailer has to be right, where it has one.
        target: does not exist yet.
        plan: what is done.
        progress: as for `in_place`.

    Raises:
        TargetExistsError: something stands there.
        ChecksumError: the source's trailer is not that of the file.
        AnswerIsNoError, FormatError: the source is damaged.
        EtcdtoolError: it cannot be read, or the disk refuses; nothing is left behind.
    """
    refuse_existing(target)
    with open_database(source) as database:
        _refuse_mismatch(database)
        work = Work(database, plan, progress)
        with StagedFile(target) as output:
            work.refuse_full_disk(target)
            size = work.write(output)
            digest = sha256_of(map_output(output))
            assert digest is not None  # nothing stops it
            with output.reporting():
                output.file.write(digest)
                output.file.flush()
            with syncing(output.fileno()):
                data = map_output(output)
                work.prove(data[:size])
                if sha256_of(data[:size]) != bytes(data[size:]):
                    raise FormatError("written snapshot", "the sha256 came back otherwise", hint="Try another disk")
            database.file.check_unchanged()
            output.commit()
    return work.shrunk(target, None, size + TRAILER_SIZE)


def _refuse_mismatch(database: Database) -> None:
    if database.trailer is None:
        return
    computed = sha256_of(database.data)
    assert computed is not None  # nothing stops it
    if computed != database.trailer:
        raise ChecksumError(
            "snapshot",
            stored=database.trailer.hex(),
            computed=computed.hex(),
            where=database.name,
            hint="The file was changed after it was saved. Use another copy, or snapshot salvage",
        )
