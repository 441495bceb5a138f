"""get of one key beside what it takes to ask a server (restore by etcdutl 3.7, start etcd, ask), and by an index."""

from __future__ import annotations

import gc
import json
import math
import os
import shutil
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from bench.make_v3_data import snapshot
from bench.side_by_side import drop_from_page_cache, etcdtool, in_turn, line, machine
from support import cli, real
from support.measure import Measured

from etcdtool.sources.index_place import index_files

if TYPE_CHECKING:
    from pathlib import Path

KEY = "/registry/things/namespace-015/thing-00000015"
TARGET = 0.15  # wall time of ours to theirs


def asked_of_a_server(path: Path, folder: Path) -> tuple[Measured, str]:
    """Restore, start and ask; gives how long that took, and what etcdctl printed."""
    shutil.rmtree(folder, ignore_errors=True)
    started = time.perf_counter()
    real.restore("3.7", path, folder)
    with real.Server("3.7", folder) as server:
        answer = server.etcdctl("get", KEY).stdout
        return Measured(time.perf_counter() - started, 0), answer


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_one_key_against_a_server(tmp_path: Path) -> None:
    path = snapshot("small")
    _, answer = asked_of_a_server(path, tmp_path / "data")
    assert cli.invoke("get", path, KEY).stdout == answer
    assert answer
    ours, theirs = in_turn(
        partial(etcdtool, "get", path, KEY, "--no-index"),
        lambda: asked_of_a_server(path, tmp_path / "data")[0],
        warm=False,
    )
    print(
        f"\nget / etcdutl snapshot restore + etcd + etcdctl get, {machine('3.7')}\n"
        f"{line('one key', ours, theirs, wall_max=TARGET, path=path)}"
    )


@pytest.mark.bench
@pytest.mark.timeout(600)
def test_one_key_by_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDTOOL_CACHE_DIR", str(tmp_path))
    path = snapshot("small")
    built = etcdtool("index", "build", path)
    (index,) = index_files(path)
    ask = partial(etcdtool, "get", path, KEY, "--index")
    by_index, by_scan = in_turn(ask, partial(etcdtool, "get", path, KEY, "--no-index"), rounds=9)
    (said,) = json.loads(cli.invoke("index", "list", "-w", "json").stdout)
    revisions = said["revisions"]
    gc.collect()  # a map of the file would keep it in memory
    for file in (path, index):
        drop_from_page_cache(file)
    pages = pages_read([sys.executable, "-m", "etcdtool", "get", str(path), KEY, "--index"])
    print(
        f"\nget by an index of {index.stat().st_size / 10**6:.0f} MB, made in {built.seconds:.1f} s\n"
        f"one key: wall {by_index.seconds:.3f} s (target <= 0.15), {by_scan.seconds:.2f} s by a scan; "
        f"{pages} pages read from disk, {revisions:,} revisions"
    )
    assert 0 < pages <= 4 * math.log2(revisions)


def pages_read(argv: list[str]) -> int:
    """Give how many pages of 4 KiB a command has the system read from disk."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_inblock * 512 // 4096
