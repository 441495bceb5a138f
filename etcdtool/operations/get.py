"""Answer a range request from a file as a server that holds the file's data answers it.

Upstream: ``server/etcdserver/txn/range.go``, ``server/storage/mvcc/kvstore_txn.go``,
``server/etcdserver/api/v3rpc/key.go`` @ v3.7.3; 3.4 to 3.6 answer the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.model.key_rows import KeyRows, RowFinder
from etcdtool.model.keyvalue import KeyValue
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_range import KeyRange

__all__ = ["RangeAnswer", "RangeRequest", "SortOrder", "SortTarget", "get"]


class SortOrder(Enum):
    """Which way results are sorted; ``NONE`` is by key, or ascending by what else is asked for."""

    NONE = "none"
    ASCEND = "ascend"
    DESCEND = "descend"


class SortTarget(Enum):
    """What results are sorted by."""

    KEY = "key"
    VERSION = "version"
    CREATE = "create"
    MODIFY = "modify"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeRequest:
    """What is asked for; a number of 0 stands for none.

    Attributes:
        keys: the keys.
        revision: the revision that is read at; 0 is the newest.
        limit: how many keys are given at the most.
        order, sort_by: how they are sorted.  As on a server the limit takes the first keys before they are sorted
            where no order is named, and after it where one is.
        keys_only: whether values are left out.
        count_only: whether the keys are counted alone; revisions below are not looked at then.
        mod_revision_min, mod_revision_max, create_revision_min, create_revision_max: what is given of what is there.
    """

    keys: KeyRange
    revision: int = 0
    limit: int = 0
    order: SortOrder = SortOrder.NONE
    sort_by: SortTarget = SortTarget.KEY
    keys_only: bool = False
    count_only: bool = False
    mod_revision_min: int = 0
    mod_revision_max: int = 0
    create_revision_min: int = 0
    create_revision_max: int = 0

    @property
    def is_by_key(self) -> bool:
        """Whether the keys come as they lie in a server's index."""
        return self.order is SortOrder.NONE or (self.sort_by is SortTarget.KEY and self.order is SortOrder.ASCEND)

    @property
    def has_revision_filters(self) -> bool:
        """Whether some of the keys that are there are left out for their revisions."""
        return any((self.mod_revision_min, self.mod_revision_max, self.create_revision_min, self.create_revision_max))


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """What a server answers.

    Attributes:
        revision: the newest revision of the store.
        count: keys in the range, whatever the limit and the filters are.
        more: whether the limit left some out.
    """

    revision: int
    count: int
    more: bool
    _found: KeyRows
    _rows: NDArray[np.int64]
    _keys_only: bool

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[KeyValue]:
        """Yield the records, read as they are asked for."""
        records = self._found.key_values(self._rows)
        return map(_without_value, records) if self._keys_only else records


def get(
    image: Image,
    request: RangeRequest,
    *,
    find: RowFinder = KeyRows.scan,
    advance: Callable[[int], None] = lambda _: None,
    engine: Engine | None = None,
) -> RangeAnswer:
    """Answer a range request; records are read from the file while the answer is iterated.

    Args:
        image: the database.
        request: what is asked for.
        find: finds the rows of the keys.
        advance: is told the bytes of each part of the database when it was looked at.
        engine: how the bucket is read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        EtcdtoolError: a server refuses the request: no key, or a revision that is compacted or was not reached yet.
        FormatError: the database cannot be read.
    """
    if not request.keys.start:
        raise EtcdtoolError("etcdserver: key is not provided")
    found = find(image, request.keys, engine=engine or chosen_engine(), advance=advance)
    live = found.live_at(request.revision if request.revision > 0 else found.current_revision)
    count = len(live)
    if request.count_only:
        return RangeAnswer(found.current_revision, count, False, found, live[:0], False)
    limit = max(request.limit, 0)
    if limit and request.is_by_key and not request.has_revision_filters:
        live = live[: limit + 1]
    rows = _sorted(found, _filtered(found, live, request), request)
    more = 0 < limit < len(rows)
    return RangeAnswer(found.current_revision, count, more, found, rows[:limit] if more else rows, request.keys_only)


def _without_value(record: KeyValue) -> KeyValue:
    """Return a record as ``keys_only`` gives it."""
    return KeyValue(record.key, record.create_revision, record.mod_revision, record.version, b"", record.lease)


def _filtered(found: KeyRows, rows: NDArray[np.int64], request: RangeRequest) -> NDArray[np.int64]:
    if not request.has_revision_filters:
        return rows
    records = found.records(rows)
    keep = records.mod_revision >= request.mod_revision_min
    keep &= records.create_revision >= request.create_revision_min
    if request.mod_revision_max:
        keep &= records.mod_revision <= request.mod_revision_max
    if request.create_revision_max:
        keep &= records.create_revision <= request.create_revision_max
    return rows[keep]


def _sorted(found: KeyRows, rows: NDArray[np.int64], request: RangeRequest) -> NDArray[np.int64]:
    """Sort rows that come in the order of their keys; where two are equal, that order stays."""
    descend = request.order is SortOrder.DESCEND
    match request.sort_by:
        case SortTarget.KEY:
            return rows[::-1] if descend else rows
        case SortTarget.VALUE:
            values = [record.value for record in found.key_values(rows)]
            places = sorted(range(len(values)), key=values.__getitem__, reverse=descend)
            return rows[places]
    records = found.records(rows)
    match request.sort_by:
        case SortTarget.VERSION:
            numbers = records.version
        case SortTarget.CREATE:
            numbers = records.create_revision
        case SortTarget.MODIFY:
            numbers = records.mod_revision
    return rows[(-numbers if descend else numbers).argsort(kind="stable")]
