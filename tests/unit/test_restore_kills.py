"""kill -9 during a restore: nothing under the target's name, or all of it; the source as it was."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING

import pytest
from support import restored, samples
from support.zygote import Zygote

if TYPE_CHECKING:
    import random
    from pathlib import Path

SNAPSHOT = "v3/3.7/snapshot.db.gz"
REAL = "v3/3.7/restored.tar.gz"
KILLS = 8
KILLS_FULL = 200
PLACES = ("1 before", "3 after")
PLACES_FULL = (*PLACES, "1 after", "2 before", "2 after", "4 before", "5 after", "7 before", "9 after")
STEPS = ("mkdir", "open", "copy_file_range", "fdatasync", "ftruncate", "pwrite", "posix_fallocate", "fsync", "close")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".etcdtool-partial"))


def hold(folder: Path, name: str, inside: bool) -> bool:
    """Hold what a kill left; tell whether the whole data dir is there."""
    target = folder / name
    entries = left(target) if inside else left(folder)
    assert entries in ([], ["member"] if inside else [name])
    if entries:
        assert facts(target) == real_facts()
    return bool(entries)


def facts(target: Path) -> tuple[object, ...]:
    return restored.buckets(target), restored.log(target), restored.snapshot(target)


@cache
def real_facts() -> tuple[object, ...]:
    return facts(samples.unpack(REAL))


@pytest.mark.parametrize("inside", [False, True])
def test_at_each_step(inside: bool, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    source, seen = samples.unpack(SNAPSHOT), set()
    places = PLACES_FULL if request.config.getoption("--full") else PLACES
    before = samples.hashes(source)
    with Zygote() as zygote:
        for step in STEPS:
            for place in places:
                folder = tmp_path / f"{step} {place}"
                (folder / "new.etcd" if inside else folder).mkdir(parents=True)
                order = ["snapshot", "restore", source, "--data-dir", folder / "new.etcd"]
                code = zygote.run(order, at=f"{step} {place}")
                assert code in (-9, 0)
                is_there = hold(folder, "new.etcd", inside)
                assert is_there or code == -9
                seen.add(code)
                if not is_there and place == PLACES[-1]:
                    # the next run takes away what the killed one left, and completes
                    assert zygote.run(order) == 0
                    assert hold(folder, "new.etcd", inside)
                    assert not list(folder.rglob("*.etcdtool-partial"))
    assert seen == {-9, 0}
    assert samples.hashes(source) == before


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
            is_there = hold(folder, "new.etcd", inside=False)
            assert is_there or code == -9
