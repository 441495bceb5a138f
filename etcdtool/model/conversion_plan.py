"""From the puts of the converters to the records of the v3 keyspace: revisions, versions, leases.

v2 counts one index for each change of the whole store, as v3 counts its main revision, so an index becomes a main
revision as it is; ``dense`` renumbers them from 2 without gaps.  v2 did not count versions: a key that was never
changed has version 1, any other version 2.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from itertools import pairwise
from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from etcdtool.errors import EtcdtoolError
from etcdtool.model.conversion import AFTER_ALL, Finding, Put, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ConversionError", "Plan", "Record", "Revisions", "make_plan"]

MAX_LEASE_TTL_SECONDS = 9_000_000_000
"""``lease.MaxLeaseTTL`` (``server/lease/lessor.go`` @ v3.6.14)."""

_REVISION_MAX = (1 << 63) - 1
_FIRST_REVISION = 2  # a fresh v3 store stands at revision 1, which holds nothing
_SECOND_NS = 1_000_000_000


class ConversionError(EtcdtoolError):
    """The nodes cannot be turned into v3 keys as they are or as they were asked for."""


class Revisions(Enum):
    """How v2 indexes become revisions."""

    INDEX = "index"
    DENSE = "dense"


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of the key bucket, and the put it comes from.

    Attributes:
        main, sub: its revision.
        create_revision, version, lease: as `mvccpb.KeyValue` has them; lease 0 is none.
        put: key, value and the v2 node.
    """

    main: int
    sub: int
    create_revision: int
    version: int
    lease: int
    put: Put


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that will be written.

    Attributes:
        records: in order of revision.
        leases: (lease id, TTL in seconds) in order of id.
        head: highest main revision, 0 when there are no records.
        compact_revision: what reads in the past are refused below, 0 for no mark.
        findings: what the user should know of the mapping.
    """

    records: Sequence[Record]
    leases: Sequence[tuple[int, int]]
    head: int
    compact_revision: int
    findings: Sequence[Finding]


def make_plan(puts: Sequence[Put], *, current_index: int, as_of: int, revisions: Revisions, compact_mark: bool) -> Plan:
    """Give every put its revision, version and lease.

    Args:
        puts: as the converters gave them; those `AFTER_ALL` keep their order.
        current_index: the v2 store's index.
        as_of: unix nanoseconds at which the remaining TTLs count.
        revisions: as indexes, or dense.
        compact_mark: whether the head becomes the compact revision.

    Raises:
        ConversionError: two puts of one key, or an index that is no revision.
    """
    _refuse_same_key(puts)
    findings: list[Finding] = []
    lease_ids, leases = _make_leases(puts, as_of, findings)
    placed = _placed(puts, current_index)
    if revisions is Revisions.DENSE:
        placed = _renumbered(list(placed))
    records: list[Record] = []
    last_main, sub = -1, 0
    for main, created, put in placed:
        sub = sub + 1 if main == last_main else 0
        last_main = main
        lease = 0 if put.expires is None else lease_ids[put.key]
        records.append(Record(main, sub, created, 1 if created == main else 2, lease, put))
    head = records[-1].main if records else 0
    return Plan(
        records=records,
        leases=leases,
        head=head,
        compact_revision=head if compact_mark else 0,
        findings=findings,
    )


def _refuse_same_key(puts: Sequence[Put]) -> None:
    if len({put.key for put in puts}) == len(puts):
        return
    first_of: dict[bytes, Put] = {}
    for put in puts:
        first = first_of.setdefault(put.key, put)
        if first is not put:
            raise ConversionError(
                f"{_shown(first.node.path)} and {_shown(put.node.path)} would both become the key {_shown(put.key)}",
                hint="Choose other prefixes, or convert them in two runs.",
            )


def _placed(puts: Sequence[Put], current_index: int) -> Iterator[tuple[int, int, Put]]:
    """Yield (main, create revision, put), in order of main and then of node path."""
    behind = [put for put in puts if put.modified_index == AFTER_ALL]
    front = [put for put in puts if put.modified_index != AFTER_ALL] if behind else puts
    front = sorted(front, key=_modified_index)
    if any(before.modified_index == after.modified_index for before, after in pairwise(front)):
        # in v2 only a directory shares the index of what is in it
        front.sort(key=_modified_index_and_path)
    for put in front:
        if not 0 < put.created_index <= put.modified_index <= _REVISION_MAX:
            raise ConversionError(
                f"{_shown(put.node.path)} has created index {put.created_index} and modified index "
                f"{put.modified_index}, which cannot be revisions"
            )
        yield put.modified_index, put.created_index, put
    highest = max(current_index, front[-1].modified_index if front else 0)
    if highest + len(behind) > _REVISION_MAX:
        raise ConversionError(f"revision {highest + len(behind)} is out of range")
    for main, put in enumerate(behind, highest + 1):
        yield main, main, put


_modified_index = attrgetter("modified_index")


def _modified_index_and_path(put: Put) -> tuple[int, bytes]:
    return put.modified_index, put.node.path


def _renumbered(placed: Sequence[tuple[int, int, Put]]) -> Iterator[tuple[int, int, Put]]:
    """Dense rank over created and modified indexes together, from 2 on."""
    indexes = sorted({main for main, _, _ in placed} | {created for _, created, _ in placed})
    rank = dict(zip(indexes, range(_FIRST_REVISION, _FIRST_REVISION + len(indexes)), strict=True))
    return ((rank[main], rank[created], put) for main, created, put in placed)


def _make_leases(
    puts: Sequence[Put], as_of: int, findings: list[Finding]
) -> tuple[dict[bytes, int], list[tuple[int, int]]]:
    """One lease a key, with the remaining whole seconds rounded up as v2 shows a TTL."""
    by_key: dict[bytes, int] = {}
    taken: dict[int, int] = {}
    for put in puts:
        if put.expires is None:
            continue
        seconds = max(1, -((as_of - put.expires) // _SECOND_NS))
        if seconds > MAX_LEASE_TTL_SECONDS:
            findings.append(
                Finding(
                    code="convert.ttl-capped",
                    severity=Severity.WARNING,
                    where=_shown(put.node.path),
                    detail=f"{seconds} seconds remain, more than the {MAX_LEASE_TTL_SECONDS} that a lease can have",
                )
            )
            seconds = MAX_LEASE_TTL_SECONDS
        lease = _lease_id(put.key, taken)
        taken[lease] = seconds
        by_key[put.key] = lease
    return by_key, sorted(taken.items())


def _lease_id(key: bytes, taken: dict[int, int]) -> int:
    # from the key alone, so that two runs over one source give the same file
    lease = int.from_bytes(hashlib.sha256(b"etcdtool lease\0" + key).digest()[:8], "big") & _REVISION_MAX
    while lease == 0 or lease in taken:
        lease = (lease + 1) & _REVISION_MAX
    return lease


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")
