"""top beside our own snapshot status, in one run: it looks at every page and record too, and groups them all."""

from __future__ import annotations

from functools import partial

import pytest
from bench.make_v3_data import snapshot
from bench.side_by_side import etcdtool, in_turn, line, machine

TARGET = 3.0  # wall time to that of snapshot status


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("by", ["prefix", "key", "kind", "namespace", "lease", "size-class"])
@pytest.mark.parametrize("name", ["small", "values", "leases"])
def test_top_against_status(name: str, by: str) -> None:
    path = snapshot(name)
    found, status = in_turn(
        partial(etcdtool, "top", path, f"--by={by}", "-w", "json"), partial(etcdtool, "snapshot", "status", path)
    )
    print(f"\ntop / snapshot status, {machine()}\n{line(f'{name} by {by}', found, status, wall_max=TARGET, path=path)}")
