"""Stopped at system calls, and on a full disk: the old database in its place, or the new one, and all else as it was.

tests/compat/test_kills.py has every system call, and servers that start on what is left.
"""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import restored, samples
from support.cli import invoke
from support.faults import copy_dir
from support.stops import Scenario, sweep
from support.zygote import Zygote

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = "v3/3.7/data.tar.gz"
SNAPSHOT = "v3/3.7/snapshot.db.gz"
COMPACT = ("compact", "--rev", 1600)
EVERY = 3
FULL_DISKS = 8


def in_place(*words: object) -> Scenario:
    def judge(folder: Path) -> None:
        assert content(folder / "data/member/snap/db") in (old_content(), new_content(words[:3]))

    return Scenario(
        inputs=lambda folder: copy_dir(samples.unpack(DATA), folder / "data"),
        command=lambda folder: [*words, "--data-dir", folder / "data"],
        targets=("data",),
        judge=judge,
        rests_are_judged=True,
    )


def to_snapshot(*words: object) -> Scenario:
    def judge(folder: Path) -> None:
        assert content(folder / "new.db") == new_content(words)

    return Scenario(
        inputs=lambda folder: shutil.copy(samples.unpack(SNAPSHOT), folder / "old.db"),
        command=lambda folder: [*words, folder / "old.db", "-o", folder / "new.db"],
        targets=("new.db",),
        judge=judge,
    )


def content(path: Path) -> object:
    folder = path.parent / "as a data dir"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "member/snap").mkdir(parents=True)
    shutil.copy(path, folder / restored.DB)
    return restored.buckets(folder)


@cache
def old_content() -> object:
    return restored.buckets(samples.unpack(DATA))


@cache
def new_content(words: tuple[object, ...]) -> object:
    if words[0] == "defrag":
        return old_content()
    with tempfile.TemporaryDirectory() as folder:
        data = copy_dir(samples.unpack(DATA), Path(folder) / "data")
        assert invoke(*words, "--data-dir", data).exit_code == 0
        return restored.buckets(data)


SCENARIOS: dict[str, Callable[[], Scenario]] = {
    "defrag": lambda: in_place("defrag"),
    "defrag without a backup": lambda: in_place("defrag", "--no-keep"),
    "defrag of a snapshot": lambda: to_snapshot("defrag"),
    "compact": lambda: in_place(*COMPACT),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_old_or_the_new_one_is_there(name: str, tmp_path: Path) -> None:
    with Zygote() as zygote:
        coverage = sweep(SCENARIOS[name](), zygote, tmp_path, every=EVERY, full_disks=FULL_DISKS)
    assert coverage.kills > 0
    assert coverage.full > 0
