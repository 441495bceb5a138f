"""Runs etcdtool in children of a small process, and kills them at a chosen moment: no interpreter start for each.

As a script it reads one JSON object a line: ``argv``, and either ``after_seconds``, or ``at``, the name of a moment
(see `_die_at`), or ``under`` with ``stop`` and ``how`` (see `support.system_calls`).  It answers with an object: the
child's exit code, or the negative number of the signal that ended it; its calls; and what it said.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if not __package__:  # started as a script: the folder of the package is not on the path
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from support import system_calls
from support.system_calls import Call, Watched

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
        return int(self._order(argv, when)["code"])

    def watch(self, argv: list[object], *, under: Path, stop: int = 0, how: str = "kill") -> tuple[Watched, str]:
        """Run one command with its system calls watched; gives what they were and what it said on stderr."""
        answer = self._order(argv, {"under": str(under.resolve()), "stop": stop, "how": how})
        return Watched(answer["code"], [Call(**call) for call in answer["calls"]]), answer["stderr"]

    def _order(self, argv: list[object], when: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"argv": [str(word) for word in argv], **when}), file=self._process.stdin, flush=True)
        return dict(json.loads(self._process.stdout.readline()))


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


def _child(order: dict[str, Any], stderr: int, channel: socket.socket) -> None:
    from etcdtool.cli.root import run  # noqa: PLC0415  the side that only gives orders does not need it

    silent = os.open(os.devnull, os.O_RDWR)
    os.dup2(silent, 1)
    os.dup2(stderr, 2)
    if "at" in order:
        _die_at(order["at"])
    if "under" in order:
        system_calls.install(channel)
    try:
        code = run(order["argv"])
    except BaseException:  # noqa: BLE001  the child must never go on as the parent
        code = 99
    os._exit(code)


def _served(order: dict[str, Any]) -> dict[str, Any]:
    stderr = os.memfd_create("stderr")
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        _child(order, stderr, theirs)
    theirs.close()
    with ours:
        watched = _wait(child, order, ours)
    said = os.pread(stderr, 1 << 20, 0).decode("utf-8", "replace")
    os.close(stderr)
    return {**watched.as_json(), "stderr": said}


def _wait(child: int, order: dict[str, Any], channel: socket.socket) -> Watched:
    if "under" in order:
        _, (listener,), _, _ = socket.recv_fds(channel, 1, 1)
        return system_calls.supervise(child, listener, under=order["under"], stop=order["stop"], how=order["how"])
    if "after_seconds" in order:
        time.sleep(order["after_seconds"])
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return Watched(os.waitstatus_to_exitcode(status), [])


def main() -> None:
    """Serve orders until stdin ends."""
    for name in ("compact", "convert", "defrag", "migrate", "snapshot_restore", "v2_drop"):
        importlib.import_module(f"etcdtool.cli.{name}")  # before the first child, so that none has to

    for line in sys.stdin:
        print(json.dumps(_served(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
