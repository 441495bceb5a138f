"""``verify --live`` beside a real server that is written to all the time."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from support import processes, samples
from support.servers import Server

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path


def etcdtool(*words: object) -> subprocess.CompletedProcess[str]:
    """Run it as a process of its own: a lock of this one must not be what is tested."""
    return processes.run(sys.executable, "-m", "etcdtool", *map(str, words), check=False)


class Writer(threading.Thread):
    """Puts keys as fast as the server takes them."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.count = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            body = json.dumps({"key": "L2xpdmU=", "value": "eHh4eHh4eHg="})
            status, _, _ = self.server.http("POST", "/v3/kv/put", body)
            self.count += status == 200


@pytest.mark.parametrize("version", ["3.5", "3.7"])
def test_a_server_that_takes_writes(version: str, tmp_path: Path) -> None:
    root = tmp_path / "live.etcd"
    with Server(version, root, "--snapshot-count=200") as server:
        writer = Writer(server)
        writer.start()
        try:
            refused = etcdtool("verify", root)
            found = []
            for source in (root, root / "member/snap/db"):
                before = writer.count
                found.append(etcdtool("verify", source, "--live", "-w", "json"))
                assert writer.count > before, "nothing was written meanwhile"
        finally:
            writer.stopping.set()
            writer.join()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "is locked by" in refused.stderr
    assert "--live" in refused.stderr
    kinds = []
    for done in found:
        assert done.returncode == 0, done.stdout + done.stderr
        (result,) = json.loads(done.stdout)["results"]
        assert [finding for finding in result["findings"] if finding["severity"] != "note"] == []
        kinds.append(result["kind"])
    assert kinds == ["data dir of a running server", "copy of the database of a running server"]
    before = samples.hashes(root)
    stopped = etcdtool("verify", root, "-w", "json")
    assert (stopped.returncode, json.loads(stopped.stdout)["results"][0]["kind"]) == (0, "data dir")
    assert samples.hashes(root) == before


@pytest.mark.parametrize("version", ["3.4", "3.5", "3.6", "3.7"])
def test_a_server_that_rests_and_is_killed(version: str, tmp_path: Path) -> None:
    """That its last entry is committed stands in no file: from 3.6 on it comes with the next one."""
    root = tmp_path / "idle.etcd"
    with Server(version, root) as server:
        server.etcdctl("put", "a", "b")
        server.etcdctl("snapshot", "save", tmp_path / "s.db")  # so that the database is written
        live = etcdtool("verify", root, "--live", "-w", "json")
        server.kill()
    killed = etcdtool("verify", root, "-w", "json")
    codes = []
    for done in (live, killed):
        (result,) = json.loads(done.stdout)["results"]
        assert (done.returncode, result["counts"]["error"], result["counts"]["warning"]) == (0, 0, 0), result
        codes.append({finding["code"] for finding in result["findings"]})
    assert codes == [set(), {"datadir.index-beyond-commit"} if version >= "3.6" else set()]
