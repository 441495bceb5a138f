"""Do the next piece of work in one other thread while the last one is used."""

from __future__ import annotations

import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_ahead"]

_Item = TypeVar("_Item")
_PIECES = 2
_SWITCH_SECONDS = 0.0005
"""How long the other thread waits for the interpreter at most: 5 ms, Python's own, is a whole piece of work."""


def read_ahead(items: Iterator[_Item]) -> Iterator[_Item]:
    """Yield what an iterator yields, which runs ahead by two pieces in a thread of its own.

    Worth it where a piece is the work of milliseconds in array operations, which leave the interpreter to others.
    """
    done: SimpleQueue[tuple[_Item] | BaseException | None] = SimpleQueue()
    wanted = threading.Semaphore(_PIECES)
    stopped = threading.Event()

    def run() -> None:
        try:
            while wanted.acquire() and not stopped.is_set():
                done.put((next(items),))
        except StopIteration:
            done.put(None)
        except BaseException as error:  # noqa: BLE001  whatever it is, it is raised where the piece is awaited
            done.put(error)

    thread = threading.Thread(target=run, name="ahead", daemon=True)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    thread.start()
    try:
        while (piece := done.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            wanted.release()
            yield piece[0]
    finally:
        stopped.set()
        wanted.release()
        thread.join()
        sys.setswitchinterval(interval)
