"""convert beside the real `etcdctl migrate` 3.4, on the same 200,000 keys, in one run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from bench.make_v2_data import KEYS, TAIL_KEYS, copy, v2_data
from bench.side_by_side import etcdtool, machine
from support import real
from support.measure import Measured, comparison, measure, middle

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 3
TARGETS = {"with_snap": 0.25, "wal_only": 0.4}  # wall time of ours to theirs
MEMORY_TARGET = 1.0


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", TARGETS)
def test_convert_against_migrate(kind: str, tmp_path: Path) -> None:
    data_dir = getattr(v2_data(), kind)
    ours: list[Measured] = []
    theirs: list[Measured] = []
    for number in range(ROUNDS):  # in turn, so that a slow minute of the machine hits both
        theirs.append(_migrate(data_dir, tmp_path / f"migrated-{number}"))
        ours.append(_convert(data_dir, tmp_path / f"{number}.db"))
    status = real.run(real.program("etcdutl", "3.6"), "snapshot", "status", tmp_path / "0.db", "-w", "json", check=True)
    assert json.loads(status.stdout)["totalKey"] == KEYS + (TAIL_KEYS if kind == "with_snap" else 0)
    line = comparison(kind, middle(ours), middle(theirs), wall_target=TARGETS[kind], memory_target=MEMORY_TARGET)
    print(f"\nconvert / etcdctl migrate, {KEYS:,} keys, {machine('3.4')}\n{line}")


def _convert(data_dir: Path, target: Path) -> Measured:
    return etcdtool("convert", data_dir, "-o", target)


def _migrate(data_dir: Path, work_dir: Path) -> Measured:
    copy(data_dir, work_dir)  # it writes into the data dir
    etcdctl = real.program("etcdctl", "3.4")
    return measure([etcdctl, "migrate", f"--data-dir={work_dir}"], {"ETCDCTL_API": "3"})
