"""From a running server over ``snapshot save`` to a restored one: the way of a backup, and the clients that watched.

The ground of etcd's own end-to-end tests of snapshots, with their questions: does status leave the file restorable, is
a corrupt file refused, does everybody who knows old revisions learn that they are gone, does a member that joins later
have all, is what is written afterwards still there after a crash.
"""

from __future__ import annotations

import base64
import http.client
import json
import select
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from support import real, restored, samples
from support.booted import hashes_at
from support.cli import invoke
from support.ports import Port
from support.servers import Cluster, Server

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("3.7", *(pytest.param(version, marks=pytest.mark.full) for version in ("3.4", "3.5", "3.6")))
KEYS = {f"foo{number}": f"val{number}" for number in range(1, 4)}
LOST = {f"unsaved{number}": "lost" for number in range(1, 4)}
FIRST, LATEST = 2, 4
BUMP = 10_000
NOBODY: tuple[str, ...] = ()


def put_all(server: Server, pairs: dict[str, str], *words: str) -> None:
    for key, value in pairs.items():
        server.etcdctl("put", key, value, *words)


def save(server: Server, folder: Path) -> Path:
    server.etcdctl("snapshot", "save", folder / "saved.db")
    return folder / "saved.db"


def restore(server: Server, source: Path, data_dir: Path, *words: object) -> None:
    done = invoke(
        *("snapshot", "restore", source, "--data-dir", data_dir, "--for-version", server.version),
        *("--name", server.name, "--initial-cluster", f"{server.name}={server.peer_url}"),
        *("--initial-advertise-peer-urls", server.peer_url, *words),
    )
    assert (done.exit_code, done.stdout) == (0, ""), done.stderr
    assert "\tadded member\t" in done.stderr


def hold_keys(server: Server) -> None:
    """Hold that the saved keys are there as they were, and what was written later is not."""
    for number, (key, value) in enumerate(KEYS.items()):
        (kv,) = server.etcdctl_json("get", key)["kvs"]
        assert (kv["create_revision"], kv["mod_revision"], kv["version"]) == (FIRST + number, FIRST + number, 1)
        assert server.etcdctl("get", key, "--print-value-only").stdout == f"{value}\n"
    for key in LOST:
        assert "kvs" not in server.etcdctl_json("get", key)


@pytest.mark.parametrize("version", VERSIONS)
def test_saved_asked_restored_and_served(version: str, tmp_path: Path) -> None:
    with Server(version, tmp_path / "old") as server:
        put_all(server, KEYS)
        lease = server.etcdctl_json("lease", "grant", "300")["ID"]
        server.etcdctl("put", "leased", "by it", f"--lease={lease:x}")
        source = save(server, tmp_path)
        put_all(server, LOST)
        server.stop()
        before = samples.sha256(source)
        told = json.loads(invoke("snapshot", "status", source, "-w", "json").stdout)
        etcdutl = real.program("etcdutl", "3.7")
        theirs = real.run(
            etcdutl, "snapshot", "status", shutil.copy(source, tmp_path / "copy"), "-w", "json", check=True
        )
        assert told == json.loads(theirs.stdout)
        assert (told["revision"], told["totalKey"]) == (LATEST + 1, len(KEYS) + 1)
        assert samples.sha256(source) == before, "status leaves the file as it is"
        restore(server, source, tmp_path / "new")
        assert samples.sha256(source) == before
        server.data_dir = tmp_path / "new"
        server.start()
        hold_keys(server)
        assert server.etcdctl_json("lease", "timetolive", f"{lease:x}", "--keys")["keys"] == ["bGVhc2Vk"]
        server.etcdctl("lease", "revoke", f"{lease:x}")
        assert "kvs" not in server.etcdctl_json("get", "leased")


def test_a_corrupt_one_is_refused_as_by_the_real_tool(tmp_path: Path) -> None:
    with Server("3.7", tmp_path / "old") as server:
        put_all(server, KEYS)
        source = save(server, tmp_path)
    with source.open("r+b") as file:
        file.write(bytes(512))
    done = invoke("snapshot", "restore", source, "--data-dir", tmp_path / "ours")
    etcdutl = real.program("etcdutl", "3.7")
    theirs = real.run(etcdutl, "snapshot", "restore", source, f"--data-dir={tmp_path / 'theirs'}")
    wanted = theirs.stderr.splitlines()[-1]
    assert wanted.startswith("Error: expected sha256 [")
    assert done.exit_code == theirs.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(wanted)
    assert not (tmp_path / "ours").exists()
    assert list(tmp_path.glob(".*")) == []


class Watch:
    """A watch of a key's prefix over the JSON gateway, from a revision on."""

    def __init__(self, server: Server, prefix: str, revision: int) -> None:
        address = urlsplit(server.client_url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        wanted = {"key": base64_of(prefix), "range_end": base64_of(end), "start_revision": revision}
        self._connection.request("POST", "/v3/watch", json.dumps({"create_request": wanted}))
        self._response = self._connection.getresponse()
        assert self.next().get("created")

    def next(self) -> dict[str, Any]:
        """Give the next answer."""
        return dict(json.loads(self._response.readline())["result"])

    def close(self) -> None:
        self._connection.close()


def base64_of(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("version", VERSIONS)
def test_whoever_knows_old_revisions_learns_that_they_are_gone(version: str, tmp_path: Path) -> None:
    with Server(version, tmp_path / "old") as server:
        # a client as informers are: it watches over the restart, and goes on from what it saw last
        watching = subprocess.Popen(
            [real.program("etcdctl", version), f"--endpoints={server.client_url}", "watch", "foo", "--prefix"],
            env={"ETCDCTL_API": "3"} if version in ("3.4", "3.5") else {},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        assert watching.stdout is not None
        put_until_seen(server, watching)
        latest = server.etcdctl_json("get", "foo1")["header"]["revision"]
        source = save(server, tmp_path)
        put_all(server, LOST)
        server.stop()
        restore(server, source, tmp_path / "new", "--bump-revision", BUMP, "--mark-compacted")
        bumped = latest + BUMP
        server.data_dir = tmp_path / "new"
        server.start()
        answer = server.etcdctl_json("get", "foo", "--prefix")
        # what it lists anew has the old revisions of keys, and the new one of the store, from which it may go on
        assert answer["header"]["revision"] == bumped
        assert [kv["mod_revision"] for kv in answer["kvs"]] == list(range(latest - len(KEYS) + 1, latest + 1))
        for key in LOST:
            assert "kvs" not in server.etcdctl_json("get", key)
        out, err = watching.communicate(timeout=30)
        assert "compacted" in out + err
        for revision in (1, latest, latest + 1, latest + len(LOST), bumped - 1):
            watch = Watch(server, "foo", revision)
            told = watch.next()
            watch.close()
            assert (told["canceled"], int(told["compact_revision"])) == (True, bumped)
            old = server.etcdctl("get", "foo1", f"--rev={revision}", check=False)
            assert "required revision has been compacted" in old.stderr
        watch = Watch(server, "foo", bumped + 1)
        server.etcdctl("put", "foo4", "val4")
        (event,) = watch.next()["events"]
        watch.close()
        assert (event["kv"]["key"], int(event["kv"]["mod_revision"])) == (base64_of("foo4"), bumped + 1)


def put_until_seen(server: Server, watching: subprocess.Popen[str]) -> None:
    """Write the keys; a watch that has begun meanwhile saw the last of them."""
    for _ in range(100):
        put_all(server, KEYS)
        if select.select([watching.stdout], [], [], 0.1)[0]:
            put_all(server, KEYS)
            return
    raise AssertionError("the watch never began")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_member_that_joins_has_all_of_it(version: str, tmp_path: Path) -> None:
    with Server(version, tmp_path / "old", name="infra1") as server:
        put_all(server, KEYS)
        source = save(server, tmp_path)
        server.stop()
        restore(server, source, tmp_path / "new")
        server.data_dir = tmp_path / "new"
        server.start()
        hold_keys(server)
        peer = Port()
        url = f"http://127.0.0.1:{peer.number}"
        server.add_member("infra2", url)
        everyone = f"infra1={server.peer_url},infra2={url}"
        flags = ("--initial-cluster-state=existing",)
        second = Server(version, tmp_path / "2", *flags, name="infra2", initial_cluster=everyone, peer_port=peer)
        with second:
            hold_keys(second)
            assert len(hashes_at([server, second], user=NOBODY)) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_the_database_of_a_member_that_was_removed(version: str, tmp_path: Path) -> None:
    with Cluster(version, tmp_path, 3) as cluster:
        first, _, third = cluster.members
        put_all(first, KEYS)
        third.etcdctl("get", "foo1")  # it has all of them
        members = first.etcdctl_json("member", "list")["members"]
        (removed,) = [one["ID"] for one in members if one["name"] == "m3"]
        deadline = time.monotonic() + 20
        while first.etcdctl("member", "remove", f"{removed:x}", check=False).returncode != 0:
            assert time.monotonic() < deadline, "the cluster never became healthy enough"
            time.sleep(0.5)
        cluster.kill()
    source = shutil.copy(third.data_dir / "member/snap/db", tmp_path / "copied.db")
    before = samples.sha256(source)
    server = Server(version, tmp_path / "new")
    restore(server, source, server.data_dir, "--skip-hash-check")
    assert restored.buckets(server.data_dir)["members_removed"] == {}
    with server:
        hold_keys(server)
        (member,) = server.etcdctl_json("member", "list")["members"]
        assert member["ID"] != removed
    assert samples.sha256(source) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_written_after_a_restore_outlives_a_crash(version: str, tmp_path: Path) -> None:
    """The old cluster's index in the database would have the server pass over everything in its new log."""
    with Server(version, tmp_path / "old") as server:
        put_all(server, KEYS)
        for number in range(50):
            server.etcdctl("put", "much", f"written {number}")
        source = save(server, tmp_path)
        old_index = index_of(source)
        server.stop()
        restore(server, source, tmp_path / "new")
        assert index_of(tmp_path / "new") == 1 < old_index
        server.data_dir = tmp_path / "new"
        server.start()
        put_all(server, {"after": "the restore"})
        server.kill()
        server.start()
        assert server.etcdctl("get", "after", "--print-value-only").stdout == "the restore\n"
        server.stop()
    assert 1 < index_of(tmp_path / "new") < old_index
    assert invoke("verify", tmp_path / "new").exit_code == 0


def index_of(place: Path) -> int:
    return int.from_bytes(restored.buckets(place)["meta"][b"consistent_index"], "big")


@pytest.mark.parametrize("version", ["3.7"])
def test_a_database_older_than_the_snap_file_is_named_before_a_server_stops_at_it(version: str, tmp_path: Path) -> None:
    with Server(version, tmp_path / "data", "--snapshot-count=50") as server:
        put_all(server, KEYS)
        server.stop()
        old = shutil.copy(tmp_path / "data/member/snap/db", tmp_path / "old.db")
        server.start()
        for number in range(60):
            server.etcdctl("put", "much", f"written {number}")
        server.stop()
        assert invoke("verify", tmp_path / "data").exit_code == 0
        shutil.copy(old, tmp_path / "data/member/snap/db")
        done = invoke("verify", tmp_path / "data")
        assert done.exit_code != 0
        assert "datadir.index-behind-snap" in done.stdout
        with pytest.raises(AssertionError, match="failed to find database snapshot file"):
            server.start()
