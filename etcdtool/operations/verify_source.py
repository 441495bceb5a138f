"""``verify`` for one source, whatever it is: opened, checked, closed, and found unchanged."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.checks import policy as conditions
from etcdtool.checks.container import check_name
from etcdtool.checks.policy import Policy
from etcdtool.errors import EtcdtoolError, FormatError, SourceError, UsageError
from etcdtool.operations.hasher import Hasher, positions_of
from etcdtool.sources import Workspace, find_place, holder_of, locate, open_place
from etcdtool.sources.touch import Touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from etcdtool.findings import Finding, Report
    from etcdtool.model.keyspace import Keyspace
    from etcdtool.sources import Database, Place

    Progress = Callable[[int, int], None]

__all__ = ["VerifiedSource", "VerifyOptions", "verify_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """How sources are checked.

    Attributes:
        quick: leave out what reads every byte; notes say what.
        simulate_restore: restore into a temporary folder too, and check what came out.
        live: check a copy where a running server has a database open.
        wal_dir: where the WAL of a data dir is when it is kept apart.
        policy: what is asked of the data beyond being sound.
        same_as: a source with which the key space must agree.
    """

    quick: bool = False
    simulate_restore: bool = False
    live: bool = False
    wal_dir: Path | None = None
    policy: Policy = field(default_factory=Policy)
    same_as: Path | None = None

    def check(self, sources: Sequence[Path]) -> None:
        """Refuse what does not go together, before any source is read.

        Raises:
            UsageError: says what.
        """
        if self.quick and (self.policy.reads_keys or self.same_as is not None):
            raise UsageError(
                "a condition on keys or revisions and --level quick do not go together",
                hint="--level quick does not read the keys.",
            )
        names = [str(path) for path in sources]
        if "-" in names and self.policy.max_age_seconds is not None:
            raise UsageError("--max-age cannot be told of stdin", hint="Give the file by its name.")
        if "-" in names and str(self.same_as) == "-":
            raise UsageError("stdin is given twice", hint="It can be read only once.")
        if self.wal_dir is not None and len(sources) > 1:
            raise UsageError("--wal-dir goes with one data dir", hint="Check several data dirs one by one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSource:
    """A source that could be read, and what was found.

    Attributes:
        kind: what it was taken for, as a person is told.
        size: its bytes, unpacked; of a data dir, those of its database.
        report: what was found.
    """

    kind: str
    size: int
    report: Report


_DEFAULT = VerifyOptions()


def verify_source(path: Path, *, progress: Progress | None = None, options: VerifyOptions = _DEFAULT) -> VerifiedSource:
    """Check a snapshot, a database or a data dir.

    Args:
        path: a file or folder; ``-`` reads stdin.
        progress: is called with the bytes done and the bytes there are.
        options: what the user chose.

    Raises:
        EtcdtoolError: it cannot be read as what it should be, so that nothing can be said about it.
    """
    with Workspace() as workspace:
        place = find_place(path, workspace, wal_dir=options.wal_dir)
        if options.wal_dir is not None and place.data_dir is None:
            raise UsageError("--wal-dir goes with a data dir", hint=f"{place.shown} is a file.")
        inspected: list[Keyspace] = []
        age_seconds = _age_seconds(path, place) if options.policy.max_age_seconds is not None else None

        def inspect(keyspace: Keyspace) -> Iterator[Finding]:
            inspected.append(keyspace)
            return conditions.check_keyspace(options.policy, keyspace)

        found = _Found(place=place, workspace=workspace, options=options, inspect=inspect, progress=progress)
        result = found.verified()
        report = result.report
        if options.policy.reads_keys and not inspected:
            report.add(conditions.NOT_CHECKED.finding(place.shown, "its keys could not be read"))
        if age_seconds is not None:
            report.extend(conditions.check_age(options.policy, place.shown, age_seconds))
        report.extend(found.check_cluster_id())
        if options.same_as is not None:
            report.extend(found.check_same(options.same_as))
        if options.simulate_restore and found.database is not None:
            from etcdtool.operations.restore import simulate  # noqa: PLC0415  on request only

            report.extend(simulate(found.database, check=lambda folder: verify_source(folder).report).findings)
        if found.database is not None:
            found.database.file.check_unchanged()
    return result


@dataclass(slots=True, kw_only=True)
class _Found:
    """A source on its way through the checks."""

    place: Place
    workspace: Workspace
    options: VerifyOptions
    inspect: Callable[[Keyspace], Iterator[Finding]]
    progress: Progress | None
    database: Database | None = None
    cluster_id: int = 0

    def verified(self) -> VerifiedSource:
        if self.place.data_dir is not None and (self.place.data_dir.segments or self.place.data_dir.snap_files):
            return self._verified_data_dir()
        self.database = open_place(self.place, self.workspace, live=self.options.live)
        in_data_dir = self.place.data_dir is not None
        positions = [] if self.options.quick or in_data_dir else positions_of(self.database)
        with (
            nullcontext() if self.options.quick else Touched(self.database.data),
            Hasher(self.database.file.data, positions) as hasher,
        ):
            # the file is mapped and hashed meanwhile
            from etcdtool.operations.verify import Depth, verify  # noqa: PLC0415

            depth = Depth(quick=self.options.quick, inspect=self.inspect, in_data_dir=in_data_dir)
            report = verify(self.database, progress=self.progress, depth=depth, hasher=hasher)
        if not in_data_dir:
            report.extend([*check_name(self.place.shown, report.findings)])
        return VerifiedSource(kind=self.database.kind, size=self.database.size, report=report)

    def _verified_data_dir(self) -> VerifiedSource:
        from etcdtool.operations.verify import Depth  # noqa: PLC0415  as above
        from etcdtool.operations.verify_datadir import DataDirCheck  # noqa: PLC0415  a snapshot goes without raft

        parts = self.place.data_dir
        assert parts is not None
        holder = holder_of(parts.lockable)
        if holder is not None and not self.options.live:
            raise SourceError(
                f"{holder}, so what it holds may change under the reader",
                hint="Stop the server, or take a snapshot; verify --live works on a copy.",
            )
        # the database first: what it has applied is in the log by then
        if parts.database is not None:
            self.database = open_place(self.place, self.workspace, live=self.options.live)
        if holder is not None:
            parts = locate(parts.root, wal_dir=self.options.wal_dir) or parts
        check = DataDirCheck(
            shown=self.place.shown,
            parts=parts,
            database=self.database,
            depth=Depth(quick=self.options.quick, inspect=self.inspect, in_data_dir=True),
            in_use=holder is not None,
            progress=self.progress,
        )
        report = check.report()
        self.cluster_id = check.cluster_id
        kind = "data dir of a running server" if holder is not None else "data dir"
        size = self.database.size if self.database is not None else 0
        return VerifiedSource(kind=self.place.described(kind), size=size, report=report)

    def check_cluster_id(self) -> Iterator[Finding]:
        if self.options.policy.cluster_id is None:
            return
        from etcdtool.operations.verify_datadir import stored_in  # noqa: PLC0415  as above

        stored = stored_in(self.database)
        member_ids = stored.members if stored is not None else {}
        yield from conditions.check_cluster_id(
            self.options.policy, self.place.shown, logged=self.cluster_id, member_ids=member_ids.keys()
        )

    def check_same(self, other_path: Path) -> Iterator[Finding]:
        """Compare the key space with that of another source, which is not judged itself.

        Raises:
            EtcdtoolError: the other one cannot be opened.
        """
        from etcdtool.operations.hashkv_compare import compare  # noqa: PLC0415  on request only

        with Workspace() as workspace:
            other = open_place(find_place(other_path, workspace), workspace, live=self.options.live)
            if self.database is None:
                yield conditions.NOT_CHECKED.finding(self.place.shown, "there is no v3 database to compare")
                return
            try:
                found = compare([other, self.database])
            except FormatError as error:
                yield conditions.NOT_CHECKED.finding(self.place.shown, f"cannot be compared: {error.message}")
                return
            except EtcdtoolError as error:  # no revision is in both
                yield conditions.DIFFERS.finding(self.place.shown, error.message)
                return
            theirs, ours = found.members
            if theirs.current_revision != ours.current_revision:
                detail = f"is at revision {ours.current_revision}, {theirs.name} at {theirs.current_revision}"
                yield conditions.DIFFERS.finding(self.place.shown, detail)
            for difference in found.differences:
                detail = (
                    f"differs from {theirs.name} in {difference.revisions} revisions "
                    f"from {difference.first_revision} on"
                )
                yield conditions.DIFFERS.finding(self.place.shown, detail)
            other.file.check_unchanged()


def _age_seconds(path: Path, place: Place) -> float:
    """Return how long ago the source was last written to; of a data dir, its newest part."""
    parts = place.data_dir
    files = (
        [path] if parts is None or place.packing else [*parts.segments, *([parts.database] if parts.database else [])]
    )
    try:
        return time.time() - max(file.stat().st_mtime for file in files or [path])
    except OSError as error:
        raise SourceError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
