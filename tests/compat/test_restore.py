"""Our restored data dirs beside those of the real tools: byte for byte, and served by real servers.

The allowed differences are frozen in `differences`: 3.6 and 3.7 number members in the v2 store in random order.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import real, restored, samples
from support.booted import served
from support.cli import invoke
from support.ports import Port
from support.servers import Cluster, Server

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("3.4", "3.5", "3.6", "3.7")
THREE = "a=http://127.0.0.1:2380,b=http://127.0.0.2:2380,b=http://127.0.0.1:2381,c=http://127.0.0.1:2382"
WORDS = {
    "alone": (),
    "b of three": (
        *("--name", "b", "--initial-cluster", THREE),
        *("--initial-advertise-peer-urls", "http://127.0.0.2:2380,http://127.0.0.1:2381"),
    ),
    "token": ("--initial-cluster-token", "другой"),
}
BUMP = ("--bump-revision", "1000000000", "--mark-compacted")
VERIFIED = {"ETCD_VERIFY": "all"}


def ours(snapshot: Path, target: Path, *words: object) -> None:
    done = invoke("snapshot", "restore", snapshot, "--data-dir", target, *words)
    assert done.exit_code == 0, done.stderr


def theirs(version: str, snapshot: Path, target: Path, *words: str) -> None:
    tool, env = ("etcdctl", {"ETCDCTL_API": "3"}) if version == "3.4" else ("etcdutl", VERIFIED)
    real.run(
        real.program(tool, version),
        "snapshot",
        "restore",
        snapshot,
        f"--data-dir={target}",
        *words,
        env=env,
        check=True,
    )


def without_order(store: Any) -> Any:
    """Give a v2 store with all indices of nodes and events taken out, and its events in the order of their keys."""
    store = json.loads(json.dumps(store))
    queue = store["WatcherHub"]["EventHistory"]["Queue"]
    events = [event for event in queue["Events"] if event is not None]
    for event in events:
        assert event["node"].pop("createdIndex") == event["node"].pop("modifiedIndex")
    queue["Events"] = sorted(events, key=lambda event: str(event["node"]["key"]))
    pending = [store["Root"]]
    while pending:
        node = pending.pop()
        assert node.pop("CreatedIndex") == node.pop("ModifiedIndex")
        pending += (node["Children"] or {}).values()
    return store


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_field_is_what_the_real_tool_writes(version: str, words: tuple[str, ...], tmp_path: Path) -> None:
    snapshot = samples.unpack("v3/3.5/snapshot.db.gz")
    theirs(version, snapshot, tmp_path / "theirs", *words)
    ours(snapshot, tmp_path / "ours", "--for-version", version, *words)
    mine, other = tmp_path / "ours", tmp_path / "theirs"
    assert restored.log(mine) == restored.log(other)
    assert restored.modes(mine).keys() == restored.modes(other).keys()
    (name, data, store), (other_name, other_data, other_store) = restored.snapshot(mine), restored.snapshot(other)
    assert (name, without_order(store)) == (other_name, without_order(other_store))
    if version in ("3.4", "3.5") or words != WORDS["b of three"]:
        assert data == other_data
    found, wanted = restored.buckets(mine), restored.buckets(other)
    if version == "3.4":
        # etcdctl 3.4 leaves the old members in the database, and knows nothing of term and confState
        assert set(wanted["meta"]) - set(found["meta"]) == {b"term", b"confState"}
        assert found["cluster"] == {b"clusterVersion": b"3.4.0"}
        for changed in ("members", "meta", "cluster"):
            del found[changed], wanted[changed]
    assert found == wanted


@pytest.mark.parametrize("version", ["3.5", "3.6", "3.7"])
def test_a_bumped_one_is_bumped_as_theirs(version: str, tmp_path: Path) -> None:
    snapshot = samples.unpack("v3/3.5/snapshot.db.gz")
    theirs(version, snapshot, tmp_path / "theirs", *BUMP)
    ours(snapshot, tmp_path / "ours", "--for-version", version, *BUMP)
    assert restored.buckets(tmp_path / "ours") == restored.buckets(tmp_path / "theirs")


@pytest.mark.parametrize("source", ["v3/3.5/snapshot.db.gz", "v3-edge/3.6/empty.db.gz", "k8s/3.6/snapshot.db.gz"])
def test_real_bbolt_finds_nothing(source: str, tmp_path: Path) -> None:
    if not samples.packed(source).exists():
        source = "v3-extra/3.6/empty.db.gz"
    ours(samples.unpack(source), tmp_path / "ours", *BUMP)
    done = real.run(real.bbolt(), "check", tmp_path / "ours" / restored.DB)
    assert (done.returncode, done.stdout) == (0, "OK\n")


@pytest.mark.parametrize(
    ("source", "version"),
    [("3.4", "3.4"), ("3.5", "3.5"), ("3.6", "3.6"), ("3.7", "3.7"), ("3.7", "3.4"), ("3.7", "3.5"), ("3.7", "3.6")],
)
def test_a_server_serves_what_it_serves_of_theirs(source: str, version: str, tmp_path: Path) -> None:
    snapshot = samples.unpack(f"v3/{source}/snapshot.db.gz")
    answers = []
    # of a later snapshot the real tool makes a data dir that the server refuses
    for name in ("ours", "theirs") if source == version else ("ours",):
        peer = Port()
        url = f"http://127.0.0.1:{peer.number}"
        words = ("--initial-cluster", f"default={url}", "--initial-advertise-peer-urls", url)
        if name == "ours":
            ours(snapshot, tmp_path / name, "--for-version", version, *words)
        else:
            theirs(version, snapshot, tmp_path / name, *words)
        with Server(version, tmp_path / name, peer_port=peer) as server:
            answers.append(served(server))
    assert answers[0] == answers[-1]
    wanted = samples.load(f"v3/{source}/range-latest.json.gz")
    assert len(answers[0]["kvs"]) == int(wanted["count"])


@pytest.mark.parametrize("version", VERSIONS)
def test_three_members_agree(version: str, tmp_path: Path) -> None:
    snapshot = samples.unpack("v3/3.4/snapshot.db.gz")
    cluster = Cluster(version, tmp_path, 3)
    for member in cluster.members:
        words = ("--name", member.name, "--initial-cluster", member.initial_cluster)
        url = ("--initial-advertise-peer-urls", member.peer_url)
        ours(snapshot, member.data_dir, *words, *url, "--for-version", version, *BUMP)
    with cluster:
        user = ("--user", "root:rootpw")
        first = cluster.members[0]
        listed = first.etcdctl_json("member", "list", *user)["members"]
        assert sorted(one["name"] for one in listed) == ["m1", "m2", "m3"]
        first.etcdctl("put", "/written/after", "the restore", *user)
        for member in cluster.members:
            answer = member.etcdctl_json("get", "/written/after", *user)
            assert answer["kvs"][0]["mod_revision"] > 1_000_000_000
        hashes = [member.etcdctl_json("endpoint", "hashkv", *user)[0]["HashKV"]["hash"] for member in cluster.members]
        assert len(set(hashes)) == 1
        told = first.etcdctl("get", "", "--from-key", "--rev=1000", *user, check=False)
        assert "required revision has been compacted" in told.stderr


@pytest.mark.parametrize("version", ["3.5", "3.6", "3.7"])
def test_data_of_another_form_boot_on_later_versions(version: str, tmp_path: Path) -> None:
    # written as 3.4 does, without ConfState in the log, and started by a later server at once
    peer = Port()
    url = f"http://127.0.0.1:{peer.number}"
    words = ("--initial-cluster", f"default={url}", "--initial-advertise-peer-urls", url, "--for-version", "3.4")
    ours(samples.unpack("v3/3.4/snapshot.db.gz"), tmp_path / "ours", *words)
    with Server(version, tmp_path / "ours", peer_port=peer) as server:
        served(server)
        server.kill()
        server.start()


@pytest.mark.parametrize("version", ["3.5", "3.6", "3.7"])
def test_the_servers_own_checks_pass(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Port()
    url = f"http://127.0.0.1:{peer.number}"
    words = ("--initial-cluster", f"default={url}", "--initial-advertise-peer-urls", url)
    ours(samples.unpack(f"v3/{version}/snapshot.db.gz"), tmp_path / "ours", *words)
    real_environ = real.run.__globals__["environ"]
    monkeypatch.setitem(real.run.__globals__, "environ", lambda extra=None: real_environ(extra) | VERIFIED)
    with Server(version, tmp_path / "ours", peer_port=peer) as server:
        served(server)
        assert server.stop() in (0, -15)
        assert "panic" not in server.log
        server.start()
