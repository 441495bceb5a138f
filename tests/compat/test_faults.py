"""Reading beside a running server, and damaged data dirs tried on a real server of today."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import pytest
from support import faults, samples
from support.servers import Server, ServerError
from support.v2_answers import flatten

from etcdtool.operations.read_v2 import ReadOptions, read_v2
from etcdtool.operations.verify_log import LogCheck
from etcdtool.operations.wal_dump import dump_entries
from etcdtool.operations.wal_source import open_log
from etcdtool.sources import locate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENABLE_V2 = "--enable-v2=true"


def etcdtool(*words: object) -> subprocess.CompletedProcess[str]:
    """Run it as a process of its own: a map or a lock of this one must not be what is tested."""
    argv = [sys.executable, "-m", "etcdtool", *map(str, words)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def exported(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    return {node["key"]: node for node in map(json.loads, done.stdout.splitlines())}


def served(server: Server) -> dict[str, Any]:
    status, _, answer = server.v2("GET", "/", {"recursive": "true", "quorum": "true"})
    assert status == 200
    return flatten(answer["node"])


class Writer(threading.Thread):
    """A client that writes all the time, and knows what was acknowledged."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.acknowledged: dict[str, str] = {}
        self.attempted = ("", "")
        self.failures: list[str] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        count = 0
        while not self._stopping.is_set():
            key, value = f"/live/{count % 50}", f"value {count}"
            self.attempted = key, value
            try:
                status, _, answer = self.server.v2("PUT", key, form={"value": value})
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                return
            if status in (200, 201):
                self.acknowledged[key] = value
            else:
                self.failures.append(f"{status} {answer}")
            count += 1

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self.join()


@pytest.fixture(params=["3.4", "3.5"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with Server(request.param, tmp_path / "etcd", ENABLE_V2, "--snapshot-count=100") as running:
        for number in range(20):
            assert running.v2("PUT", f"/before/{number}", form={"value": f"v{number}"})[0] == 201
        yield running


def test_beside_a_running_server(server: Server, tmp_path: Path) -> None:
    """It works while .snap files and WAL grow under it, says so, and the server does not notice."""
    with Writer(server) as writer:
        runs = [
            etcdtool(*command)
            for _ in range(3)
            for command in (
                ("v2", "export", server.data_dir),
                ("v2", "status", server.data_dir),
                ("convert", server.data_dir, "-o", tmp_path / "out.db"),
            )
            if not ((tmp_path / "out.db").exists() and (tmp_path / "out.db").unlink())
        ]
    assert not writer.failures
    assert len(writer.acknowledged) == 50
    for done in runs:
        assert done.returncode == 0, done.stderr
        assert "v2.in-use" in done.stdout + done.stderr
        assert "is locked by" in done.stdout + done.stderr
    for done in runs[::3]:
        nodes = exported(done)
        assert {f"/before/{number}" for number in range(20)} <= set(nodes)
    assert etcdtool("snapshot", "verify", tmp_path / "out.db").returncode == 0
    # it still takes writes, and what it serves is what is read once it has stopped
    assert server.v2("PUT", "/after", form={"value": "still here"})[0] == 201
    answers = served(server)
    nodes = exported(etcdtool("v2", "export", server.data_dir))
    assert {path: node.get("value") for path, node in nodes.items() if not node.get("dir")} == {
        path: node.value for path, node in answers.items() if not node.is_directory
    }
    server.stop()
    done = etcdtool("v2", "export", server.data_dir)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(exported(done)) == set(answers)
    before = samples.hashes(server.data_dir)
    for command in (("v2", "status"), ("v2", "members"), ("convert", "--dry-run")):
        assert etcdtool(*command, server.data_dir).returncode == 0
    assert samples.hashes(server.data_dir) == before
    server.start()
    assert served(server).keys() == answers.keys()
    for key, value in writer.acknowledged.items():
        assert server.v2("GET", key)[2]["node"]["value"] == value


def test_reading_while_clients_write_as_fast_as_they_can(server: Server, request: pytest.FixtureRequest) -> None:
    """What was read of a write, or of a file that was just made or deleted, is never taken for damage."""
    stopping = threading.Event()

    def write(client: int) -> None:
        sizes = random.Random(client)
        while not stopping.is_set():
            value = "x" * sizes.choice((3, 100, 900, 4000, 9000))
            server.v2("PUT", f"/live/{client}/{sizes.randrange(50)}", form={"value": value})

    with ThreadPoolExecutor() as clients:
        writers = [clients.submit(write, client) for client in range(3)]
        try:
            until = time.monotonic() + (60 if request.config.getoption("--full") else 5)
            while time.monotonic() < until:
                with read_v2([server.data_dir], ReadOptions()) as read:
                    assert read.store.find("/1/before/0") is not None
                parts = locate(server.data_dir)
                assert parts is not None
                check = LogCheck(parts=parts, in_use=True)
                check.read()
                assert {finding.code for finding in check.findings} <= {"snap.not-in-log"}  # written before its record
                with open_log(server.data_dir) as log:
                    assert log.in_use
                    assert dump_entries(log.segments).damage == []
        finally:
            stopping.set()
        for writer in writers:
            writer.result()


def test_a_server_killed_in_the_middle_of_writing(server: Server) -> None:
    with Writer(server) as writer:
        while len(writer.acknowledged) < 50:
            time.sleep(0.01)
        server.kill()
        writer.join()
    done = etcdtool("v2", "export", server.data_dir)
    assert done.returncode == 0, done.stderr
    nodes = exported(done)
    key, value = writer.attempted  # this one may have got through or not
    for path, acknowledged in writer.acknowledged.items():
        assert nodes[path]["value"] in ({acknowledged, value} if path == key else {acknowledged})


STARTS_TODAY = ["wal-length-tail-1M", "wal-length-tail-zero", "wal-missing", "snap-flip-all", "wal-cut-3"]


@pytest.mark.parametrize("name", STARTS_TODAY)
def test_what_a_server_of_3_4_makes_of_damage_is_still_what_was_recorded(name: str, tmp_path: Path) -> None:
    """The reason to be stricter than etcd: it starts with acknowledged keys lost, and says nothing."""
    recorded = faults.variants()[name]["server"]
    root = faults.variant(name, tmp_path / "in")
    ours = etcdtool("v2", "export", root)
    served_dir = shutil.copytree(root, tmp_path / "served")
    # a started member comes back under its own name, with the peer URLs that it knows
    with Server("3.4", served_dir, ENABLE_V2, "--force-new-cluster", name="g1") as running:
        answers = served(running)
    good = {
        node["key"] for node in exported(etcdtool("v2", "export", samples.unpack("damaged/dirs/good.tar.gz"))).values()
    }
    hidden = {path for path in good if "/_" in path}
    assert sorted(good - hidden - set(answers)) == sorted(set(recorded.get("v2_missing", [])))
    if recorded["v2_missing"] and name != "wal-missing":
        assert ours.returncode == 10
    elif name == "wal-missing":
        assert "v2.no-log" in ours.stderr
        assert set(exported(ours)) > set(answers)
    else:
        assert set(exported(ours)) == good


def test_a_damaged_record_stops_etcd_too(tmp_path: Path) -> None:
    root = faults.variant("wal-flip-middle", tmp_path / "in")
    with pytest.raises(ServerError, match="crc mismatch"), Server("3.4", root, ENABLE_V2, name="g1"):
        pass
    assert etcdtool("v2", "export", root).returncode == 11
