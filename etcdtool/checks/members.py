"""Members of the cluster, removed members, and what the cluster agreed on.

Format: docs/formats/mvcc.md, "Member JSON"; upstream: ``server/storage/schema/membership.go``,
``server/etcdserver/api/membership/cluster.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from etcdtool.checks.codes import Code, shown
from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.model.backend import CLUSTER_VERSION, DOWNGRADE, REMOVED, parse_downgrade
from etcdtool.model.membership import Member, member_id_text, normalise_version, parse_member, parse_member_id

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.cursor import Item

__all__ = ["CODES", "check_cluster", "check_members"]

_ANOTHER_COPY = "Use another copy; snapshot restore writes the members anew, so that keys are not concerned."
_SCHEMES = {"http", "https", "unix", "unixs"}

UNREADABLE = Code(
    code="members.unreadable",
    severity=Severity.ERROR,
    meaning="A member, a removed member, the cluster version or the downgrade cannot be read. Servers stop at it, "
    "those of 3.4 and 3.5 excepted where their v2 store has it.",
    remedy=_ANOTHER_COPY,
)
ID_MISMATCH = Code(
    code="members.id-mismatch",
    severity=Severity.ERROR,
    meaning="A member is filed under another id than its own, or under one that is not written as etcd writes it, so "
    "that a server will not find it again.",
    remedy=_ANOTHER_COPY,
)
PEER_URLS = Code(
    code="members.peer-urls",
    severity=Severity.ERROR,
    meaning="A member has no peer URL, or one that is none: the others cannot reach it.",
    remedy=_ANOTHER_COPY,
)
PEER_URL_TWICE = Code(
    code="members.peer-url-twice",
    severity=Severity.WARNING,
    meaning="Two members have the same peer URL. Servers refuse to add such a member.",
    remedy="Compare with the data of the other members.",
)
REMOVED_TOO = Code(
    code="members.removed-too",
    severity=Severity.ERROR,
    meaning="An id stands among the members and among the removed ones, whose ids may not come back.",
    remedy=_ANOTHER_COPY,
)
NO_VOTER = Code(
    code="members.no-voter",
    severity=Severity.ERROR,
    meaning="All members are learners, so that nobody can lead.",
    remedy=_ANOTHER_COPY,
)
UNKNOWN_KEY = Code(
    code="members.unknown-key",
    severity=Severity.ERROR,
    meaning="Bucket cluster holds a key that no version of etcd writes, and a server ignores it. If it was the cluster "
    "version once, a server of the wrong version may start on these data.",
    remedy=_ANOTHER_COPY,
)
DOWNGRADING = Code(
    code="members.downgrading",
    severity=Severity.NOTE,
    meaning="A downgrade of the cluster was under way. Servers that start on the data go on with it.",
    remedy="Look at etcdctl downgrade before any other change of version.",
)
CODES = (
    UNREADABLE,
    ID_MISMATCH,
    PEER_URLS,
    PEER_URL_TWICE,
    REMOVED_TOO,
    NO_VOTER,
    UNKNOWN_KEY,
    DOWNGRADING,
)


def check_members(items: Iterable[Item], removed_items: Iterable[Item]) -> Generator[Finding, None, dict[int, Member]]:
    """Yield what is off about buckets ``members`` and ``members_removed``; return the readable members by id."""
    members: dict[int, Member] = {}
    offsets: dict[int, int] = {}
    owners: dict[str, int] = {}
    for item in items:
        where = f"member {shown(item.key)}"
        try:
            member = parse_member(bytes(item.value))
        except FormatError as error:
            yield UNREADABLE.finding(where, error.problem, offset=item.offset)
            continue
        members[member.id], offsets[member.id] = member, item.offset
        if item.key != member_id_text(member.id).encode():
            yield ID_MISMATCH.finding(where, f"holds the id {member_id_text(member.id)}", offset=item.offset)
        yield from _check_peer_urls(member, where, item.offset)
        for url in member.peer_urls:
            if owners.setdefault(url, member.id) != member.id:
                other = member_id_text(owners[url])
                yield PEER_URL_TWICE.finding(where, f"member {other} has the peer URL {url} too", offset=item.offset)
    if members and all(member.is_learner for member in members.values()):
        yield NO_VOTER.finding("bucket members", "all members are learners", offset=min(offsets.values()))
    yield from _check_removed(removed_items, members)
    return members


def _check_peer_urls(member: Member, where: str, offset: int) -> Iterator[Finding]:
    if not member.peer_urls:
        yield PEER_URLS.finding(where, "no peer URL", offset=offset)
    for url in member.peer_urls:
        if not _is_peer_url(url):
            yield PEER_URLS.finding(where, f"the peer URL {url!r} is none", offset=offset)


def _is_peer_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.netloc)


def _check_removed(items: Iterable[Item], members: dict[int, Member]) -> Iterator[Finding]:
    for item in items:
        where = f"removed member {shown(item.key)}"
        try:
            number = parse_member_id(item.key.decode("ascii", "replace"))
        except FormatError as error:
            yield UNREADABLE.finding(where, error.problem, offset=item.offset)
            continue
        if item.key != member_id_text(number).encode():
            yield ID_MISMATCH.finding(where, "is not written as etcd writes ids", offset=item.offset)
        if bytes(item.value) != REMOVED:
            yield UNREADABLE.finding(
                where, f"holds {shown(bytes(item.value))!r}, not the word removed", offset=item.offset
            )
        if number in members:
            yield REMOVED_TOO.finding(where, "is a member too", offset=item.offset)


def check_cluster(items: Iterable[Item]) -> Generator[Finding, None, tuple[int, int] | None]:
    """Yield what is off about bucket ``cluster``; return major and minor of the cluster version, if it is known."""
    version: tuple[int, int] | None = None
    for item in items:
        where, value = f"key {shown(item.key)} of bucket cluster", bytes(item.value)
        try:
            if item.key == CLUSTER_VERSION:
                major, minor, *_ = normalise_version(value.decode("utf-8", "replace")).split(".")
                version = int(major), int(minor)
            elif item.key == DOWNGRADE:
                yield from _check_downgrade(value, where, item.offset)
            else:
                yield UNKNOWN_KEY.finding("bucket cluster", f"unknown key {shown(item.key)}", offset=item.offset)
        except FormatError as error:
            yield UNREADABLE.finding(where, error.problem, offset=item.offset)
    return version


def _check_downgrade(value: bytes, where: str, offset: int) -> Iterator[Finding]:
    downgrade = parse_downgrade(value)
    if downgrade.enabled:
        target = normalise_version(downgrade.target_version)
        yield DOWNGRADING.finding(where, f"a downgrade to {target} is under way", offset=offset)
