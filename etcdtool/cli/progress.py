"""A bar on stderr for work that takes over two seconds, when a person looks at it."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from tqdm import tqdm

__all__ = ["Advance", "Progress", "Shares"]

_DELAY_SECONDS = 2.0


class Progress(contextlib.AbstractContextManager["Progress"]):
    """Call it with what is done and what there is in all, in bytes; silent where stderr is no terminal."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shown = sys.stderr.isatty()
        self._bar: tqdm[Any] | None = None
        self._appears_at = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Move the bar; it appears after two seconds."""
        if not self._shown:
            return
        if self._bar is None:
            from tqdm import tqdm  # noqa: PLC0415  where nobody looks it is not needed

            bar: tqdm[Any] = tqdm(
                total=total, desc=self._title, unit="B", unit_scale=True, delay=_DELAY_SECONDS, leave=False
            )
            self._bar = bar
            self._appears_at = time.monotonic() + _DELAY_SECONDS
        self._bar.update(done - self._bar.n)

    def paused(self) -> contextlib.AbstractContextManager[object]:
        """Take the bar away while something is printed."""
        if self._bar is None or time.monotonic() < self._appears_at:  # tqdm would draw it before its time
            return contextlib.nullcontext()
        return self._bar.external_write_mode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


class Advance:
    """Adds up the bytes that it is told were read, for the bar."""

    def __init__(self, progress: Callable[[int, int], None], total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def __call__(self, size: int) -> None:
        """Take so many bytes more."""
        self._done += size
        self._progress(self._done, self._total)


class Shares:
    """The progress of several inputs as that of one: each has the share that its bytes on disk are of all of them.

    What an input counts may be something else, such as its bytes once it is unpacked.
    """

    def __init__(self, progress: Callable[[int, int], None], sizes: Sequence[int]) -> None:
        self._progress = progress
        self._sizes = sizes

    def of(self, index: int) -> Callable[[int, int], None]:
        """Return what the input of this number calls with what is done and what there is in all."""
        before, size, total = sum(self._sizes[:index]), self._sizes[index], sum(self._sizes)

        def advance(done: int, whole: int) -> None:
            self._progress(before + size * min(done, whole) // max(whole, 1), total)

        return advance
