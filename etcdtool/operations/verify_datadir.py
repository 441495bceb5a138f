"""``verify`` for a data dir: the database, the log, the ``.snap`` files, and whether they belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.checks import datadir, snap, wal
from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.findings import Report
from etcdtool.formats.bbolt import cursor
from etcdtool.model import schema
from etcdtool.model.membership import parse_member
from etcdtool.model.migration import detect_version
from etcdtool.model.store_v2 import cluster_version, members
from etcdtool.operations.v2_log_end import missing_end
from etcdtool.operations.v2_member import MemberLog
from etcdtool.operations.v2_replay import Replay, replay
from etcdtool.operations.verify import Depth, verify
from etcdtool.operations.verify_log import LogCheck
from etcdtool.sources import Database, InputFile
from etcdtool.sources.v2 import V2Source

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

    from etcdtool.findings import Finding
    from etcdtool.model.membership import Member
    from etcdtool.model.semver import SemanticVersion
    from etcdtool.sources import DataDir

    Progress = Callable[[int, int], None]

__all__ = ["DataDirCheck", "Stored", "stored_in"]

_RECEIVED_SUFFIX = ".snap.db"


@dataclass(frozen=True, slots=True)
class _V2Side:
    """What the v2 store of the log says: its members at some moments, and what was applied."""

    at_start: Mapping[int, Member]
    moments: tuple[Mapping[int, Member], ...]
    version: str
    has_v3_entries: bool


@dataclass(slots=True, kw_only=True)
class DataDirCheck:
    """Checks of a data dir.

    Attributes:
        shown: what to call it.
        parts: its files.
        database: its opened database, None where there is none.
        depth: how much of a database is looked at.
        in_use: whether a server may be writing to it; the database is a copy then.
        progress: is called with the bytes done and the bytes there are.
        cluster_id: from the log, once it was read; 0 where it is not known.
    """

    shown: str
    parts: DataDir
    database: Database | None
    depth: Depth
    in_use: bool = False
    progress: Progress | None = None
    cluster_id: int = 0

    def report(self) -> Report:
        """Check everything.

        Raises:
            SourceError: a file cannot be opened or read, or changed meanwhile.
        """
        report = Report()
        if self.database is not None:
            report.extend(verify(self.database, progress=self.progress, depth=self.depth).findings)
        log = LogCheck(parts=self.parts, in_use=self.in_use)
        log.read()
        stored = stored_in(self.database)
        report.extend(log.findings_for(stored.version if stored is not None else None))
        if log.log is not None:
            self.cluster_id = log.log.cluster_id
        report.extend(self._check_together(log, stored))
        report.extend(self._check_received(log))
        report.extend(datadir.check_leftovers(self.parts.ignored))
        if not self.in_use:
            for file in log.files:
                file.check_unchanged()
        return report

    def _check_together(self, log: LogCheck, stored: Stored | None) -> Iterator[Finding]:
        if stored is not None and log.log is not None:
            yield from datadir.check_applied(self._applied(stored, log))
        member = self._member(log)
        if not self.in_use:
            yield from missing_end(member, [member])
        v2_side = yield from self._replay(member, log, stored)
        if v2_side is None:
            return
        start = log.start_snap
        if start is not None:
            yield from datadir.check_conf_state(start.conf_state, v2_side.at_start, name=log.start)
        own_id = log.log.node_id if log.log is not None else 0
        is_member = not v2_side.moments or own_id in v2_side.moments[-1]
        if own_id:
            yield from datadir.check_own_id(own_id, v2_side.moments[-1], name=self.shown)
        if self.database is None:
            yield from self._say_no_database(v2_side, is_member=is_member)
        elif stored is not None:
            yield from datadir.check_memberships(stored.members, v2_side.moments, name=self.database.name)

    def _say_no_database(self, v2_side: _V2Side, *, is_member: bool) -> Iterator[Finding]:
        if v2_side.has_v3_entries or (is_member and _major(v2_side.version) >= 3):
            yield datadir.DATABASE_MISSING.finding(self.shown, "the cluster has a v3 store, and there is no snap/db")
        else:
            yield datadir.V2_ONLY.finding(self.shown, "there is no v3 database")

    def _applied(self, stored: Stored, log: LogCheck) -> datadir.Applied:
        assert log.log is not None
        assert self.database is not None
        start = log.start_snap
        # beside a running server the .snap may be of a later moment than the copy of the database
        snap_index = start.index if start is not None and not self.in_use else 0
        last_index = max(log.log.last_index, snap_index)
        # and it holds back the commit index of the last entry until it writes the next one
        commit_index = last_index if self.in_use else max(log.log.hard_state.commit, snap_index)
        row = stored.index - log.log.first_index
        log_term = log.log.terms[row] if 0 <= row < log.log.entry_count else None
        return datadir.Applied(
            name=self.database.name,
            index=stored.index,
            term=stored.term,
            snap_index=snap_index,
            commit_index=commit_index,
            last_index=last_index,
            log_term=log_term,
            received=frozenset(map(_received_index, self.parts.received)),
        )

    def _member(self, log: LogCheck) -> MemberLog:
        source = V2Source(path=self.shown, kind="data dir", data_dir=self.parts)
        return MemberLog(source=source, snap_name=log.start, snap=log.start_snap, log=log.log, files=log.files)

    def _replay(
        self, member: MemberLog, log: LogCheck, stored: Stored | None
    ) -> Generator[Finding, None, _V2Side | None]:
        """Make the v2 store of the ``.snap``, and apply the log to it; the members of that are to be compared."""
        try:
            store = member.base_store()
            at_start = members(store)
        except FormatError as error:
            yield snap.STORE.finding(log.start, error.problem, offset=error.offset)
            return None
        result = Replay(index=member.base_index)
        moments = []
        try:
            for index in sorted({stored.index if stored is not None else 0, member.commit_index}):
                if member.base_index <= index <= member.commit_index and self._reaches(member):
                    replay(member, store, result, index)
                    moments.append(members(store))
        except EtcdtoolError as error:
            where = error.where if isinstance(error, FormatError) else self.shown
            yield wal.ENTRY_UNREADABLE.finding(where, error.message)
            return None
        return _V2Side(at_start, tuple(moments) or (at_start,), cluster_version(store) or "", bool(result.kinds["v3"]))

    @staticmethod
    def _reaches(member: MemberLog) -> bool:
        """Tell whether the log goes on where the ``.snap`` ends."""
        return member.log is not None and member.log.after_index <= member.base_index

    def _check_received(self, log: LogCheck) -> Iterator[Finding]:
        """Look at databases that a leader has sent: the one that a server would use, whole; others are left over."""
        start = log.start_snap
        stored = stored_in(self.database)
        for path in self.parts.received:
            is_needed = start is not None and _received_index(path) == start.index
            if not is_needed or (stored is not None and stored.index >= _received_index(path)):
                yield datadir.LEFTOVER.finding(path.name, "a database that a leader has sent, and nobody needs")
                continue
            database = Database.of(InputFile.open(path, in_use=self.in_use), name=path.name, kind="database")
            yield from verify(database, depth=self.depth).findings


@dataclass(frozen=True, slots=True)
class Stored:
    """What a database says of how it stands to the log.

    Attributes:
        index, term: of the last entry it has applied; 3.4 notes no term.
        members: by id.
        version: of the storage, None where it is older than 3.5 or not known.
    """

    index: int
    term: int
    members: Mapping[int, Member]
    version: SemanticVersion | None = None


def stored_in(database: Database | None) -> Stored | None:
    """Read the parts that have to fit to the log; None where they can't be: findings say so already."""
    if database is None:
        return None
    try:
        buckets = cursor.root_buckets(database.image)
        meta = _pairs(database, buckets.get(schema.META))
        found = [parse_member(value) for value in _pairs(database, buckets.get(schema.MEMBERS)).values()]
        index = schema.parse_uint64(meta.get(schema.CONSISTENT_INDEX, bytes(8)), "consistent_index")
        term = schema.parse_uint64(meta.get(schema.TERM, bytes(8)), "term")
        version = detect_version(meta)
    except FormatError:
        return None
    return Stored(index, term, {member.id: member for member in found}, version)


def _pairs(database: Database, bucket: cursor.Bucket | None) -> dict[bytes, bytes]:
    return {item.key: bytes(item.value) for item in cursor.iter_items(database.image, bucket)} if bucket else {}


def _received_index(path: Path) -> int:
    try:
        return int(path.name.removesuffix(_RECEIVED_SUFFIX), 16)
    except ValueError:
        return 0


def _major(version: str) -> int:
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 0
