"""A bar on stderr for work that takes over two seconds, when a person looks at it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType

    from tqdm import tqdm

__all__ = ["Progress"]

_DELAY_SECONDS = 2.0


class Progress(contextlib.AbstractContextManager["Progress"]):
    """Call it with what is done and what there is in all, in bytes; silent where stderr is no terminal."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shown = sys.stderr.isatty()
        self._bar: tqdm[Any] | None = None

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
        self._bar.update(done - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
