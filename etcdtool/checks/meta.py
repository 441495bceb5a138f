"""Bucket ``meta``: what a server notes of its log and of the schema, held against what the other buckets show.

Marks of compaction are looked at in `etcdtool.checks.revisions`.
Format: docs/formats/mvcc.md, "meta"; upstream: ``server/storage/schema/{meta,cindex,confstate,schema}.go`` @ v3.7.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code, shown
from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.model import schema
from etcdtool.model.backend import parse_conf_state
from etcdtool.model.membership import member_id_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.cursor import Item
    from etcdtool.formats.raft import ConfState
    from etcdtool.model.membership import Member

__all__ = ["CODES", "check_meta"]

_NEWEST_VERSION = (3, 7)
_FIRST_STORED_VERSION = (3, 6)

UNREADABLE = Code(
    code="meta.unreadable",
    severity=Severity.ERROR,
    meaning="A key of bucket meta does not have its form. Servers stop at consistent_index, term and confState; an "
    "unreadable storage version makes them guess.",
    remedy="Use another copy; snapshot restore writes consistent_index, term and confState anew.",
)
UNKNOWN_KEY = Code(
    code="meta.unknown-key",
    severity=Severity.ERROR,
    meaning="Bucket meta holds a key that no version of etcd up to 3.7 writes, and a server ignores it: if it was one "
    "of its own once, that is lost, such as how far compaction went.",
    remedy="Use another copy.",
)
INDEX_ZERO = Code(
    code="meta.index-zero",
    severity=Severity.WARNING,
    meaning="consistent_index or term is stored as 0, which no server writes.",
    remedy="Compare with another copy.",
)
CONF_STATE_STALE = Code(
    code="meta.conf-state-stale",
    severity=Severity.NOTE,
    meaning="confState names other members than bucket members. So it is after every snapshot restore: the next "
    "server writes it anew.",
    remedy="None is needed for a restored data dir or a snapshot.",
)
CONF_STATE_EMPTY = Code(
    code="meta.conf-state-empty",
    severity=Severity.WARNING,
    meaning="confState names no voter, with which no server could have written anything.",
    remedy="Compare with another copy.",
)
VERSION_NEWER = Code(
    code="meta.version-newer",
    severity=Severity.WARNING,
    meaning="The data are of a version of etcd that this program does not know, so it may call new what is good.",
    remedy="Look for a newer etcdtool.",
)
VERSION_WITHOUT_TERM = Code(
    code="meta.version-without-term",
    severity=Severity.WARNING,
    meaning="The storage version is 3.6 or later, and there is no term, without which no server sets that version.",
    remedy="Compare with another copy.",
)
VERSION_PENDING = Code(
    code="meta.version-pending",
    severity=Severity.NOTE,
    meaning="Storage version and cluster version differ, as in the seconds after an upgrade or with etcdutl migrate.",
    remedy="None is needed; the next server brings them together.",
)
CODES = (
    UNREADABLE,
    UNKNOWN_KEY,
    INDEX_ZERO,
    CONF_STATE_STALE,
    CONF_STATE_EMPTY,
    VERSION_NEWER,
    VERSION_WITHOUT_TERM,
    VERSION_PENDING,
)

_KNOWN = {key.name for key in schema.META_KEYS}


@dataclass(frozen=True, slots=True)
class _Meta:
    values: Mapping[bytes, bytes]
    offsets: Mapping[bytes, int]

    def finding(self, code: Code, key: bytes, detail: str) -> Finding:
        return code.finding(f"key {shown(key)} of bucket meta", detail, offset=self.offsets.get(key))


def check_meta(
    items: Sequence[Item], *, members: Mapping[int, Member], cluster_version: tuple[int, int] | None
) -> Iterator[Finding]:
    """Yield what is off about bucket ``meta``.

    Args:
        items: its pairs.
        members: readable members by id; empty where there are none.
        cluster_version: major and minor, if it is known.
    """
    meta = _Meta({item.key: bytes(item.value) for item in items}, {item.key: item.offset for item in items})
    for key in meta.values:
        if key not in _KNOWN:
            yield meta.finding(UNKNOWN_KEY, key, f"unknown key {shown(key)}")
    yield from _check_numbers(meta)
    yield from _check_conf_state(meta, members)
    yield from _check_version(meta, cluster_version)


def _check_numbers(meta: _Meta) -> Iterator[Finding]:
    for key in (schema.CONSISTENT_INDEX, schema.TERM):
        if key not in meta.values:
            continue
        try:
            number = schema.parse_uint64(meta.values[key], key.decode())
        except FormatError as error:
            yield meta.finding(UNREADABLE, key, error.problem)
        else:
            if not number:
                yield meta.finding(INDEX_ZERO, key, "is 0")


def _check_conf_state(meta: _Meta, members: Mapping[int, Member]) -> Iterator[Finding]:
    stored = meta.values.get(schema.CONF_STATE)
    if stored is None:
        return
    try:
        conf_state = parse_conf_state(stored)
    except FormatError as error:
        yield meta.finding(UNREADABLE, schema.CONF_STATE, error.problem)
        return
    if not conf_state.voters:
        yield meta.finding(CONF_STATE_EMPTY, schema.CONF_STATE, "names no voter")
        return
    difference = _difference(conf_state, members)
    if members and difference:
        yield meta.finding(CONF_STATE_STALE, schema.CONF_STATE, difference)


def _difference(conf_state: ConfState, members: Mapping[int, Member]) -> str:
    voters = {number for number, member in members.items() if not member.is_learner}
    learners = members.keys() - voters
    parts = [
        f"{name} {_ids(stored)}, bucket members has {_ids(present)}"
        for name, stored, present in (
            ("voters", set(conf_state.voters), voters),
            ("learners", set(conf_state.learners), learners),
        )
        if stored != present
    ]
    return "; ".join(parts)


def _ids(numbers: Iterable[int]) -> str:
    return ", ".join(member_id_text(number) for number in sorted(numbers)) or "none"


def _check_version(meta: _Meta, cluster_version: tuple[int, int] | None) -> Iterator[Finding]:
    if schema.STORAGE_VERSION not in meta.values:
        if cluster_version is not None and cluster_version >= _FIRST_STORED_VERSION:
            detail = f"the cluster version is {_text(cluster_version)}, and there is no storage version"
            yield VERSION_PENDING.finding("bucket meta", detail)
        return
    text = schema.storage_version(meta.values)
    if not text:
        stored = shown(meta.values[schema.STORAGE_VERSION])
        yield meta.finding(UNREADABLE, schema.STORAGE_VERSION, f"{stored!r} is no version")
        return
    version = schema.detect_schema_version(meta.values)
    if version > _NEWEST_VERSION:
        yield meta.finding(VERSION_NEWER, schema.STORAGE_VERSION, f"the data are of {_text(version)}")
    if version >= _FIRST_STORED_VERSION and schema.TERM not in meta.values:
        yield meta.finding(VERSION_WITHOUT_TERM, schema.STORAGE_VERSION, f"{text}, and there is no term")
    if cluster_version is not None and version != cluster_version:
        detail = f"storage version {_text(version)}, cluster version {_text(cluster_version)}"
        yield meta.finding(VERSION_PENDING, schema.STORAGE_VERSION, detail)


def _text(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
