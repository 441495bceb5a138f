"""Our restored data dirs beside those of the real tools: every field, and what a real server makes of them.

All that may differ is frozen here: 3.6 and 3.7 number members in the v2 store in random order (`without_order`), and
3.4 leaves the old members in the database (`take_what_differs_in_3_4`).  No field holds a time.
"""

from __future__ import annotations

import itertools
import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from support import real, restored, samples
from support.booted import served
from support.cli import invoke
from support.ports import Port
from support.servers import Server

from etcdtool.formats import snap

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ("3.4", "3.5", "3.6", "3.7")
THREE = "a=http://127.0.0.1:2380,b=http://127.0.0.2:2380,b=http://127.0.0.1:2381,c=http://127.0.0.1:2382"
BUMP = ("--bump-revision", "1000000000", "--mark-compacted")
WORDS = {
    "alone": (),
    "b of three": (
        *("--name", "b", "--initial-cluster", THREE),
        *("--initial-advertise-peer-urls", "http://127.0.0.2:2380,http://127.0.0.1:2381"),
    ),
    "token": ("--initial-cluster-token", "другой"),
    "bump": BUMP,
    "name and url": (
        *("--name", "eins", "--initial-cluster", "eins=https://[::1]:12380"),
        *("--initial-advertise-peer-urls", "https://[::1]:12380"),
    ),
    "skip-hash-check": ("--skip-hash-check",),
    "wal-dir": ("--wal-dir", "{target}-wal"),
}
"""``{target}`` is the data dir."""
SOURCES = {
    "v3/3.2/snapshot.db.gz": "3.4",
    "v3/3.4/snapshot.db.gz": "3.4",
    "v3/3.5/snapshot.db.gz": "3.5",
    "v3/3.6/snapshot.db.gz": "3.6",
    "v3/3.7/snapshot.db.gz": "3.7",
    "v3-cluster/3.6/snapshot-n1.db.gz": "3.6",
    "v3-edge/3.6/all-deleted-compacted.db.gz": "3.6",
    "v3-edge/3.6/compact-point.db.gz": "3.6",
    "v3-extra/3.6/before-defrag.db.gz": "3.6",
    "v3-extra/3.7/after-defrag.db.gz": "3.7",
    "v3-extra/3.7/empty.db.gz": "3.7",
    "k8s/3.6/snapshot.db.gz": "3.6",
    "v2-migrated/3.3/snapshot.db.gz": "3.4",
    "discovery-v3/snapshot.db.gz": "3.6",
    "v3/3.4/data.tar.gz": "3.4",
    "v3/3.6/data.tar.gz": "3.6",
    "v3-edge/3.6/data.tar.gz": "3.6",
}
"""With the first version whose tool takes it: of a later one's data it makes what its own server refuses."""
VERIFIED = {"ETCD_VERIFY": "all"}


def the_source(name: str, folder: Path) -> Path:
    """Give a file that no tool of a running test shares: some open the database for writing."""
    found = samples.unpack(name)
    is_folder = found.is_dir()
    return shutil.copy(found / "member/snap/db" if is_folder else found, folder / "source.db")


def ours(snapshot: Path, target: Path, *words: object) -> None:
    done = invoke("snapshot", "restore", snapshot, "--data-dir", target, *words)
    assert done.exit_code == 0, done.stderr


def theirs(version: str, snapshot: Path, target: Path, *words: str) -> None:
    # its own check looks for the log in the data dir only
    env = {"ETCDCTL_API": "3"} if version == "3.4" else VERIFIED if "--wal-dir" not in words else {}
    tool = "etcdctl" if version == "3.4" else "etcdutl"
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


def take_what_differs_in_3_4(found: Any, wanted: Any, source: Any) -> None:
    """Etcdctl 3.4 leaves the old members in the database and adds none; its server learns of them from the log."""
    for bucket in ("members", "members_removed"):
        assert wanted.pop(bucket) == source.get(bucket, {})
    assert all(json.loads(member)["peerURLs"] for member in found.pop("members").values())
    assert found.pop("members_removed") == {}


def cases(*, full: bool) -> list[Any]:
    """Give (source, version, option): in the normal suite each source, each version and each option twice or so."""
    every = []
    for (name, first), version, option in itertools.product(SOURCES.items(), VERSIONS, WORDS):
        is_file = name.endswith(".db.gz")
        if version < first or (version == "3.4" and option == "bump"):  # it came with 3.4.27
            continue
        if is_file or option == "skip-hash-check":
            every.append((name, version, option))
    some = [case for number, case in enumerate(every) if number % 9 == 0]
    return some if not full else [case for case in every if case not in some]


def hold_every_field(name: str, version: str, option: str, folder: Path) -> None:
    source = the_source(name, folder)
    before = samples.sha256(source)
    mine, other = folder / "ours", folder / "theirs"
    for target, make in ((mine, ours), (other, theirs)):
        words = [word.format(target=target) for word in WORDS[option]]
        if make is theirs:
            theirs(version, source, target, *words)
        else:
            ours(source, target, *words, "--for-version", version)
    assert samples.sha256(source) == before
    assert files(mine) == files(other)
    beside = option == "wal-dir"
    assert restored.log(mine, beside=beside) == restored.log(other, beside=beside)
    (file, data, store), (other_file, other_data, other_store) = restored.snapshot(mine), restored.snapshot(other)
    if version in ("3.4", "3.5") or option != "b of three":
        assert data == other_data
    assert (file, without_order(store), raft(data)) == (other_file, without_order(other_store), raft(other_data))
    found, wanted = restored.buckets(mine), restored.buckets(other)
    if version == "3.4":
        take_what_differs_in_3_4(found, wanted, restored.buckets(source))
    assert found == wanted


def raft(data: bytes) -> tuple[object, ...]:
    """Give what a .snap file says but the store."""
    parsed = snap.parse_snap_file(memoryview(data))
    return parsed.index, parsed.term, parsed.conf_state


def files(target: Path) -> dict[str, int]:
    beside = restored.wal_dir(target, beside=True)
    return restored.modes(target) | (restored.modes(beside) if beside.exists() else {})


@pytest.mark.parametrize(("name", "version", "option"), cases(full=False))
def test_every_field_is_what_the_real_tool_writes(name: str, version: str, option: str, tmp_path: Path) -> None:
    hold_every_field(name, version, option, tmp_path)


@pytest.mark.full
@pytest.mark.parametrize(("name", "version", "option"), cases(full=True))
def test_every_field_in_every_case(name: str, version: str, option: str, tmp_path: Path) -> None:
    hold_every_field(name, version, option, tmp_path)


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
