"""kill -9 at any moment of a migrate: the old database or the new one, and the next run completes it.

tests/compat/test_kills.py has every system call, and servers that start on what is left.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from support import restored, samples
from support.zygote import Zygote

if TYPE_CHECKING:
    import random
    from pathlib import Path

    import pytest

SAMPLE = "v3/3.6/data.tar.gz"
KILLS = 8
KILLS_FULL = 200


def content(data_dir: Path) -> tuple[bytes, object]:
    found = restored.buckets(data_dir)
    return found["meta"].pop(b"storageVersion"), found


def test_at_any_moment(tmp_path: Path, rng: random.Random, request: pytest.FixtureRequest) -> None:
    old, pairs = content(samples.unpack(SAMPLE))
    seen = set()
    with Zygote() as zygote:
        for name in ("first", "whole"):
            data_dir = samples.fresh(SAMPLE, tmp_path / name)
            started = time.monotonic()
            assert zygote.run(["migrate", "--data-dir", data_dir, "--target-version", "3.7"]) == 0
        seconds = time.monotonic() - started
        count = KILLS_FULL if request.config.getoption("--full") else KILLS
        for number, moment in enumerate([0, *(rng.uniform(0, seconds * 1.1) for _ in range(count - 1))]):
            data_dir = samples.fresh(SAMPLE, tmp_path / str(number))
            order = ["migrate", "--data-dir", data_dir, "--target-version", "3.7"]
            code = zygote.run(order, after_seconds=moment)
            version, found = content(data_dir)
            assert version in {old, b"3.7.0"}
            assert found == pairs
            assert version == b"3.7.0" or code == -9
            seen.add(version)
            assert zygote.run(order) == 0
            assert content(data_dir) == (b"3.7.0", pairs)
            assert not [path for path in (data_dir / "member/snap").iterdir() if path.name.startswith(".")]
    assert old in seen
