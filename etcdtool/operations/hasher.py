"""sha256 sums of the first bytes of a file, computed in a thread: it also reads ahead for whoever checks meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from typing import TYPE_CHECKING, Self

from etcdtool.checks.container import digest_positions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from etcdtool.sources import Database

__all__ = ["Hasher", "positions_of"]

_CHUNK_SIZE_MIN, _CHUNK_SIZE_MAX = 1 << 20, 32 << 20
_POLL_SECONDS = 0.1


def positions_of(database: Database) -> list[int]:
    """Return up to where sums of an opened file are wanted; none where it cannot be told before it is looked at."""
    if database.image_problem is not None:
        return []
    return digest_positions(database.size, database.image.high_water_mark * database.image.page_size)


class Hasher(contextlib.AbstractContextManager["Hasher"]):
    """Sums up to several positions, in one pass that starts with the context.

    Args:
        data: a mapped file.
        positions: up to where sums are wanted, ascending.
        arrived: waits until so many bytes are there, and returns whether they ever will be; for a file that is being
            written.
    """

    def __init__(
        self,
        data: memoryview,
        positions: Sequence[int],
        *,
        arrived: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self.positions = list(positions)
        self._data = data
        self._arrived = arrived
        self._done = 0
        self._digests: dict[int, bytes] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sha256", daemon=True)

    def _run(self) -> None:
        digest = hashlib.sha256()
        for position in self.positions:
            while self._done < position:
                # between chunks a busy main thread keeps the interpreter for a moment, so they are few
                size = min(max(self._done, _CHUNK_SIZE_MIN), _CHUNK_SIZE_MAX)
                end = min(self._done + size, position)
                if self._stopped.is_set() or not self._arrived(end):
                    return
                chunk = self._data[self._done : end]
                digest.update(chunk)
                self._done += len(chunk)
            self._digests[position] = digest.digest()

    def progress(self, position: int) -> tuple[int, int]:
        """Return bytes done and bytes in all; without a sum to compute, those of the reader."""
        return (self._done, self.positions[-1]) if self.positions else (position, len(self._data))

    def wait(self, advance: Callable[[int], None]) -> dict[int, bytes]:
        """Return position -> sha256 of all bytes before it."""
        while self._thread.is_alive():
            self._thread.join(_POLL_SECONDS)
            advance(len(self._data))
        advance(len(self._data))  # it may have ended before the first look
        return self._digests

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stopped.set()
        self._thread.join()
