"""defrag beside etcdutl 3.7 on the same data dir, which has free pages in it, in one run."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from bench.make_v3_data import snapshot
from bench.side_by_side import etcdtool
from support import real
from support.measure import Measured, comparison, measure, middle

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 7
COMPACT_AT = 125_000
WALL_TARGET, MEMORY_TARGET = 0.6, 0.5
DB = "member/snap/db"


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["small"])
def test_defrag_against_etcdutl(name: str, tmp_path: Path) -> None:
    made = member_with_free_pages(name, tmp_path / "made")
    etcdutl, here = real.program("etcdutl", "3.7"), real.environment()
    ours: list[Measured] = []
    theirs: list[Measured] = []
    sizes = set()
    for _ in range(ROUNDS):  # in turn, so that a slow minute of the machine hits both
        for runs, run in ((theirs, lambda *words: measure([etcdutl, *words])), (ours, etcdtool)):
            folder = shutil.copytree(made, tmp_path / "copy")
            runs.append(run("defrag", "--data-dir", folder))
            sizes.add((folder / DB).stat().st_size)
            shutil.rmtree(folder)
    print(
        f"\ndefrag / etcdutl defrag {here.releases['3.7']}, {name}, {(made / DB).stat().st_size >> 20} MiB before, "
        f"{' and '.join(f'{size >> 20} MiB' for size in sorted(sizes))} after, {here.cpus} x {here.cpu}\n"
        + comparison("defrag", middle(ours), middle(theirs), wall_target=WALL_TARGET, memory_target=MEMORY_TARGET)
        + f"\nall memory, mapped files too: {_mib(ours)} / {_mib(theirs)} MiB = {_mib(ours) / _mib(theirs):.2f}"
    )


def _mib(runs: list[Measured]) -> int:
    return middle(runs).rss_max >> 20


def member_with_free_pages(name: str, folder: Path) -> Path:
    """Restore a snapshot, and have a server compact part of the history away."""
    real.restore("3.7", snapshot(name), folder)
    with real.Server("3.7", folder, f"--quota-backend-bytes={8 << 30}") as server:
        server.etcdctl("compact", str(COMPACT_AT), "--physical", "--command-timeout=600s")
    return folder
