"""snapshot restore beside etcdutl 3.7 on the same snapshots, into a fresh folder of the same disk, in one run.

Every run ends with all that it wrote on disk, on either side; when one begins the old target is gone, and nothing is
left for the disk to write.
"""

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
    from collections.abc import Mapping
    from pathlib import Path

ROUNDS = 9
TARGETS = {"small": {"full": 0.95, "quick": 0.6}, "values": {"full": 0.85, "quick": 0.6}}  # wall time, ours to theirs
MEMORY_BASE, MEMORY_PER_REVISION = 64_000_000, 100  # bytes of anonymous memory at the most


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_restore_against_etcdutl(name: str, tmp_path: Path) -> None:
    path, target = snapshot(name), tmp_path / "restored"
    ours: list[str | Path] = [sys.executable, "-m", "etcdtool", "snapshot", "restore", path, "--data-dir", target]
    programs: dict[str, list[str | Path]] = {
        "etcdutl": [real.program("etcdutl", "3.7"), "snapshot", "restore", path, "--data-dir", target],
        "full": ours,
        "quick": [*ours, "--level", "quick"],
    }
    # as it is installed: with bytecode, which this environment may forbid to be written
    environ = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path / "bytecode")}
    runs: dict[str, list[Measured]] = {title: [] for title in programs}
    for number in range(-1, ROUNDS):  # in turn, so that a slow minute of the machine hits all; the first warms up
        for title, argv in programs.items():
            measured = _measure(argv, environ, target)
            if number >= 0:
                runs[title].append(measured)
    here, python = real.environment(), ".".join(map(str, sys.version_info[:3]))
    print(
        f"\nsnapshot restore / etcdutl {here.releases['3.7']} ({here.go}), {name}, {path.stat().st_size // 10**6} MB, "
        f"{ROUNDS} rounds, Python {python}, {here.cpus} x {here.cpu}"
    )
    limit = MEMORY_BASE + MEMORY_PER_REVISION * _revisions_of(path)
    for title, target_ratio in TARGETS[name].items():
        print(_line(title, runs[title], runs["etcdutl"], target_ratio, limit))
    assert max(middle(runs[title]).rss_anon_max for title in TARGETS[name]) <= limit


def _measure(argv: list[str | Path], environ: Mapping[str, str], target: Path) -> Measured:
    shutil.rmtree(target, ignore_errors=True)
    measured = measure(argv, environ)  # syncs the disk first
    assert (target / "member/snap/db").stat().st_size > 0
    return measured


def _revisions_of(path: Path) -> int:
    with open_database(path) as database:
        return len(History.read(database.image))


def _line(title: str, ours: list[Measured], theirs: list[Measured], target: float, limit: int) -> str:
    mine, peer = middle(ours), middle(theirs)
    return (
        f"{title}: wall {mine.seconds:.2f} s / {peer.seconds:.2f} s = {mine.seconds / peer.seconds:.2f} "
        f"(target <= {target}; {_spread(ours)} / {_spread(theirs)} s), RssAnon {mine.rss_anon_max // 10**6} MB "
        f"(limit {limit // 10**6}; theirs {peer.rss_anon_max // 10**6})"
    )


def _spread(runs: list[Measured]) -> str:
    seconds = [run.seconds for run in runs]
    return f"{min(seconds):.2f}-{max(seconds):.2f}"
