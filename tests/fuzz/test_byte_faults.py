"""Faults in every sample, spread by the seed: 200 in a normal run, thousands with --full."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import random

COUNT = 200
COUNT_FULL = 500
PARTS_FULL = 8
SCRIPT = Path(__file__).with_name("byte_faults.py")


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.full) for part in range(1, PARTS_FULL))])
def test_no_fault_is_a_crash_or_goes_unnoticed(part: int, rng: random.Random, request: pytest.FixtureRequest) -> None:
    count = COUNT_FULL if request.config.getoption("--full") else COUNT
    seed = rng.randrange(1 << 32) + part
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT), str(seed), str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"byte_faults.py {seed} {count}: {done.stderr[-3000:]}"
    ends = json.loads(done.stdout)
    assert sum(ends.values()) == count
    assert ends["refused"] > count // 20
    assert ends["the same, told"] + ends["another result, told"] > count // 10
