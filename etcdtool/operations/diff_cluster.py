"""What two databases say beside keys: leases, users and roles, members, alarms, versions.

Some of it is each file's own and says nothing about what a cluster holds: how far the member had applied its log, how
far it had come with compacting, which version's layout its storage has, how much of a lease was left when its leader
last noted it.  That is told, and counts for nothing: two members of one cluster differ in it all the time.
Format: docs/formats/mvcc.md, "Buckets", "meta".
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec
import numpy as np

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import cursor
from etcdtool.model import auth, schema
from etcdtool.model.backend import CLUSTER_VERSION, DOWNGRADE, REMOVED, Alarm, parse_conf_state, parse_downgrade
from etcdtool.model.compactions import read_bucket
from etcdtool.model.leases import iter_leases
from etcdtool.model.membership import Member, parse_member
from etcdtool.model.revision import Revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine

__all__ = [
    "SECTIONS",
    "ClusterDifference",
    "LeaseDifferences",
    "NamedDatabase",
    "Own",
    "differences",
    "lease_differences",
    "naming",
    "own_facts",
]

SECTIONS = ("leases", "auth", "members", "alarms", "versions", "other")
"""What is compared beside keys; the last is what no version of etcd is known to write."""

_OWN_META = {
    schema.CONSISTENT_INDEX,
    schema.TERM,
    schema.STORAGE_VERSION,
    schema.SCHEDULED_COMPACT_REV,
    schema.FINISHED_COMPACT_REV,
}
_Answer = TypeVar("_Answer")
_ABSENT = -(1 << 63)
_PERMISSIONS = {0: "read", 1: "write", 2: "readwrite"}


class NamedDatabase(Protocol):
    """An opened database, such as `etcdtool.sources.Database`."""

    @property
    def name(self) -> str:
        """What to call it."""
        ...

    @property
    def kind(self) -> str:
        """What it was taken for."""
        ...

    @property
    def image(self) -> Image:
        """The bbolt image; raises where there is none."""
        ...


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Add a file's name to what is found wrong with its format."""
    try:
        yield
    except FormatError as error:
        raise error.at(name) from None


class ClusterDifference(msgspec.Struct, frozen=True):
    """Something that one database has and the other has not, or has otherwise.

    Attributes:
        section: one of `SECTIONS`.
        name: of what (``user alice``); bytes that are no UTF-8 by surrogateescape.
        before, after: what each says of it, None where it does not know it.
    """

    section: str
    name: str
    before: str | None
    after: str | None


class Own(msgspec.Struct, frozen=True):
    """What each file says of itself, where that differs."""

    name: str
    before: str | None
    after: str | None


class _Leases(NamedTuple):
    """Bucket ``lease``: int64, ascending by id."""

    id: NDArray[np.int64]
    ttl: NDArray[np.int64]
    remaining: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LeaseDifferences:
    """Leases that differ.

    Attributes:
        ids: int64, ascending.
        before, after: int64, seconds that were granted, `_ABSENT` where there is no such lease.
        remaining: how many others differ in nothing but what was left of them at the last checkpoint.
    """

    ids: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    remaining: int

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[ClusterDifference]:
        columns = (self.ids.view(np.uint64).tolist(), self.before.tolist(), self.after.tolist())
        for lease, before, after in zip(*columns, strict=True):
            yield ClusterDifference("leases", f"lease {lease:x}", _seconds(before), _seconds(after))


def lease_differences(before: NamedDatabase, after: NamedDatabase, *, engine: Engine = "columns") -> LeaseDifferences:
    """Compare buckets ``lease``.

    Raises:
        FormatError: one cannot be walked, or holds what is no lease.
    """
    left, right = (_asked(one, lambda image: _read_leases(image, engine)) for one in (before, after))
    ids = np.union1d(left.id, right.id)
    granted = [_spread(ids, leases.id, leases.ttl) for leases in (left, right)]
    remaining = [_spread(ids, leases.id, leases.remaining) for leases in (left, right)]
    differing = granted[0] != granted[1]
    others = int(np.count_nonzero(~differing & (remaining[0] != remaining[1])))
    return LeaseDifferences(ids[differing], granted[0][differing], granted[1][differing], others)


def differences(before: NamedDatabase, after: NamedDatabase) -> list[ClusterDifference]:
    """Compare everything but keys and leases, and leave out what is each file's own.

    Raises:
        FormatError: a bucket cannot be walked, or holds what is not of its format.
    """
    found: list[ClusterDifference] = []
    for section, describe in _DESCRIBED.items():
        left, right = _asked(before, describe), _asked(after, describe)
        found += [
            ClusterDifference(section, name, left.get(name), right.get(name))
            for name in sorted(left.keys() | right.keys())
            if left.get(name) != right.get(name)
        ]
    return found


def own_facts(before: NamedDatabase, after: NamedDatabase) -> list[Own]:
    """Return what the files say of themselves, where that is not the same.

    Raises:
        FormatError: a bucket cannot be walked, or holds what is not of its format.
    """
    left, right = _asked(before, _describe_own), _asked(after, _describe_own)
    names = [*left, *(name for name in right if name not in left)]
    return [Own(name, left.get(name), right.get(name)) for name in names if left.get(name) != right.get(name)]


def _asked(database: NamedDatabase, ask: Callable[[Image], _Answer]) -> _Answer:
    with naming(database.name):
        return ask(database.image)


def _read_leases(image: Image, engine: Engine) -> _Leases:
    bucket = cursor.root_buckets(image).get(schema.LEASE)
    parts: list[_Leases] = []
    for rows in iter_leases(image, bucket, engine=engine) if bucket is not None else ():
        if rows.problems:
            row = min(rows.problems)
            raise FormatError("lease", rows.problems[row], offset=int(rows.offset[row]))
        parts.append(_Leases(rows.id, rows.ttl_seconds, rows.remaining_ttl_seconds))
    if not parts:
        return _Leases(*(np.empty(0, dtype=np.int64) for _ in range(3)))
    found = _Leases(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    order = np.argsort(found.id)
    return _Leases(found.id[order], found.ttl[order], found.remaining[order])


def _spread(ids: NDArray[np.int64], own: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lay a column out over more ids than its own."""
    found = np.full(len(ids), _ABSENT, dtype=np.int64)
    found[np.searchsorted(ids, own)] = column
    return found


def _seconds(ttl: int) -> str | None:
    return None if ttl == _ABSENT else f"{ttl} s"


def _describe_auth(image: Image) -> dict[str, str]:
    found = {"authentication": "on" if auth.parse_enabled(read_bucket(image, schema.AUTH)) else "off"}
    for name in read_bucket(image, schema.AUTH).keys() - {auth.AUTH_ENABLED, auth.AUTH_REVISION}:
        found[f"auth entry {_text(name)}"] = read_bucket(image, schema.AUTH)[name].hex()
    for name, value in read_bucket(image, schema.AUTH_USERS).items():
        user = auth.User.parse(name, value)
        roles = ", ".join(map(_text, user.roles)) or "none"
        # the hash stays hidden: that it is another one is told by a digest of it
        digest = f"password hash ~{sha256(user.password_hash).hexdigest()[:8]}"
        login = "no login by password" if user.no_password or not user.password_hash else digest
        found[f"user {_text(name)}"] = f"roles {roles}, {login}"
    for name, value in read_bucket(image, schema.AUTH_ROLES).items():
        role = auth.Role.parse(name, value)
        found[f"role {_text(name)}"] = ", ".join(map(_permission, role.permissions)) or "no permissions"
    return found


def _permission(permission: auth.Permission) -> str:
    kind = _PERMISSIONS.get(permission.type, f"type {permission.type}")
    key, end = _text(permission.key), permission.range_end
    if not end:
        return f"{kind} {key}"
    return f"{kind} from {key} on" if end == b"\0" else f"{kind} {key} to {_text(end)}"


def _describe_members(image: Image) -> dict[str, str]:
    found = {}
    for key, value in read_bucket(image, schema.MEMBERS).items():
        found[f"member {_text(key)}"] = _member(parse_member(value))
    for key, value in read_bucket(image, schema.MEMBERS_REMOVED).items():
        found[f"removed member {_text(key)}"] = "" if value == REMOVED else value.hex()
    conf_state = read_bucket(image, schema.META).get(schema.CONF_STATE)
    if conf_state is not None:
        state = parse_conf_state(conf_state)
        groups = {
            "voters": state.voters,
            "learners": state.learners,
            "outgoing voters": state.voters_outgoing,
            "next learners": state.learners_next,
        }
        listed = (f"{name} {' '.join(f'{one:x}' for one in sorted(ids))}" for name, ids in groups.items() if ids)
        found["raft configuration"] = ", ".join(listed) or "empty"
    return found


def _member(member: Member) -> str:
    learner = ", learner" if member.is_learner else ""
    peers, clients = ", ".join(sorted(member.peer_urls)), ", ".join(sorted(member.client_urls))
    return f"{member.name or 'without a name'}{learner}, peers {peers or 'none'}, clients {clients or 'none'}"


def _describe_alarms(image: Image) -> dict[str, str]:
    alarms = [Alarm.parse(key, value) for key, value in read_bucket(image, schema.ALARM).items()]
    return {f"alarm {alarm.name} of member {alarm.member_id:x}": "raised" for alarm in alarms}


def _describe_versions(image: Image) -> dict[str, str]:
    cluster = read_bucket(image, schema.CLUSTER)
    found = {}
    if CLUSTER_VERSION in cluster:
        found["cluster version"] = _text(cluster[CLUSTER_VERSION])
    if DOWNGRADE in cluster:
        downgrade = parse_downgrade(cluster[DOWNGRADE])
        if downgrade.enabled:  # one that was cancelled leaves an entry behind
            found["downgrade"] = f"to {downgrade.target_version}"
    for name in cluster.keys() - {CLUSTER_VERSION, DOWNGRADE}:
        found[f"cluster entry {_text(name)}"] = cluster[name].hex()
    return found


def _describe_other(image: Image) -> dict[str, str]:
    """Return what no version of etcd writes: entries of bucket ``meta``, and buckets by a digest of their pairs."""
    meta = read_bucket(image, schema.META)
    found = {f"meta entry {_text(name)}": meta[name].hex() for name in meta.keys() - _OWN_META - {schema.CONF_STATE}}
    for name in cursor.root_buckets(image):
        if name not in schema.BUCKETS:
            digest = sha256()
            pairs = read_bucket(image, name)
            for key, value in pairs.items():
                digest.update(b"%d %d " % (len(key), len(value)) + key + value)
            found[f"bucket {_text(name)}"] = f"{len(pairs)} pairs, sha256 {digest.hexdigest()[:16]}"
    return found


def _describe_own(image: Image) -> dict[str, str]:
    meta = read_bucket(image, schema.META)
    found = {}
    for name, title in ((schema.CONSISTENT_INDEX, "consistent index"), (schema.TERM, "term")):
        if name in meta:
            found[title] = str(schema.parse_uint64(meta[name], f"{name.decode()} in bucket meta"))
    if schema.STORAGE_VERSION in meta:
        found["storage version"] = _text(meta[schema.STORAGE_VERSION])
    for name, title in (
        (schema.SCHEDULED_COMPACT_REV, "scheduled compaction"),
        (schema.FINISHED_COMPACT_REV, "finished compaction"),
    ):
        if name in meta:
            found[title] = str(Revision.parse(meta[name]).main)
    revision = auth.parse_revision(read_bucket(image, schema.AUTH))
    if revision is not None:
        found["auth revision"] = str(revision)
    return found


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


_DESCRIBED: dict[str, Callable[[Image], dict[str, str]]] = {
    "auth": _describe_auth,
    "members": _describe_members,
    "alarms": _describe_alarms,
    "versions": _describe_versions,
    "other": _describe_other,
}
