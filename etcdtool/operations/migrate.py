"""``migrate``: the storage of a stopped member to another version, in its place.

Upstream: ``etcdutl/etcdutl/migrate_command.go``, ``server/storage/schema/{schema,migration}.go`` @ v3.7.1, whose checks
come in the same order with the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from etcdtool.checks import wal
from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer
from etcdtool.model import schema
from etcdtool.model.compactions import read_meta
from etcdtool.model.migration import (
    FIRST_WITH_STORAGE_VERSION,
    NEWEST_KNOWN,
    detect_version,
    plan_steps,
    stored_version,
)
from etcdtool.model.wal_version import oldest_version_of_log
from etcdtool.operations.boot_outlook import MemberFiles, outlook
from etcdtool.operations.edit_in_place import edit_in_place
from etcdtool.operations.restore_events import Silent
from etcdtool.operations.verify_log import LogCheck
from etcdtool.sources import InputFile, locate_database
from etcdtool.targets import Hold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from etcdtool.formats.wal import Entry
    from etcdtool.model.semver import SemanticVersion
    from etcdtool.operations.restore_events import Events
    from etcdtool.sources import DataDir

    Progress = Callable[[int, int], None]

__all__ = ["LogStart", "MigrateOptions", "Migrated", "migrate"]

_HINT_NO_LOG = "If the log is kept apart from the data dir, give --wal-dir"
_HINT_NO_TERM = (
    "The data are of etcd 3.4 or older, or no snapshot was taken since 3.5 runs on them: let 3.5 take one, which "
    "--snapshot-count brings forward"
)


class LogStart(Enum):
    """Where the entries of the log begin that storage of an older version has to understand."""

    RECORD = "record"
    """Behind the log's newest valid record of a snapshot, as etcdutl 3.7 takes it."""
    SNAP = "snap"
    """Behind the newest .snap that such a record vouches for, as etcdutl 3.6 takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrateOptions:
    """What ``migrate`` is told.

    Attributes:
        data_dir: of a stopped member.
        target: version that the storage shall have.
        force: set it whatever is in the way.
        wal_dir: where the log is when it is kept apart.
        log_start: which entries of the log count.
        keep: whether the old database is kept.
        wait_seconds: how long to wait for a server that has the folder open to end.
    """

    data_dir: Path
    target: SemanticVersion
    force: bool = False
    wal_dir: Path | None = None
    log_start: LogStart = LogStart.RECORD
    keep: bool = True
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """What was done.

    Attributes:
        before: version that the storage had.
        steps: versions that it went through; none where nothing was to do, or by force.
        kept: where the old database is, if it is kept; None too where nothing was written.
    """

    before: SemanticVersion
    steps: tuple[SemanticVersion, ...] = ()
    kept: Path | None = None


def migrate(options: MigrateOptions, *, events: Events | None = None, progress: Progress | None = None) -> Migrated:
    """Bring the storage of a stopped member to a version.

    Args:
        options: what it is told.
        events: is told what was done, when it is done, and what a server of that version will not start on.
        progress: is called with the bytes read back and the bytes there are.

    Raises:
        EtcdtoolError: the folder is in use, or has no database or no log, or there is no way to that version.
        FormatError: the database or the log is damaged.
    """
    parts, path = locate_database(options.data_dir, wal_dir=options.wal_dir)
    told = events or Silent()
    with Hold(
        database=path,
        segments=parts.segments,
        wait_seconds=options.wait_seconds,
        waiting=lambda: told.tell("waiting for etcd to close and release its lock", {"path": str(path)}),
    ) as hold:
        return _Work(options, parts, InputFile.open(path), hold).run(told, progress)


class _Work:
    """One member's storage, held."""

    def __init__(self, options: MigrateOptions, parts: DataDir, file: InputFile, hold: Hold) -> None:
        self._options = options
        self._parts = parts
        self._file = file
        self._hold = hold
        try:
            self._image = Image.open(file.data[:-TRAILER_SIZE] if has_trailer(file.size) else file.data)
            self._meta = read_meta(self._image)
        except FormatError as error:
            raise error.at(str(file.path)) from error

    def run(self, events: Events, progress: Progress | None) -> Migrated:
        """Check, write, and tell."""
        target = self._options.target
        before = detect_version(self._meta)
        if before is None:
            raise EtcdtoolError("missing term information", hint=_HINT_NO_TERM)
        if before == target:
            events.tell("storage version up-to-date", {"storage-version": _short(before)})
            return Migrated(before=before)
        log = self._read_log()
        steps, problem = self._plan(before, log)
        if problem is not None and not self._options.force:
            raise problem
        kept = self._write(progress) if steps or problem is not None else None
        self._tell(events, steps, problem, kept)
        self._warn(events, log)
        return Migrated(before=before, steps=tuple(steps), kept=kept)

    def _read_log(self) -> LogCheck:
        log = LogCheck(parts=self._parts)
        log.read()
        if log.log is not None and wal.DAMAGED_BEFORE.code not in {finding.code for finding in log.findings}:
            return log
        for finding in log.findings:
            if finding.code == wal.NOT_THERE.code:
                raise EtcdtoolError("failed to get the lastest snapshot: wal: file not found", hint=_HINT_NO_LOG)
            if finding.code in {wal.DAMAGED.code, wal.DAMAGED_BEFORE.code}:
                raise EtcdtoolError(f"failed to read wal: {finding.where}: {finding.detail}", hint=finding.hint)
        raise AssertionError(log.findings)

    def _plan(self, before: SemanticVersion, log: LogCheck) -> tuple[Sequence[SemanticVersion], EtcdtoolError | None]:
        """Return the steps, or what is in their way."""
        target = self._options.target
        try:
            steps = plan_steps(before, target)
        except ValueError as error:
            return (), EtcdtoolError(f"cannot create migration plan: {error}")
        if target < before:
            try:
                oldest = oldest_version_of_log(self._entries(log))
            except FormatError as error:
                return (), error
            if oldest is not None and target < oldest:
                return (), EtcdtoolError(
                    "cannot downgrade storage, WAL contains newer entries, as the target version "
                    f"({target}) is lower than the version ({oldest}) detected from WAL logs",
                    hint="Let the server take a snapshot behind them (etcdctl downgrade enable does), then stop it",
                )
        return steps, None

    def _entries(self, check: LogCheck) -> Iterator[Entry]:
        log = check.log
        assert log is not None
        if self._options.log_start is LogStart.RECORD:
            records = log.valid_snapshots()
            return log.entries((records[-1].index if records else 0) + 1)
        return log.entries((check.start_snap.index if check.start_snap else 0) + 1)

    def _write(self, progress: Progress | None) -> Path | None:
        wanted = stored_version(self._options.target)
        transaction = Transaction(self._image)
        pairs = dict(self._meta)
        if wanted is None:
            transaction.delete(schema.META, schema.STORAGE_VERSION)
            pairs.pop(schema.STORAGE_VERSION, None)
        else:
            transaction.put(schema.META, schema.STORAGE_VERSION, wanted)
            pairs[schema.STORAGE_VERSION] = wanted
        return edit_in_place(
            self._file,
            self._image,
            transaction.commit(),
            bucket=schema.META,
            pairs=pairs,
            hold=self._hold,
            verb="migrate",
            keep=self._options.keep,
            progress=progress,
        )

    def _warn(self, events: Events, log: LogCheck) -> None:
        """Tell what a server of the target version will not start on: it is best known before it is installed."""
        target = self._options.target
        if target > NEWEST_KNOWN:
            return
        member = MemberFiles.of(str(self._options.data_dir), log, lambda: self._image)
        found = outlook(member, (target.major, target.minor)).obstacles(member.name)
        for finding in found:
            if finding.code != "boot.storage-version":  # that was migrated just now
                events.tell(f"{finding.detail}. {finding.hint}", warning=True)

    def _tell(
        self, events: Events, steps: Sequence[SemanticVersion], problem: EtcdtoolError | None, kept: Path | None
    ) -> None:
        target = self._options.target
        if problem is not None:
            events.tell("normal migrate failed, trying with force", {"error": problem.message})
            if target < FIRST_WITH_STORAGE_VERSION:
                events.tell("forcefully cleared storage version", warning=True)
            else:
                events.tell("forcefully set storage version", {"storage-version": _short(target)}, warning=True)
        for step in steps:
            events.tell("updated storage version", {"new-storage-version": str(step)})
        if kept is not None:
            events.tell("kept the database as it was", {"path": str(kept)})


def _short(version: SemanticVersion) -> str:
    return f"{version.major}.{version.minor}"
