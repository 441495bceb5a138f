"""Answer a range request by columns: any number of keys, filtered and sorted; see `etcdtool.operations.get`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.model.key_rows import KeyRows, RowFinder
from etcdtool.operations.range_request import RangeAnswer, RangeRequest, SortOrder, SortTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.keyvalue import KeyValue

__all__ = ["range_by_columns"]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Records that are read as they are asked for."""

    found: KeyRows
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[KeyValue]:
        return self.found.key_values(self.rows)


def range_by_columns(
    image: Image,
    request: RangeRequest,
    *,
    find: RowFinder | None,
    engine: Engine,
    advance: Callable[[int], None],
) -> RangeAnswer:
    """Answer a range request; see `etcdtool.operations.get.get`."""
    found = (find or KeyRows.scan)(image, request.keys, engine=engine, advance=advance)
    live = found.live_at(request.revision if request.revision > 0 else found.current_revision)
    count = len(live)
    if request.count_only:
        return RangeAnswer(found.current_revision, count, False, (), False)
    limit = max(request.limit, 0)
    if limit and request.is_by_key and not request.has_revision_filters:
        live = live[: limit + 1]
    rows = _sorted(found, _filtered(found, live, request), request)
    more = 0 < limit < len(rows)
    records = _Rows(found, rows[:limit] if more else rows)
    return RangeAnswer(found.current_revision, count, more, records, request.keys_only)


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
