"""get of one key beside what it takes to ask a server: restore by etcdutl 3.7, start etcd, ask with etcdctl."""

from __future__ import annotations

import shutil
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest
from bench.make_v3_data import snapshot
from bench.side_by_side import etcdtool, in_turn, line, machine
from support import cli, real
from support.measure import Measured

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
        partial(etcdtool, "get", path, KEY), lambda: asked_of_a_server(path, tmp_path / "data")[0], warm=False
    )
    print(
        f"\nget / etcdutl snapshot restore + etcd + etcdctl get, {machine('3.7')}\n"
        f"{line('one key', ours, theirs, wall_max=TARGET, path=path)}"
    )
