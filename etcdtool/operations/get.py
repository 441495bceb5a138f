"""Answer a range request from a file as a server that holds the file's data answers it.

Upstream: ``server/etcdserver/txn/range.go``, ``server/storage/mvcc/kvstore_txn.go``,
``server/etcdserver/api/v3rpc/key.go`` @ v3.7.3; 3.4 to 3.6 answer the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.index_finder import IndexFinder

if TYPE_CHECKING:
    from collections.abc import Callable

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.key_rows import RowFinder
    from etcdtool.operations.range_request import RangeAnswer, RangeRequest

__all__ = ["get"]


def get(
    image: Image,
    request: RangeRequest,
    *,
    find: RowFinder | None = None,
    advance: Callable[[int], None] = lambda _: None,
    engine: Engine | None = None,
) -> RangeAnswer:
    """Answer a range request; records are read from the file while the answer is iterated.

    One key by an index is looked up, and its record read, without NumPy, which takes longer to load than that.

    Args:
        image: the database.
        request: what is asked for.
        find: finds the rows of the keys; `KeyRows.scan` when not given.
        advance: is told the bytes of each part of the database when it was looked at.
        engine: how the bucket is read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        EtcdtoolError: a server refuses the request: no key, or a revision that is compacted or was not reached yet.
        FormatError: the database cannot be read.
    """
    if not request.keys.start:
        raise EtcdtoolError("etcdserver: key is not provided")
    engine = engine or chosen_engine()
    if request.keys.is_one_key and isinstance(find, IndexFinder):
        from etcdtool.operations.point_get import get_one  # noqa: PLC0415  most requests go without

        answer = get_one(image, request, find, engine=engine)
        if answer is not None:
            return answer
    from etcdtool.operations.range_columns import range_by_columns  # noqa: PLC0415  it loads NumPy

    return range_by_columns(image, request, find=find, engine=engine, advance=advance)
