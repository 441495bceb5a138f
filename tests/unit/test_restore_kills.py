"""kill -9 at any moment of a restore: nothing under the target's name, or all of it.

tests/compat/test_kills.py has every system call, and servers that start on what is left.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

from support import restored, samples
from support.zygote import Zygote

if TYPE_CHECKING:
    import random
    from pathlib import Path

    import pytest

SNAPSHOT = "v3/3.7/snapshot.db.gz"
REAL = "v3/3.7/restored.tar.gz"
KILLS = 8
KILLS_FULL = 200


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".etcdtool-partial"))


def hold(folder: Path, name: str) -> bool:
    """Hold what a kill left; tell whether the whole data dir is there."""
    entries = left(folder)
    assert entries in ([], [name])
    if entries:
        assert facts(folder / name) == real_facts()
    return bool(entries)


def facts(target: Path) -> tuple[object, ...]:
    return restored.buckets(target), restored.log(target), restored.snapshot(target)


@cache
def real_facts() -> tuple[object, ...]:
    return facts(samples.unpack(REAL))


def test_at_any_moment(tmp_path: Path, rng: random.Random, request: pytest.FixtureRequest) -> None:
    source = samples.unpack(SNAPSHOT)
    with Zygote() as zygote:
        for name in ("first", "whole"):
            started = time.monotonic()
            assert zygote.run(["snapshot", "restore", source, "--data-dir", tmp_path / name]) == 0
        seconds = time.monotonic() - started
        for number in range(KILLS_FULL if request.config.getoption("--full") else KILLS):
            folder = tmp_path / str(number)
            folder.mkdir()
            order = ["snapshot", "restore", source, "--data-dir", folder / "new.etcd"]
            code = zygote.run(order, after_seconds=rng.uniform(0, seconds * 1.1))
            is_there = hold(folder, "new.etcd")
            assert is_there or code == -9
