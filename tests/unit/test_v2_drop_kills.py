"""kill -9 during ``v2 drop``: servers find the old state or the new one, a second run completes, nothing else moves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from support import faults, samples
from support.dropped import PLACES, State, hold
from support.zygote import Zygote

if TYPE_CHECKING:
    import random
    from pathlib import Path

    import pytest

HIDDEN = "upgrade/v2-hidden-only/data.tar.gz"
SEGMENT = "0000000000000000-0000000000000000.wal"
KILLS = 6
KILLS_FULL = 100


def test_at_each_step(tmp_path: Path) -> None:
    source = samples.unpack(HIDDEN)
    whole = faults.copy_dir(source, tmp_path / "whole")
    seen = []
    with Zygote() as zygote:
        assert zygote.run(["v2", "drop", whole, "--discard"]) == 0
        (snap,) = {path.name for path in whole.rglob("*.snap")} - {path.name for path in source.rglob("*.snap")}
        old, new = State.of(source, SEGMENT, snap), State.of(whole, SEGMENT, snap)
        assert hold(new, old, new) == "new"
        for place in PLACES:
            copy = faults.copy_dir(source, tmp_path / place)
            order = ["v2", "drop", copy, "--discard"]
            code = zygote.run(order, at=place)
            assert code in (-9, 0)
            left = hold(State.of(copy, SEGMENT, snap), old, new)
            assert left == "new" or code == -9
            seen.append(left)
            assert zygote.run(order) == 0
            assert State.of(copy, SEGMENT, snap) == new
    assert set(seen) == {"old", "snap", "record without its length", "new"}


def test_at_any_moment(tmp_path: Path, rng: random.Random, request: pytest.FixtureRequest) -> None:
    source = samples.unpack(HIDDEN)
    with Zygote() as zygote:
        for name in ("first", "whole"):
            whole = faults.copy_dir(source, tmp_path / name)
            started = time.monotonic()
            assert zygote.run(["v2", "drop", whole, "--discard"]) == 0
            seconds = time.monotonic() - started
        (snap,) = {path.name for path in whole.rglob("*.snap")} - {path.name for path in source.rglob("*.snap")}
        old, new = State.of(source, SEGMENT, snap), State.of(whole, SEGMENT, snap)
        for number in range(KILLS_FULL if request.config.getoption("--full") else KILLS):
            copy = faults.copy_dir(source, tmp_path / str(number))
            code = zygote.run(["v2", "drop", copy, "--discard"], after_seconds=rng.uniform(0, seconds * 1.1))
            assert hold(State.of(copy, SEGMENT, snap), old, new) == "new" or code == -9
