"""snapshot status beside that of etcdutl 3.7, in one run: many small revisions, few large values, leases."""

from __future__ import annotations

from functools import partial

import pytest
from bench.make_v3_data import snapshot
from bench.side_by_side import LEASES_MAX, etcdtool, in_turn, leases_line, line, machine
from support import cli, real
from support.measure import measure

TARGETS = {"small": 0.5, "values": 1.1, "leases": 0.5 * LEASES_MAX}  # wall time of ours to theirs


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_status_against_etcdutl(name: str) -> None:
    path = snapshot(name)
    etcdutl = real.program("etcdutl", "3.7")
    ours, theirs = in_turn(
        partial(etcdtool, "snapshot", "status", path), partial(measure, [etcdutl, "snapshot", "status", path])
    )
    theirs_said = real.run(etcdutl, "snapshot", "status", path, "-w", "json", check=True).stdout
    assert cli.invoke("snapshot", "status", path, "-w", "json").stdout == theirs_said
    print(
        f"\nsnapshot status / etcdutl snapshot status, {machine('3.7')}\n"
        f"{line(name, ours, theirs, wall_max=TARGETS[name], path=path)}"
    )


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_what_leases_cost_status() -> None:
    leases, plain = in_turn(*(partial(etcdtool, "snapshot", "status", snapshot(name)) for name in ("leases", "small")))
    print(f"\n{leases_line('snapshot status', leases, plain)}")
