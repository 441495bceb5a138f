"""What the benchmarks share: our command as it is installed, in turn with a real one, and the line about the two."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
from support import real
from support.measure import Measured, measure, middle

from etcdtool.model.history import History
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROUNDS = 3
MEMORY_BASE, MEMORY_PER_REVISION = 40_000_000, 100  # bytes of anonymous memory at the most
LEASES_MAX = 1.25  # what a lease on every key may cost


def etcdtool(*words: str | Path, exit_code: int = 0) -> Measured:
    """Run our command as it is installed: with bytecode, which this environment may forbid to be written."""
    bytecode = real.cache_dir() / "bench" / "bytecode"
    environ = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(bytecode)}
    return measure([sys.executable, "-m", "etcdtool", *words], environ, exit_code=exit_code)


def in_turn(*runs: Callable[[], Measured], rounds: int = ROUNDS, warm: bool = True) -> list[Measured]:
    """Give the median of each, run one after the other: a slow minute of the machine hits all."""
    for run in runs if warm else ():  # writes bytecode, and brings the file into the page cache
        run()
    found = [[run() for run in runs] for _ in range(rounds)]
    return [middle(of_one) for of_one in zip(*found, strict=True)]


def without_page_cache(path: Path, run: Callable[[], Measured]) -> Callable[[], Measured]:
    """Give a run that finds nothing of the file in memory."""

    def cold() -> Measured:
        drop_from_page_cache(path)
        return run()

    return cold


def drop_from_page_cache(path: Path) -> None:
    """Have nothing of a file in memory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # a page not yet written stays
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        assert not _is_cached(descriptor), f"{path} stays in the page cache; does another program map it?"
    finally:
        os.close(descriptor)


def _is_cached(descriptor: int) -> bool:
    try:
        os.preadv(descriptor, [bytearray(1)], os.fstat(descriptor).st_size // 2, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    return True


def leases_line(verb: str, leases: Measured, plain: Measured) -> str:
    """Give what a lease on every key costs a command."""
    ratio = leases.seconds / plain.seconds
    return f"{verb}: wall {leases.seconds:.2f} s / {plain.seconds:.2f} s without = {ratio:.2f} (target <= {LEASES_MAX})"


def memory_max(path: Path) -> int:
    """Give the bytes of anonymous memory that a command may take for a snapshot."""
    with open_database(path) as database:
        return MEMORY_BASE + MEMORY_PER_REVISION * len(History.read(database.image))


def line(title: str, ours: Measured, theirs: Measured, *, wall_max: float, path: Path) -> str:
    """Give the ratio as one line for people, with what was aimed at; and hold the memory against its limit."""
    limit = memory_max(path)
    assert ours.rss_anon_max <= limit, f"{title}: {ours.rss_anon_max:,} bytes of anonymous memory, {limit:,} wanted"
    return (
        f"{title}: wall {ours.seconds:.2f} s / {theirs.seconds:.2f} s = {ours.seconds / theirs.seconds:.3f} "
        f"(target <= {wall_max:.3g}), RssAnon {megabytes(ours)} MB (limit {limit // 10**6}; theirs {megabytes(theirs)})"
    )


def megabytes(run: Measured) -> int:
    """Give the peak of anonymous memory."""
    return round(run.rss_anon_max / 10**6)


def machine(*versions: str) -> str:
    """Give what the figures depend on: the real programs, Python and the CPU."""
    here = real.environment()
    python = ".".join(map(str, sys.version_info[:3]))
    peers = [f"etcd {here.releases[version]} ({here.go})" for version in versions]
    return ", ".join([*peers, f"Python {python}", f"numpy {np.__version__}", f"{here.cpus} x {here.cpu}"])
