"""Running real programs: short ones to their end, servers until the test ends, whatever way it ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import IO

RUN_SECONDS_MAX = 180
_running: set[subprocess.Popen[bytes]] = set()


class ProgramError(AssertionError):
    """A real program that had to succeed did not; the message holds its words."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        super().__init__(f"{done.args} exited with {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
        self.done = done


@contextlib.contextmanager
def locked_as_by_bbolt(path: Path) -> Iterator[int]:
    """Have another process hold a database's lock; gives its pid."""
    code = (
        "import fcntl, sys; file = open(sys.argv[1], 'r+b'); fcntl.flock(file, fcntl.LOCK_EX);"
        "print('locked', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        try:
            yield other.pid
        finally:
            other.communicate()


def run(
    program: Path | str,
    *args: str | Path,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    cwd: Path | None = None,
    check: bool = False,
    timeout: float = RUN_SECONDS_MAX,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; `.args` of the result is the argv, bytes that are no UTF-8 become surrogates.

    Raises:
        ProgramError: `check` is set and the exit code is not 0.
    """
    done = subprocess.run(
        [str(program), *map(str, args)],
        env=environ(env),
        input=stdin,
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
        timeout=timeout,
    )
    if check and done.returncode != 0:
        raise ProgramError(done)
    return done


def spawn(argv: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own that dies with this process, even by kill -9."""
    setpriv = shutil.which("setpriv")
    tied = [setpriv, "--pdeathsig", "KILL", *argv] if setpriv else argv
    process = subprocess.Popen(
        tied, env=environ(), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    _running.add(process)
    return process


def end(process: subprocess.Popen[bytes], signal_number: int, seconds: float = 20) -> int:
    """Send a signal to a process group and wait; kill it when it stays. Gives the exit code."""
    for number in (signal_number, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
            break
    _running.discard(process)
    return process.returncode


def environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give this process' environment without anything that steers etcd, and with `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETCD_", "ETCDCTL_"))}
    if platform.machine() == "aarch64":
        kept["ETCD_UNSUPPORTED_ARCH"] = "arm64"  # 3.4 starts on nothing but amd64 without it
    return kept | dict(extra or {})


@atexit.register
def _end_all() -> None:
    for process in tuple(_running):
        end(process, signal.SIGKILL, seconds=5)
