"""snapshot diff of two large snapshots beside our own snapshot status of one, in one run."""

from __future__ import annotations

import json
from functools import partial

import pytest
from bench.make_v3_data import CHANGED, CHANGED_KEYS, snapshot
from bench.side_by_side import MEMORY_BASE, MEMORY_PER_REVISION, etcdtool, in_turn, machine, megabytes, memory_max
from support import cli

TARGET = 4.0  # wall time to that of snapshot status of one of the two


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["small", "values"])
def test_diff_against_status(name: str) -> None:
    old, new = snapshot(name), snapshot(name + CHANGED)
    done = cli.invoke("snapshot", "diff", old, new, "--ignore=members", "-w", "json")
    found = json.loads(done.stdout)
    # a few of the first keys of small were deleted before
    assert found["keys"]["changed"] + found["keys"]["added"] == CHANGED_KEYS == len(found["changes"])
    assert {one["key"].rsplit("-", 1)[1] for one in found["changes"]} == {f"{n:08d}" for n in range(CHANGED_KEYS)}
    limit = memory_max(old) + memory_max(new) - MEMORY_BASE
    same, differing, status = in_turn(
        partial(etcdtool, "snapshot", "diff", old, old, "-w", "json"),
        partial(etcdtool, "snapshot", "diff", old, new, "-w", "json", exit_code=3),
        partial(etcdtool, "snapshot", "status", old),
    )
    print(f"\nsnapshot diff / snapshot status, {machine()}")
    for title, run in ((f"{name} with itself", same), (f"{name} with {CHANGED_KEYS} keys changed", differing)):
        assert run.rss_anon_max <= limit, f"{title}: {run.rss_anon_max:,} bytes of anonymous memory"
        print(
            f"{title}: wall {run.seconds:.2f} s / {status.seconds:.2f} s = {run.seconds / status.seconds:.2f} "
            f"(target <= {TARGET}), RssAnon {megabytes(run)} MB (limit {limit // 10**6}, {MEMORY_PER_REVISION} bytes a "
            "revision of both)"
        )
