"""Will a server of some version start on a stopped member's data? What would keep it from that, without starting it.

A server begins with its newest snapshot and applies the log behind it again: 3.5 and 3.6 with the newest ``.snap`` that
a valid record of the log vouches for, 3.7 with the newest such record, whatever ``.snap`` there is.

Upstream: ``server/etcdserver/bootstrap.go``, ``server/storage/schema/schema.go``,
``server/etcdserver/api/membership/cluster.go`` @ v3.5.33, v3.6.14, v3.7.1; each kind of refusal was tried.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from msgspec import structs

from etcdtool.checks import snap, wal
from etcdtool.errors import FormatError
from etcdtool.findings import Finding, Severity
from etcdtool.formats.raft import EntryType
from etcdtool.model import schema
from etcdtool.model.backend import CLUSTER_VERSION
from etcdtool.model.compactions import read_bucket
from etcdtool.model.membership import member_id_text
from etcdtool.model.migration import NEWEST_KNOWN, detect_version
from etcdtool.model.raft_log import (
    ConfChangeType,
    V2Request,
    V3Request,
    parse_conf_change,
    parse_request,
    parse_version_set,
)
from etcdtool.model.semver import SemanticVersion
from etcdtool.model.store_v2 import Store, cluster_version
from etcdtool.model.store_v2_members import VERSION_PATH
from etcdtool.model.v2_content import StoredPath, custom_paths
from etcdtool.model.v2_leftovers import LoggedV2Request, judge
from etcdtool.operations.verify_log import FIRST_FROM_RECORD, LogCheck

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.wal import Entry, Scan
    from etcdtool.model.schema import Version

__all__ = ["MemberFiles", "Outlook", "outlook"]

_FIRST_WITHOUT_V2 = (3, 6)
_NEWEST = (3, 7)
_NAMED_AT_MOST = 5
_KEPT_SIZE_MAX = 1024
_HINT_CONTENT = (
    "Turn what is needed of it into v3 keys with etcdtool convert, then take it out of the way with etcdtool v2 drop"
)
_HINT_DAMAGED = "Use another member's data; etcdtool verify says all that is wrong"
_HINT_RUNNING = "Bring it down with etcdctl downgrade enable {version} while the cluster runs"
_HINT_RESTORED = ", or take a snapshot and restore it with snapshot restore --for-version {version}"
_HINT_OWN_REQUESTS = (
    "Servers up to 3.5 write them themselves: etcdtool v2 drop takes them out of the way, and so does a snapshot that "
    "a server takes (--snapshot-count)"
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for in a log.

    Attributes:
        requests: of v2.
        versions: that the cluster is set to, each with its index.
        founder: id of the member that the very first entry adds, 0 where it adds none or is not in the log any more.
    """

    requests: tuple[LoggedV2Request, ...] = ()
    versions: tuple[tuple[int, str], ...] = ()
    founder: int = 0


@dataclass(slots=True, kw_only=True)
class MemberFiles:
    """A member's files, read.

    Attributes:
        name: what to call the data dir.
        log: its log and ``.snap`` files.
        meta, cluster, members: buckets of its database; None where there is none.
        damage: what is wrong with the database, where these cannot be read.
    """

    name: str
    log: LogCheck
    meta: Mapping[bytes, bytes] | None = None
    cluster: Mapping[bytes, bytes] | None = None
    members: Mapping[bytes, bytes] | None = None
    damage: Finding | None = None
    _asked: _Asked | None = None
    _store: Store | None = None

    @classmethod
    def of(cls, name: str, log: LogCheck, image: Callable[[], Image] | None) -> Self:
        """Read what is needed of a database; ``image`` opens it, and may raise FormatError."""
        if image is None:
            return cls(name=name, log=log)
        try:
            opened = image()
            member = cls(
                name=name,
                log=log,
                meta=read_bucket(opened, schema.META),
                cluster=read_bucket(opened, schema.CLUSTER),
                members=read_bucket(opened, schema.MEMBERS),
            )
            member.applied_index()  # says so here where it is none
            detect_version(member.meta or {})
        except FormatError as error:
            detail = f"the database cannot be read: {error.message}"
            return cls(name=name, log=log, damage=_error("boot.database-damaged", name, detail, _HINT_DAMAGED))
        return member

    def asked(self) -> _Asked:
        """Return what the log asks for, from the lowest index on that a server may read it behind; read once.

        Raises:
            FormatError: an entry that is no request, at which every server stops.
        """
        if self._asked is None:
            start = min(self.start_index(_FIRST_WITHOUT_V2), self.start_index(FIRST_FROM_RECORD))
            self._asked = _read(self.log.log, start) if self.log.log is not None else _Asked()
        return self._asked

    def store(self) -> Store:
        """Return the v2 store of the ``.snap`` that 3.5 and 3.6 start from, or an empty one; made once.

        Raises:
            FormatError: it holds none.
        """
        if self._store is None:
            snap = self.log.start_snap
            try:
                self._store = Store.recover(snap.data) if snap is not None else Store()
            except FormatError as error:
                raise error.at(self.log.start) from error
        return self._store

    def start_index(self, version: Version) -> int:
        """Return the raft index that a server of a version reads the log behind."""
        if version < FIRST_FROM_RECORD:
            return self.log.start_snap.index if self.log.start_snap else 0
        records = self.log.log.valid_snapshots() if self.log.log is not None else []
        return records[-1].index if records else 0

    def applied_index(self) -> int:
        """Return the raft index that the database has applied; 0 where there is none."""
        return schema.parse_uint64((self.meta or {}).get(schema.CONSISTENT_INDEX, bytes(8)), "consistent_index")


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a server of some version would do with a member's data.

    Attributes:
        version: of the server.
        start_index: raft index that it reads the log behind.
        content: keys, users and roles in the ``.snap`` that it stops at.
        requests: v2 requests in the log that it stops at.
        others: what else it stops at.
    """

    version: Version
    start_index: int
    content: tuple[StoredPath, ...] = ()
    requests: tuple[LoggedV2Request, ...] = ()
    others: tuple[Finding, ...] = ()

    @cached_property
    def starts(self) -> bool:
        """Whether nothing is known that keeps it from starting."""
        return not self.content and not self.requests and not self.others

    def obstacles(self, where: str) -> Iterator[Finding]:
        """Yield what is known to keep it from starting, each kind in one finding; ``where`` is the data dir."""
        if self.content:
            named = _named([one.path for one in self.content])
            yield Finding(
                code="boot.v2-content",
                severity=Severity.ERROR,
                where=where,
                detail=f"etcd {_text(self.version)} refuses the v2 content of the .snap at raft index "
                f"{self.start_index}: {named}",
                hint=_HINT_CONTENT,
            )
        if self.requests:
            named = _named([f"{one.index} {one.request.method} {one.request.path}".strip() for one in self.requests])
            own = all(one.of_members for one in self.requests)
            yield Finding(
                code="boot.v2-request",
                severity=Severity.ERROR,
                where=where,
                detail=f"etcd {_text(self.version)} stops at v2 requests in the log behind raft index "
                f"{self.start_index}: {named}",
                hint=_HINT_OWN_REQUESTS if own else _HINT_CONTENT,
            )
        yield from self.others


def outlook(member: MemberFiles, version: Version) -> Outlook:
    """Tell what keeps a server of a version from 3.5 on from starting.

    Raises:
        FormatError: an entry or the v2 store is damaged, at which every server stops.
    """
    start = member.start_index(version)
    content: tuple[StoredPath, ...] = ()
    requests: tuple[LoggedV2Request, ...] = ()
    if version == _FIRST_WITHOUT_V2:
        content = tuple(custom_paths(member.store()))
    if version >= _FIRST_WITHOUT_V2:
        refuser = min(version, _NEWEST)
        requests = tuple(one for one in member.asked().requests if one.index > start and refuser in one.refused_by)
    others = (
        *_damage(member, version),
        *_storage(member, version),
        *_cluster_version(member, version, start),
        *_database(member, version, start),
        *_founder(member, version, start),
    )
    return Outlook(version=version, start_index=start, content=content, requests=requests, others=others)


def _damage(member: MemberFiles, version: Version) -> Iterator[Finding]:
    """Yield what is wrong with log or database as a whole: a server stops at it, or takes itself for a new member."""
    codes = {wal.NOT_THERE.code, wal.DAMAGED.code, wal.DAMAGED_BEFORE.code, snap.NO_START.code}
    yield from (one for one in member.log.findings_for(SemanticVersion(*version)) if one.code in codes)
    if member.damage is not None:
        yield member.damage


def _storage(member: MemberFiles, version: Version) -> Iterator[Finding]:
    if member.meta is None or version < _FIRST_WITHOUT_V2:
        return  # 3.5 does not look
    stored = detect_version(member.meta)
    if stored is not None and stored.to_minor() > SemanticVersion(*version):
        yield _error(
            "boot.storage-version",
            member.name,
            f"etcd {_text(version)} refuses storage of version {stored.major}.{stored.minor}",
            f"Let etcdtool migrate bring it down: --target-version {_text(version)}"
            if stored.to_minor() <= NEWEST_KNOWN
            else _HINT_RUNNING.format(version=_text(version)),
        )


def _cluster_version(member: MemberFiles, version: Version, start: int) -> Iterator[Finding]:
    agreed = [_agreed(member, version), *(text for index, text in member.asked().versions if index > start)]
    higher = [one for one in map(_parsed, agreed) if one is not None and one.to_minor() > SemanticVersion(*version)]
    if higher:
        stored = detect_version(member.meta or {})
        is_known = stored is None or stored.to_minor() <= NEWEST_KNOWN
        yield _error(
            "boot.cluster-version",
            member.name,
            f"etcd {_text(version)} refuses a cluster of version {max(higher)}",
            _HINT_RUNNING.format(version=_text(version))
            + (_HINT_RESTORED.format(version=_text(version)) if is_known else ""),
        )


def _agreed(member: MemberFiles, version: Version) -> str:
    """Return the cluster's version as a server finds it when it starts: up to 3.5 in the v2 store."""
    if version < _FIRST_WITHOUT_V2:
        return cluster_version(member.store()) or ""
    return (member.cluster or {}).get(CLUSTER_VERSION, b"").decode("ascii", "replace")


def _read(log: Scan, start: int) -> _Asked:
    requests, versions = [], []
    founder = 0
    for entry in log.entries(start + 1):
        if entry.index == 1 and entry.type == EntryType.CONF_CHANGE:
            founder = _added(entry)
        if entry.type != EntryType.NORMAL or not entry.data:
            continue
        data = bytes(entry.data)
        try:
            request = parse_request(data)
            if isinstance(request, V2Request):
                judged = judge(entry.index, entry.term, request, data)
                if len(data) > _KEPT_SIZE_MAX:  # there may be a hundred thousand of them
                    judged = replace(judged, request=structs.replace(request, value="", prev_value=""))
                requests.append(judged)
                if request.method == "PUT" and request.path == VERSION_PATH:
                    versions.append((entry.index, request.value))
            elif isinstance(request, V3Request) and request.kind == "cluster_version_set":
                versions.append((entry.index, parse_version_set(request.body)))
        except FormatError as error:
            raise error.at(f"raft entry {entry.index}") from error
    return _Asked(tuple(requests), tuple(versions), founder)


def _added(entry: Entry) -> int:
    try:
        change = parse_conf_change(entry.type, entry.data)
    except FormatError as error:
        raise error.at(f"raft entry {entry.index}") from error
    return change.node_id if change.type is ConfChangeType.ADD_NODE else 0


def _database(member: MemberFiles, version: Version, start: int) -> Iterator[Finding]:
    """Look whether the database is where the snapshot is that the server starts from, or may be taken from a leader."""
    if version < _FIRST_WITHOUT_V2 or member.damage is not None or member.applied_index() >= start:
        return
    if f"{start:016x}.snap.db" not in {path.name for path in member.log.parts.received}:
        where = "there is no database" if member.meta is None else f"it has applied {member.applied_index()} only"
        yield _error(
            "boot.database-behind",
            member.name,
            f"etcd {_text(version)} needs a database that has applied raft index {start}, and {where}",
            "Let etcdtool convert make a v3 snapshot of v2 data; else use another member's data",
        )


def _founder(member: MemberFiles, version: Version, start: int) -> Iterator[Finding]:
    """Look whether the cluster's first member is added twice: refused the second time, it leaves raft without a voter.

    3.4 writes members into the database at once, and how far the log is applied with the first request of v3.
    """
    founder = member.asked().founder
    if version < _FIRST_WITHOUT_V2 or start or not founder or member.applied_index():
        return
    if member_id_text(founder).encode() in (member.members or {}):
        yield _error(
            "boot.member-twice",
            member.name,
            f"etcd {_text(version)} adds member {member_id_text(founder)} from the log, and the database has it, "
            "without a note of how far the log is applied",
            "No v3 request was ever made: run it with 3.5 first, which it has to go through anyway",
        )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return f"{', '.join(names[:_NAMED_AT_MOST])}{more}"


def _parsed(text: str) -> SemanticVersion | None:
    try:
        return SemanticVersion.parse(text)
    except ValueError:
        return None


def _error(code: str, name: str, detail: str, hint: str) -> Finding:
    return Finding(code=code, severity=Severity.ERROR, where=name, detail=detail, hint=hint)


def _text(version: Version) -> str:
    return ".".join(map(str, version))
