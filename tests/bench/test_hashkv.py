"""hashkv beside etcdutl 3.7 on the same 1.25 million revisions, not compacted and compacted, in one run."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from bench.make_v3_data import snapshot
from support import real
from support.measure import Measured, measure, middle

from etcdtool.model.history import History
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 3
TARGETS = {"small": 0.12, "compacted": 0.2}  # wall time of ours to theirs
MEMORY_BASE, MEMORY_PER_REVISION = 40 << 20, 100


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_hashkv_against_etcdutl(name: str, tmp_path: Path) -> None:
    path = snapshot(name)
    copy = shutil.copy(path, tmp_path / "copy.db")  # the real one writes into its input
    etcdutl = real.program("etcdutl", "3.7")
    ours: list[Measured] = []
    theirs: list[Measured] = []
    for _ in range(ROUNDS):  # in turn, so that a slow minute of the machine hits both
        theirs.append(measure([etcdutl, "hashkv", copy]))
        ours.append(measure([sys.executable, "-m", "etcdtool", "hashkv", path]))
    mine = real.run(sys.executable, "-m", "etcdtool", "hashkv", path, check=True).stdout
    assert mine == real.run(etcdutl, "hashkv", copy, check=True).stdout
    wall, memory = middle(ours), middle(ours).rss_anon_max
    ratio = wall.seconds / middle(theirs).seconds
    limit = MEMORY_BASE + MEMORY_PER_REVISION * revisions_of(path)
    here = real.environment()
    print(
        f"\nhashkv / etcdutl hashkv {here.releases['3.7']}, {name}, {here.cpus} x {here.cpu}\n"
        f"wall {wall.seconds:.2f} s / {middle(theirs).seconds:.2f} s = {ratio:.2f} (target <= {TARGETS[name]}), "
        f"RssAnon {memory >> 20} MiB (limit {limit >> 20}; theirs {middle(theirs).rss_anon_max >> 20})"
    )
    assert memory <= limit


def revisions_of(path: Path) -> int:
    with open_database(path) as database:
        return len(History.read(database.image))
