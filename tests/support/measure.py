"""Wall time and peak anonymous memory of a program, and the line in which two are compared."""

from __future__ import annotations

import os
import re
import select
import subprocess
import tempfile
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from support import processes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

POLL_SECONDS = 0.005
_RSS_ANON, _RSS_MAX = (re.compile(rb"^%b:\s+(\d+) kB$" % name, re.MULTILINE) for name in (b"RssAnon", b"VmHWM"))


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a program."""

    seconds: float
    rss_anon_max: int  # bytes; the kernel keeps no peak of it, so this is the highest of one look every 5 ms
    rss_max: int = 0  # bytes; of all memory, pages of mapped files that are in it too


def measure(argv: Sequence[str | Path], env: Mapping[str, str] | None = None, *, exit_code: int = 0) -> Measured:
    """Run a program to its end, looking at its memory meanwhile.

    Raises:
        ProgramError: it failed, which is to end with another exit code than this one.
    """
    words = [str(word) for word in argv]
    os.sync()  # what was copied for this run must not be written to disk at its expense
    with tempfile.TemporaryFile("w+b") as output:
        started = time.perf_counter()
        process = subprocess.Popen(words, env=processes.environ(env), stdout=output, stderr=subprocess.STDOUT)
        peaks = _watch(process)
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode != exit_code:
        raise processes.ProgramError(subprocess.CompletedProcess(words, process.returncode, text, ""))
    return Measured(seconds, *peaks)


def middle(runs: Sequence[Measured]) -> Measured:
    """Give the median of each figure."""
    return Measured(
        median(run.seconds for run in runs),
        int(median(run.rss_anon_max for run in runs)),
        int(median(run.rss_max for run in runs)),
    )


def comparison(title: str, ours: Measured, theirs: Measured, *, wall_target: float, memory_target: float) -> str:
    """Give the ratios as one line for people, with what was aimed at."""
    wall, memory = ours.seconds / theirs.seconds, ours.rss_anon_max / theirs.rss_anon_max
    return (
        f"{title}: wall {ours.seconds:.2f} s / {theirs.seconds:.2f} s = {wall:.2f} (target <= {wall_target}), "
        f"RssAnon {_mib(ours)} / {_mib(theirs)} MiB = {memory:.2f} (target <= {memory_target})"
    )


def _watch(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Return the peaks, once the process has ended; looking takes next to no time from who needs every core."""
    anonymous = resident = 0
    ended, status = os.pidfd_open(process.pid), os.open(f"/proc/{process.pid}/status", os.O_RDONLY)
    try:
        while not select.select([ended], (), (), POLL_SECONDS)[0]:
            found = os.pread(status, 1 << 14, 0)
            anonymous, resident = max(anonymous, _bytes(_RSS_ANON, found)), max(resident, _bytes(_RSS_MAX, found))
    finally:
        os.close(status)
        os.close(ended)
    process.wait()
    return anonymous, resident


def _bytes(line: re.Pattern[bytes], status: bytes) -> int:
    found = line.search(status)
    return int(found[1]) * 1024 if found else 0


def _mib(run: Measured) -> int:
    return round(run.rss_anon_max / 2**20)
