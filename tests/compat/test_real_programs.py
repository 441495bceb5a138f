"""The real programs are the ones named; the suite's servers start, stop, die, refuse and leave nothing behind."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import real, samples
from support.programs import PACKAGES

V2 = "--enable-v2=true"


@pytest.mark.parametrize("version", real.versions())
def test_programs_say_the_pinned_release(version: str) -> None:
    for name in PACKAGES[version]:
        words = ["--version"] if name == "etcd" else ["version"]
        done = real.run(real.program(name, version), *words, env={"ETCDCTL_API": "3"} if version == "3.4" else None)
        assert real.RELEASES[version] in done.stdout, done


def test_bbolt_is_the_pinned_release() -> None:
    # what the tool itself says lags behind: 1.4.0-alpha.0
    assert f"go.etcd.io/bbolt\tv{real.RELEASES['bbolt']}".encode() in real.bbolt().read_bytes()


@pytest.mark.parametrize("version", real.versions())
def test_data_outlive_stop_and_kill(version: str, tmp_path: Path) -> None:
    with real.Server(version, tmp_path / "data") as server:
        server.etcdctl("put", "/a", "ä")
        assert server.health()["health"] == "true"
        assert server.stop() == -signal.SIGTERM
        server.start()
        server.etcdctl("put", "/b", "2")
        assert server.kill() == -signal.SIGKILL
        server.start()
        kvs = server.etcdctl_json("get", "/", "--prefix")["kvs"]
        assert [base64.b64decode(kv["value"]).decode() for kv in kvs] == ["ä", "2"]
        snapshot = tmp_path / "snapshot.db"
        server.etcdctl("snapshot", "save", snapshot)
    assert real.run(real.bbolt(), "check", snapshot).stdout == "OK\n"
    real.restore(version, snapshot, tmp_path / "restored")
    with real.Server(version, tmp_path / "restored") as server:
        assert server.etcdctl("get", "/a", "--print-value-only").stdout == "ä\n"


@pytest.mark.parametrize("version", ["3.4", "3.5"])
def test_v2_is_asked_and_answers(version: str, tmp_path: Path) -> None:
    with real.Server(version, tmp_path / "data", V2) as server:
        status, headers, body = server.v2("PUT", "/ключ/a b?", form={"value": b"1", "ttl": "600"})
        assert (status, body["node"]["key"], body["node"]["value"]) == (201, "/ключ/a b?", "1")
        index = body["node"]["modifiedIndex"]
        assert int(headers["x-etcd-index"]) == index
        status, _, body = server.v2("DELETE", "/ключ/a b?", params={"prevIndex": str(index)})
        assert (status, body["action"]) == (200, "compareAndDelete")
        assert server.v2("GET", "/ключ/a b?")[0] == 404
        assert server.etcdctl("ls", "-p", "/", api="2").stdout == "/ключ/\n"


def test_an_old_data_dir_is_served_by_our_3_4(tmp_path: Path) -> None:
    recorded = samples.expected("v2-only-wal/3.4")["live"]["keys"]["response"]["node"]
    data_dir = samples.fresh("v2-only-wal/3.4/data.tar.gz", tmp_path)
    with real.Server("3.4", data_dir, V2) as server:
        served = server.v2("GET", "/", {"recursive": "true", "sorted": "true", "quorum": "true"})[2]["node"]
    assert _plain(served) == _plain(recorded)


def test_members_of_a_cluster_agree(tmp_path: Path) -> None:
    with real.Cluster("3.6", tmp_path, 3) as cluster:
        first, second, third = cluster.members
        first.etcdctl("put", "/a", "1")
        third.kill()
        assert second.etcdctl("get", "/a", "--print-value-only").stdout == "1\n"
        third.start()
        assert third.etcdctl("get", "/a", "--print-value-only").stdout == "1\n"
        ids = {member["ID"] for member in first.etcdctl_json("member", "list")["members"]}
        assert len(ids) == 3
        pids = {member.pid for member in cluster.members}
        assert len(pids) == 3


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    server = real.Server("3.7", tmp_path / "data", "--no-such-flag")
    with pytest.raises(real.ServerError, match="flag provided but not defined: -no-such-flag"):
        server.start()
    server.close()


def test_a_port_taken_in_between_is_given_up(tmp_path: Path) -> None:
    with real.Server("3.6", tmp_path / "one") as one:
        two = real.Server("3.6", tmp_path / "two")
        two._client_port.release()
        two._client_port.number = one._client_port.number
        with two:
            assert two.client_url != one.client_url
            assert two.etcdctl_json("endpoint", "health")[0]["health"] is True


def test_a_failing_tool_shows_its_words(tmp_path: Path) -> None:
    (tmp_path / "no.db").write_bytes(b"no database")
    with pytest.raises(real.ProgramError, match=r"no\.db"):
        real.restore("3.6", tmp_path / "no.db", tmp_path / "data")


def test_servers_die_with_their_process(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from support import real\n"
        f"server = real.Server('3.6', Path({str(tmp_path / 'data')!r})); server.start()\n"
        "print(server.pid, flush=True); time.sleep(60)"
    )
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", program], env=environ, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        server_pid = int(process.stdout.readline())
        process.kill()
    deadline = time.monotonic() + 10
    while _runs(server_pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(server_pid)


def _plain(node: dict[str, object]) -> dict[str, object]:
    """Take out what counts down with the clock."""
    children = node.get("nodes", [])
    assert isinstance(children, list)
    return {name: value for name, value in node.items() if name not in {"ttl", "nodes"}} | {
        "nodes": [_plain(child) for child in children]
    }


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
