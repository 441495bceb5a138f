"""Read the v2 store out of whatever holds it: the one entrance for everything that works on v2 data."""

from __future__ import annotations

import contextlib
import gc
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.errors import AnswerIsNoError, UsageError
from etcdtool.findings import Finding, Report, Severity
from etcdtool.model.keys_dump import merge, parse_dump
from etcdtool.model.store_v2 import (
    Store,
    auth_counts,
    has_auth,
    is_auth_enabled,
    iter_nodes_and_own_expiry,
    members,
    removed_members,
)
from etcdtool.operations.v2_cluster import Settled, TailPolicy, settle
from etcdtool.operations.v2_log_end import missing_end
from etcdtool.operations.v2_member import MemberLog, read_member
from etcdtool.operations.v2_values import restore_values
from etcdtool.sources import Workspace
from etcdtool.sources.v2 import V2Source, open_v2_sources

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from etcdtool.model.conversion import Node
    from etcdtool.model.membership import Member
    from etcdtool.operations.v2_replay import TailEntry

__all__ = ["ReadOptions", "TailPolicy", "V2Data", "read_v2"]

_TAIL_NAMED_AT_MOST = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How v2 data are read.

    Attributes:
        as_of: unix nanoseconds at which TTLs are looked at; None is now.
        wal_dir: where the WAL is when it is kept apart.
        tail: what to do about entries that may or may not have been acknowledged; None asks.
    """

    as_of: int | None = None
    wal_dir: Path | None = None
    tail: TailPolicy | None = None


@dataclass(slots=True, kw_only=True)
class V2Data:
    """A v2 store and how it was come by.

    Attributes:
        origins: what was read.
        store: the tree of nodes.
        report: findings of reading.
        as_of, as_of_was_given: time that counts for TTLs, and whether the user fixed it.
        complete: False where hidden nodes may be missing (JSON dumps).
        settled: where the log was taken to end; None for JSON dumps.
        logs: each member's log as it was read.
    """

    origins: Sequence[V2Source]
    store: Store
    report: Report
    as_of: int
    as_of_was_given: bool
    complete: bool = True
    settled: Settled | None = None
    logs: Sequence[MemberLog] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The sources as a person names them."""
        return ", ".join(origin.path for origin in self.origins)

    @property
    def current_index(self) -> int:
        """The v2 store's index (``X-Etcd-Index``)."""
        return self.store.current_index

    @property
    def raft_index(self) -> int:
        """Raft index of the last entry applied, 0 where it is not known."""
        return self.settled.replay.index if self.settled else 0

    @property
    def raft_term(self) -> int:
        """Its term."""
        return self.settled.replay.term if self.settled else 0

    @property
    def commit_index(self) -> int:
        """Highest commit index found on disk, 0 where it is not known."""
        return self.settled.commit_index if self.settled else 0

    @property
    def cluster_id(self) -> int:
        """Id of the cluster, 0 where it is not known."""
        return next((log.log.cluster_id for log in self.logs if log.log is not None), 0)

    @property
    def tail(self) -> Sequence[TailEntry]:
        """Entries behind what was applied."""
        return self.settled.tail if self.settled else ()

    @property
    def tail_undecided(self) -> bool:
        """Whether the tail could change v2 keys and nobody said what to do about it."""
        return self.settled is not None and self.settled.undecided

    @property
    def applied_kinds(self) -> Counter[str] | None:
        """Entries of the log that were applied, by kind."""
        return self.settled.replay.kinds if self.settled else None

    def members(self) -> dict[int, Member]:
        """Members of the cluster, by id."""
        return members(self.store)

    def removed_members(self) -> set[int]:
        """Ids of members that were removed."""
        return removed_members(self.store)

    def rows(self, *, even_undecided: bool = False) -> Iterator[tuple[Node, int | None]]:
        """Yield every client's node, hidden ones too, in path order, with its own expiry (a GET shows that one).

        Raises:
            AnswerIsNoError: the log ends in entries about which the user has to decide.
        """
        if self.tail_undecided and not even_undecided:
            raise self._tail_question()
        return iter_nodes_and_own_expiry(self.store)

    def take_nodes(self) -> list[Node]:
        """Give the nodes of `rows` away: the store has no keys afterwards, and they are in memory once.

        Raises:
            AnswerIsNoError: the log ends in entries about which the user has to decide.
        """
        if self.tail_undecided:
            raise self._tail_question()
        return [node for node, _ in iter_nodes_and_own_expiry(self.store, consume=True)]

    def auth_counts(self) -> tuple[int, int]:
        """How many v2 users and roles there are."""
        return auth_counts(self.store)

    def auth_enabled(self) -> bool:
        """Whether v2 auth is on."""
        return has_auth(self.store) and is_auth_enabled(self.store)

    def check_unchanged(self) -> None:
        """Raise when a file changed while it was read, unless a server that has it open was seen from the start."""
        for log in self.logs:
            if log.source.holder is None:
                for file in log.files:
                    file.check_unchanged()

    def _tail_question(self) -> AnswerIsNoError:
        changing = [entry for entry in self.tail if entry.changes_v2]
        named = ", ".join(f"{entry.index} {entry.summary}" for entry in changing[:_TAIL_NAMED_AT_MOST])
        if len(changing) > _TAIL_NAMED_AT_MOST:
            named += f" and {len(changing) - _TAIL_NAMED_AT_MOST} more"
        return AnswerIsNoError(
            f"the log ends in {len(self.tail)} entries past the commit index {self.commit_index}, "
            f"which may or may not have been acknowledged: {named}",
            hint="Give the data dirs of more members together, or choose --tail apply or --tail ignore.",
        )


@contextlib.contextmanager
def read_v2(paths: Sequence[Path], options: ReadOptions) -> Iterator[V2Data]:
    """Read v2 data; what had to be unpacked is gone when the context ends.

    Args:
        paths: one data dir, several of one cluster's members, a ``.snap``, JSON dumps, archives of these, ``-``.
        options: what the user chose.

    Raises:
        SourceError: nothing of etcd's is there, or it cannot be read.
        FormatError: it is damaged where it is needed.
        UsageError: the sources do not go together.
    """
    with Workspace() as workspace, _without_collector():
        sources = open_v2_sources(paths, workspace, wal_dir=options.wal_dir)
        as_of = time.time_ns() if options.as_of is None else options.as_of
        dumps = [source for source in sources if source.dump is not None]
        if dumps and len(dumps) < len(sources):
            raise UsageError("JSON dumps and data dirs do not go together", hint="Give one or the other.")
        data = _from_dumps(dumps, as_of) if dumps else _from_logs(sources, options, as_of)
        data.as_of_was_given = options.as_of is not None
        yield data
        data.check_unchanged()


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Leave the cyclic collector out: a store is a tree of a million objects without a cycle, walked for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _from_dumps(sources: Sequence[V2Source], as_of: int) -> V2Data:
    store = Store()
    dumps = [parse_dump(source.dump.data, source.path) for source in sources if source.dump is not None]
    store.root, store.current_index = merge(dumps)
    report = Report()
    report.add(
        Finding(
            code="v2.completeness-unknown",
            severity=Severity.WARNING,
            where=", ".join(source.path for source in sources),
            detail="a JSON dump leaves hidden nodes out, so there may be keys that are not in it",
            hint="Use the member's data dir, or dump each hidden node by its name as well and give all together.",
        )
    )
    return V2Data(origins=sources, store=store, report=report, as_of=as_of, as_of_was_given=False, complete=False)


def _from_logs(sources: Sequence[V2Source], options: ReadOptions, as_of: int) -> V2Data:
    logs = [read_member(source) for source in sources]
    settled = settle(logs, options.tail)
    report = Report()
    for log in logs:
        report.extend(_said_of_source(log))
        report.extend(log.findings)
    report.extend(missing_end(settled.member, logs))
    report.extend(settled.findings)
    report.extend(restore_values(settled))
    if settled.store.duplicates:
        report.add(
            Finding(
                code="v2.snap-duplicates",
                severity=Severity.ERROR,
                where=f"{settled.member.source.path}/{settled.member.snap_name}",
                detail=f"holds {settled.store.duplicates} nodes under a name that another one has too; they are lost",
                hint="Their names differed only in bytes that are no UTF-8; look for an older .snap and its WAL.",
            )
        )
    return V2Data(
        origins=sources,
        store=settled.store,
        report=report,
        as_of=as_of,
        as_of_was_given=False,
        settled=settled,
        logs=logs,
    )


def _said_of_source(log: MemberLog) -> Iterator[Finding]:
    source = log.source
    if source.holder is not None:
        yield Finding(
            code="v2.in-use",
            severity=Severity.WARNING,
            where=source.path,
            detail=f"{source.holder}: what it writes from now on is not in the result",
            hint="Stop the server for the final run.",
        )
    assert source.data_dir is not None
    broken = [name for name in source.data_dir.ignored if name.endswith(".broken")]
    if broken:
        yield Finding(
            code="v2.broken-files",
            severity=Severity.NOTE,
            where=source.path,
            detail=f"a server has set aside {', '.join(broken)}, which was not read",
        )
