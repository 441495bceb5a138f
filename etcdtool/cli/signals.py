"""SIGTERM and SIGHUP end the work as Ctrl-C does: what is not complete is taken away before the program ends.

A pod that is evicted, a service that is stopped, ``timeout`` and a terminal that is closed send them.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["StoppedError", "catch_signals", "end_by"]

_NUMBERS = (signal.SIGTERM, signal.SIGHUP)
_EXIT_CODE_BASE = 128
_AGAIN_SECONDS = 0.02


class StoppedError(KeyboardInterrupt):
    """A signal asked for the end.

    Attributes:
        number: the signal.
        exit_code: what shells say of a program that it ended.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_code = _EXIT_CODE_BASE + number


def catch_signals() -> None:
    """Have these signals raise `StoppedError` in the main thread, once."""
    sys.unraisablehook = _raise_again
    for number in _NUMBERS:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has one ignored
            signal.signal(number, _raise)


def end_by(exit_code: int) -> None:
    """End by the signal that an exit code stands for, if it does: whoever waits for us is told what it was."""
    number = exit_code - _EXIT_CODE_BASE
    if number in _NUMBERS:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _raise(number: int, _: FrameType | None) -> None:
    for other in _NUMBERS:  # taking away what is not complete is not to be stopped in its turn
        signal.signal(other, signal.SIG_IGN)
    raise StoppedError(number)


def _raise_again(lost: sys.UnraisableHookArgs) -> None:
    """Raise it once more, a moment later, where Python has dropped it: in the callback of a weak reference, say.

    An import makes those, so that a signal in the first moments would be printed and forgotten.
    """
    stopped = lost.exc_value
    if not isinstance(stopped, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return

    def again(_number: int, _frame: FrameType | None) -> None:
        raise stopped

    signal.signal(signal.SIGALRM, again)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
