"""The parts of a data dir held against each other: log, ``.snap`` files, database, and both memberships.

Format: docs/formats/wal.md, docs/formats/snap.md; upstream: ``server/storage/backend.go``,
``server/etcdserver/bootstrap.go``, ``server/verify/verify.go`` @ v3.6.14.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code
from etcdtool.findings import Severity
from etcdtool.model.membership import member_id_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from etcdtool.findings import Finding
    from etcdtool.formats.raft import ConfState
    from etcdtool.model.membership import Member

__all__ = [
    "CODES",
    "Applied",
    "check_applied",
    "check_conf_state",
    "check_leftovers",
    "check_memberships",
    "check_own_id",
]

_RUN_3_5_26 = (
    "Run every member once with 3.5.26 or later before 3.6: it brings the two together. Servers of 3.6 and later "
    "believe the database."
)

ZOMBIE = Code(
    code="datadir.zombie-member",
    severity=Severity.WARNING,
    meaning="The database has a member that the v2 store does not have: it was removed, and the database did not "
    "notice. Servers up to 3.5 read members from the v2 store; at the upgrade to 3.6 it comes back to life, and may "
    "cost the quorum (etcd issue 20967).",
    remedy=_RUN_3_5_26,
)
MEMBER_MISSING = Code(
    code="datadir.member-missing",
    severity=Severity.WARNING,
    meaning="The v2 store has a member that the database does not have; servers of 3.6 and later will not know it.",
    remedy=_RUN_3_5_26,
)
LEARNER = Code(
    code="datadir.learner-flag",
    severity=Severity.WARNING,
    meaning="The v2 store and the database disagree on whether a member is a learner. Servers before 3.5.20 wrote a "
    "promotion to the v2 store only (etcd issue 19557); 3.6 and later take it for a learner still, or refuse to start.",
    remedy=_RUN_3_5_26,
)
CONF_STATE = Code(
    code="datadir.conf-state",
    severity=Severity.WARNING,
    meaning="The .snap that a server starts from names other voters or learners for raft than its own v2 store.",
    remedy="Compare with the data dirs of the other members.",
)
REMOVED = Code(
    code="datadir.member-removed",
    severity=Severity.NOTE,
    meaning="The member whose log this is, is none of the cluster's: it was removed, or this is a backup. Its data may "
    "be old.",
    remedy="Use the data of a member that stayed, if there is one.",
)
INDEX_BEHIND_SNAP = Code(
    code="datadir.index-behind-snap",
    severity=Severity.ERROR,
    meaning="The database has not applied what the .snap holds that a server starts from, and the log no longer has "
    "it. The server does not start: database file does not match with snapshot.",
    remedy="Put the database that belongs to the log in its place, or use another member's data.",
)
INDEX_AT_RECEIVED = Code(
    code="datadir.database-received",
    severity=Severity.NOTE,
    meaning="The database is older than the .snap, and the one that the leader has sent lies beside it: a server "
    "puts it in its place at its start.",
    remedy="None is needed. A backup of this folder must hold that file too.",
)
INDEX_BEYOND_COMMIT = Code(
    code="datadir.index-beyond-commit",
    severity=Severity.NOTE,
    meaning="The database has applied entries that the log has, but does not call committed. That it is committed is "
    "written with the entry that follows, so a server that was killed leaves it so, from 3.6 on nearly always; a "
    "power failure does too, and so do a database and a log of different moments.",
    remedy="None is needed after a kill or a power failure. Otherwise make the copy anew, with the server stopped.",
)
TERM = Code(
    code="datadir.term",
    severity=Severity.WARNING,
    meaning="The database says that the last entry it applied is of another term than the log has it.",
    remedy="Make the copy anew, with the server stopped. Servers of 3.4 leave an old term after a downgrade from 3.5.",
)
DATABASE_MISSING = Code(
    code="datadir.database-missing",
    severity=Severity.ERROR,
    meaning="The log holds changes of the v3 store, and there is no database. Servers refuse to start, or start on an "
    "empty one.",
    remedy="Put member/snap/db back, or use another copy.",
)
V2_ONLY = Code(
    code="datadir.v2-only",
    severity=Severity.NOTE,
    meaning="There is no v3 database, as in data dirs of 2.x and what etcdctl backup makes: log and .snap files were "
    "checked.",
    remedy="None is needed. etcdtool v2 status shows what v2 keys there are.",
)
LEFTOVER = Code(
    code="datadir.leftover",
    severity=Severity.NOTE,
    meaning="A file that a server left behind: of a defragmentation or a transfer that was cut off (db.tmp…, tmp…), or "
    "one that it could not read and set aside (.broken).",
    remedy="Delete it when the server runs well. A .broken file says that there was damage once.",
)
CODES = (
    ZOMBIE,
    MEMBER_MISSING,
    LEARNER,
    CONF_STATE,
    REMOVED,
    INDEX_BEHIND_SNAP,
    INDEX_AT_RECEIVED,
    INDEX_BEYOND_COMMIT,
    TERM,
    DATABASE_MISSING,
    V2_ONLY,
    LEFTOVER,
)

_LEFTOVER_STARTS = ("db.tmp", "tmp", "db.defrag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How far the parts of a data dir reach.

    Attributes:
        name: of the database.
        index, term: its ``consistent_index`` and ``term``, 0 where it has none.
        snap_index: raft index of the ``.snap`` that a server starts from, 0 without one.
        commit_index, last_index: of the log.
        log_term: term of the entry ``index`` in the log, None where the log does not have it.
        received: raft indexes of the databases that a leader has sent.
    """

    name: str
    index: int
    term: int
    snap_index: int
    commit_index: int
    last_index: int
    log_term: int | None
    received: frozenset[int] = frozenset()


def check_applied(applied: Applied) -> Iterator[Finding]:
    """Yield where the database does not fit to the log and the ``.snap``; one without an index applied nothing yet."""
    index = applied.index
    if not index:
        return
    if index < applied.snap_index:
        detail = f"the database has applied raft index {index}, and the .snap reaches to {applied.snap_index}"
        code = INDEX_AT_RECEIVED if applied.snap_index in applied.received else INDEX_BEHIND_SNAP
        yield code.finding(applied.name, detail)
    if applied.commit_index < index <= applied.last_index:
        detail = f"the database has applied raft index {index}, and the log has committed {applied.commit_index}"
        yield INDEX_BEYOND_COMMIT.finding(applied.name, detail)
    if applied.term and applied.log_term not in {None, applied.term}:
        detail = f"term {applied.term} at raft index {index}, and the log has term {applied.log_term} there"
        yield TERM.finding(applied.name, detail)


def check_memberships(
    database: Mapping[int, Member], moments: Iterable[Mapping[int, Member]], *, name: str
) -> Iterator[Finding]:
    """Yield where the members in the database are not those of the v2 store.

    Args:
        database: members of bucket ``members``; nothing is said where there are none.
        moments: members of the v2 store when the database last wrote its index, and at the end of the log: the
            database may stand anywhere between the two.
        name: of the database.
    """
    known = list(moments)
    if not database or not all(known):
        return
    for number, member in sorted(database.items()):
        others = [members[number] for members in known if number in members]
        where = f"{name}, member {member_id_text(number)}"
        if not others:
            yield ZOMBIE.finding(where, f"{_named(member)}is not in the v2 store")
        elif all(other.is_learner != member.is_learner for other in others):
            yield LEARNER.finding(where, f"{_named(member)}{_role(member)} here, {_role(others[0])} in the v2 store")
    for number in sorted(set.intersection(*(set(members) for members in known)) - database.keys()):
        where = f"{name}, member {member_id_text(number)}"
        yield MEMBER_MISSING.finding(where, f"{_named(known[0][number])}is in the v2 store only")


def check_conf_state(conf_state: ConfState, members: Mapping[int, Member], *, name: str) -> Iterator[Finding]:
    """Yield where a ``.snap`` names other members for raft than its v2 store has."""
    if not members:
        return
    voters = {number for number, member in members.items() if not member.is_learner}
    for word, named, present in (
        ("voters", set(conf_state.voters), voters),
        ("learners", set(conf_state.learners), members.keys() - voters),
    ):
        if named != present:
            yield CONF_STATE.finding(name, f"raft has the {word} {_ids(named)}, the v2 store {_ids(present)}")


def check_own_id(own_id: int, members: Mapping[int, Member], *, name: str) -> Iterator[Finding]:
    """Yield a note where the log is of no member."""
    if members and own_id not in members:
        yield REMOVED.finding(name, f"the log is that of {member_id_text(own_id)}, which is no member")


def check_leftovers(names: Iterable[str]) -> Iterator[Finding]:
    """Yield a note for each file that a server left behind."""
    for name in names:
        if name.endswith(".broken") or name.startswith(_LEFTOVER_STARTS):
            yield LEFTOVER.finding(name, "was left behind by a server")


def _named(member: Member) -> str:
    return f"{member.name} " if member.name else ""


def _role(member: Member) -> str:
    return "a learner" if member.is_learner else "a voter"


def _ids(numbers: Iterable[int]) -> str:
    return ", ".join(member_id_text(number) for number in sorted(numbers)) or "none"
