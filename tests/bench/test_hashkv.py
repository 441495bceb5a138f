"""hashkv beside etcdutl 3.7 on the same 1.25 million revisions, in one run: whole, compacted, with leases."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest
from bench.make_v3_data import snapshot
from bench.side_by_side import LEASES_MAX, etcdtool, in_turn, leases_line, line, machine
from support import cli, real
from support.measure import measure

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = {"small": 0.12, "compacted": 0.2, "leases": 0.12 * LEASES_MAX}  # wall time of ours to theirs


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_hashkv_against_etcdutl(name: str, tmp_path: Path) -> None:
    path = snapshot(name)
    copy = shutil.copy(path, tmp_path / "copy.db")  # the real one writes into its input
    etcdutl = real.program("etcdutl", "3.7")
    ours, theirs = in_turn(partial(etcdtool, "hashkv", path), partial(measure, [etcdutl, "hashkv", copy]))
    assert cli.invoke("hashkv", path).stdout == real.run(etcdutl, "hashkv", copy, check=True).stdout
    print(f"\nhashkv / etcdutl hashkv, {machine('3.7')}\n{line(name, ours, theirs, wall_max=TARGETS[name], path=path)}")


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_what_leases_cost_hashkv() -> None:
    leases, plain = in_turn(*(partial(etcdtool, "hashkv", snapshot(name)) for name in ("leases", "small")))
    print(f"\n{leases_line('hashkv', leases, plain)}")
