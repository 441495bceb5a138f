"""Bucket ``key``: every revision and every record by itself, and the order in which they stand.

Format: docs/formats/mvcc.md, "Revision keys"; upstream: ``server/storage/mvcc/{revision,kvstore}.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from etcdtool.checks.codes import Code
from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.model import schema
from etcdtool.model.revision import TOMBSTONE_SIZE, Revision

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from etcdtool.findings import Finding
    from etcdtool.model.rows import Rows

__all__ = ["CODES", "NOT_CHECKED", "RowCheck", "check_compaction_marks"]

KEY_MALFORMED = Code(
    code="revisions.key-malformed",
    severity=Severity.ERROR,
    meaning="A key of bucket key is no revision. Servers of 3.6 and later panic on it.",
    remedy="Use another copy; salvage leaves the entry out.",
)
TOMBSTONE_MARK = Code(
    code="revisions.tombstone-mark",
    severity=Severity.ERROR,
    meaning="A revision of 18 bytes does not end in the mark of a tombstone: servers take a deletion for a put.",
    remedy="Use another copy.",
)
ORDER = Code(
    code="revisions.order",
    severity=Severity.ERROR,
    meaning="A revision is not above the one before it, or one revision is there both as a put and as a tombstone.",
    remedy="Use another copy; salvage sorts the entries.",
)
OUT_OF_RANGE = Code(
    code="revisions.out-of-range",
    severity=Severity.WARNING,
    meaning="Servers load main revisions from 1 to 2^63-2 only; this entry is never seen.",
    remedy="None is needed to restore, but nothing of etcd writes such a revision: look at where the file is from.",
)
RECORD_UNREADABLE = Code(
    code="revisions.record-unreadable",
    severity=Severity.ERROR,
    meaning="The value of a revision is no mvccpb.KeyValue. A server that starts on it stops at once.",
    remedy="Use another copy; salvage leaves the entry out.",
)
EMPTY_KEY = Code(
    code="revisions.empty-key",
    severity=Severity.ERROR,
    meaning="A record has no user key, and is not the marker of restore --bump-revision either.",
    remedy="Use another copy.",
)
BUMP_MARKER = Code(
    code="revisions.bump-marker",
    severity=Severity.NOTE,
    meaning="An entry without a record, as snapshot restore --bump-revision leaves it to move the revision on.",
    remedy="None is needed.",
)
MOD_MISMATCH = Code(
    code="revisions.mod-mismatch",
    severity=Severity.ERROR,
    meaning="The mod revision in a record is not the revision that it is filed under.",
    remedy="Use another copy.",
)
FIELDS = Code(
    code="revisions.fields",
    severity=Severity.ERROR,
    meaning="A put whose create revision or version cannot be: below 1, or created after it was modified.",
    remedy="Use another copy.",
)
TOMBSTONE_FIELDS = Code(
    code="revisions.tombstone-fields",
    severity=Severity.WARNING,
    meaning="A tombstone holds more than its key, which no version of etcd writes.",
    remedy="None is needed to restore; servers read the key alone.",
)
SUB_GAP = Code(
    code="revisions.sub-gap",
    severity=Severity.ERROR,
    meaning="A change of a transaction above the compact revision is missing: their numbers have a hole.",
    remedy="Use another copy.",
)
COMPACTION_MARK = Code(
    code="revisions.compaction-mark",
    severity=Severity.ERROR,
    meaning="A mark of compaction in bucket meta is no revision.",
    remedy="Use another copy.",
)
COMPACTION_PENDING = Code(
    code="revisions.compaction-pending",
    severity=Severity.NOTE,
    meaning="A compaction was accepted and not finished; a server that starts on the data resumes it.",
    remedy="None is needed.",
)
NOT_CHECKED = Code(
    code="revisions.not-checked",
    severity=Severity.ERROR,
    meaning="Damaged pages kept the revisions from being read, so nothing is known about them or their history.",
    remedy="Look at the findings about pages first.",
)
CODES = (
    NOT_CHECKED,
    KEY_MALFORMED,
    TOMBSTONE_MARK,
    ORDER,
    OUT_OF_RANGE,
    RECORD_UNREADABLE,
    EMPTY_KEY,
    BUMP_MARKER,
    MOD_MISMATCH,
    FIELDS,
    TOMBSTONE_FIELDS,
    SUB_GAP,
    COMPACTION_MARK,
    COMPACTION_PENDING,
)


def check_compaction_marks(meta: Mapping[bytes, bytes]) -> Iterator[Finding]:
    """Yield what is off about the marks of compaction in bucket ``meta``."""
    marks: dict[bytes, int] = {}
    for name in (schema.SCHEDULED_COMPACT_REV, schema.FINISHED_COMPACT_REV):
        if name in meta:
            try:
                marks[name] = Revision.parse(meta[name]).main
            except FormatError as error:
                yield COMPACTION_MARK.finding(f"meta key {name.decode()}", error.problem)
    scheduled, finished = marks.get(schema.SCHEDULED_COMPACT_REV, 0), marks.get(schema.FINISHED_COMPACT_REV, -1)
    if scheduled > max(finished, 0):
        yield COMPACTION_PENDING.finding(
            "bucket meta", f"compaction at {scheduled} was scheduled, {_finished(finished)}"
        )


def _finished(revision: int) -> str:
    return f"the last finished one is {revision}" if revision >= 0 else "none was ever finished"


class RowCheck:
    """Checks rows block by block; remembers the last revision of the block before."""

    def __init__(self, data: memoryview, compact_revision: int) -> None:
        self._data = data
        self._compact_revision = compact_revision
        self._last = (-1, -1)

    def findings(self, rows: Rows) -> Iterator[Finding]:
        """Yield what is wrong with the rows of a block, each by itself and in their order."""
        yield from self._unreadable(rows)
        readable = rows.well_formed & rows.parsed
        put = readable & ~rows.tombstone
        marker = put & (rows.message_start == rows.message_end) & (rows.revision_size != TOMBSTONE_SIZE)
        yield from self._order(rows, marker)
        put &= ~marker
        main = rows.main.view(np.int64)
        yield from self._each(BUMP_MARKER, rows, marker, "an entry without a record")
        yield from self._each(EMPTY_KEY, rows, readable & ~marker & (rows.key_size == 0), "a record without a user key")
        for row in np.flatnonzero(put & (rows.mod_revision != main)).tolist():
            yield self._at(MOD_MISMATCH, rows, row, f"the record says mod revision {rows.mod_revision[row]}")
        impossible = (rows.create_revision < 1) | (rows.version < 1) | (rows.create_revision > rows.mod_revision)
        for row in np.flatnonzero(put & impossible).tolist():
            detail = f"create revision {rows.create_revision[row]}, version {rows.version[row]}"
            yield self._at(FIELDS, rows, row, detail)
        numbers = rows.create_revision | rows.mod_revision | rows.version | rows.value_size | rows.lease
        yield from self._each(
            TOMBSTONE_FIELDS, rows, readable & rows.tombstone & (numbers != 0), "a tombstone with more than a key"
        )

    def _unreadable(self, rows: Rows) -> Iterator[Finding]:
        for row in np.flatnonzero(~rows.well_formed).tolist():
            offset = int(rows.offset[row])
            key = bytes(self._data[offset : offset + min(int(rows.revision_size[row]), TOMBSTONE_SIZE + 1)])
            yield KEY_MALFORMED.finding(f"page {rows.page[row]}", _problem(key, rows, row), offset=offset)
        unmarked = rows.well_formed & ~rows.tombstone & (rows.revision_size == TOMBSTONE_SIZE)
        yield from self._each(TOMBSTONE_MARK, rows, unmarked, "18 bytes that do not end in the mark of a tombstone")
        yield from self._each(RECORD_UNREADABLE, rows, ~rows.parsed, "the record does not parse")

    def _order(self, rows: Rows, marker: NDArray[np.bool_]) -> Iterator[Finding]:
        places = np.flatnonzero(rows.well_formed)
        if not len(places):
            return
        main, sub = rows.main[places].view(np.int64), rows.sub[places].view(np.int64)
        main_before, sub_before = np.empty_like(main), np.empty_like(sub)
        main_before[0], sub_before[0] = self._last
        main_before[1:], sub_before[1:] = main[:-1], sub[:-1]
        self._last = int(main[-1]), int(sub[-1])
        same = main == main_before
        ascending = (main > main_before) | (same & (sub > sub_before))
        for row in places[~ascending].tolist():
            yield self._at(ORDER, rows, row, "not above the revision before it")
        for row in places[main < 1].tolist():
            yield self._at(OUT_OF_RANGE, rows, row, "main revision 0")
        due = np.where(same, sub_before + 1, 0)
        gap = ascending & (sub != due) & (main > self._compact_revision) & ~marker[places]
        for place in np.flatnonzero(gap).tolist():
            yield self._at(SUB_GAP, rows, int(places[place]), f"change {due[place]} of the transaction is missing")

    def _each(self, code: Code, rows: Rows, chosen: NDArray[np.bool_], detail: str) -> Iterator[Finding]:
        for row in np.flatnonzero(chosen).tolist():
            yield self._at(code, rows, row, detail)

    @staticmethod
    def _at(code: Code, rows: Rows, row: int, detail: str) -> Finding:
        if rows.well_formed[row]:
            revision = Revision(int(rows.main[row]), int(rows.sub[row]), bool(rows.tombstone[row]))
            return code.finding(f"revision {revision}", detail, offset=int(rows.offset[row]))
        return code.finding(f"page {rows.page[row]}", detail, offset=int(rows.offset[row]))


def _problem(key: bytes, rows: Rows, row: int) -> str:
    size = int(rows.revision_size[row])
    if size > TOMBSTONE_SIZE:
        return f"invalid revision length: {size}"
    try:
        Revision.parse(key)
    except FormatError as error:
        return error.problem
    return "malformed"
