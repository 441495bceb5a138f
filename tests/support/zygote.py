"""Runs etcdtool in children of a small process, and kills them at a chosen moment: no interpreter start for each.

As a script it reads one JSON object a line: ``argv``, and either ``after_seconds`` or ``at``, the name of a moment
(see `_moments`); it answers with the child's exit code, or the negative number of the signal that ended it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

MOMENTS = ("fsync 1 before", "fsync 1 after", "fsync 2 before", "link 1 before", "link 1 after", "fsync 3 after")


class Zygote:
    """``with Zygote() as zygote: zygote.run(["convert", …], at="link 1 before")``."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, argv: list[object], **when: float | str) -> int:
        """Run one command; gives its exit code, or minus the signal."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"argv": [str(word) for word in argv], **when}), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


def _die_at(moment: str) -> None:
    """Have this process kill itself before or after the n-th call of a function of ``os``."""
    name, number, place = moment.split()
    real: Callable[..., Any] = getattr(os, name)
    calls = 0

    def dying(*args: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == int(number) and place == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **named)
        if calls == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, name, dying)


def _child(order: dict[str, Any]) -> None:
    from etcdtool.cli.root import run  # noqa: PLC0415  the side that only gives orders does not need it

    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    if "at" in order:
        _die_at(order["at"])
    try:
        code = run(order["argv"])
    except BaseException:  # noqa: BLE001  the child must never go on as the parent
        code = 99
    os._exit(code)


def main() -> None:
    """Serve orders until stdin ends."""
    for module in ("etcdtool.cli.convert", "etcdtool.cli.snapshot_restore"):
        importlib.import_module(module)  # before the first child, so that none has to

    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _child(order)
        if "after_seconds" in order:
            time.sleep(order["after_seconds"])
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
