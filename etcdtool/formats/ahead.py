"""Do the next piece of work in one other thread while the last one is used."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_ahead"]

_Item = TypeVar("_Item")
_PIECES = 2


def read_ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield what an iterator yields, which runs ahead by two pieces in a thread of its own.

    Worth it where a piece is the work of milliseconds in array operations, which leave the interpreter to others.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  small files are read without threads

    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        end = object()
        pending = deque(pool.submit(next, items, end) for _ in range(_PIECES))
        try:
            while (item := pending.popleft().result()) is not end:
                pending.append(pool.submit(next, items, end))
                yield cast("_Item", item)
        finally:
            for piece in pending:
                piece.cancel()
