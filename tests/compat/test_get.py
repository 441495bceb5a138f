"""``etcdtool get`` beside etcdctl and a live server, in random combinations of flags; ``--seed`` repeats one run.

The history is random too, and holds keys and values that are hard to print.  What the server is asked, we are asked of
a snapshot that it gave, by a side index or by a scan.
"""

from __future__ import annotations

import base64
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf import descriptor_pb2, message_factory
from support import real, samples
from support.booted import ROOT
from support.cli import invoke
from support.processes import environ
from support.range_requests import Shares, Store, call, hold_same
from support.writers import OddWriter

from etcdtool.model.keyvalue_encoding import encode_varint

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence
    from pathlib import Path

CHANGES = 250
CALLS, CALLS_FULL = 170, 450
FIXTURE_CALLS, FIXTURE_CALLS_FULL = 40, 70
FOLDERS = ("v3", "v3-cluster", "v3-edge", "v3-extra", "k8s")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDTOOL_CACHE_DIR", str(tmp_path / "cache"))


def versions() -> list[Any]:
    """Give the newest version, and with --full the others too."""
    marks = {version: [] if version == "3.7" else [pytest.mark.full] for version in ("3.4", "3.5", "3.6", "3.7")}
    return [pytest.param(version, id=version, marks=mark) for version, mark in marks.items()]


def keys_of(server: real.Server, compacted: int, user: Sequence[str] = ()) -> list[bytes]:
    """Give every key that was there at the newest revision or at the last compaction, and some that never were."""
    found = {b"/nothing", b"/"}
    for revision in (0, max(compacted, 1)):
        answer = server.etcdctl_json("get", "", "--from-key", "--keys-only", f"--rev={revision}", *user)
        found |= {base64.b64decode(record["key"]) for record in answer.get("kvs", [])}
    return sorted(found)


def hold_calls(
    server: real.Server, snapshot: Path, store: Store, rng: random.Random, count: int, user: Sequence[str] = ()
) -> Shares:
    shares = Shares()
    for _ in range(count):
        words = call(rng, store, server.version)
        theirs = server.etcdctl("get", *words, *user, check=False)
        ours = invoke("get", snapshot, *words, rng.choice(["--index", "--no-index"]))
        shares.count(words, theirs.returncode, hold_same(words, server.version, theirs, ours))
    return shares


@pytest.mark.parametrize("version", versions())
def test_every_flag_answers_as_the_server_does(
    version: str, tmp_path: Path, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    with real.Server(version, tmp_path / "data") as server:
        writer = OddWriter(server, rng)
        for number in range(CHANGES):
            writer.change(compact=False)
            if number == CHANGES // 2:
                writer.compact()
        server.etcdctl("snapshot", "save", tmp_path / "snapshot.db")
        store = Store(keys_of(server, writer.compacted), writer.compacted, writer.revision)
        count = CALLS_FULL if pytestconfig.getoption("--full") else CALLS
        before = samples.hashes(tmp_path / "snapshot.db")
        shares = hold_calls(server, tmp_path / "snapshot.db", store, rng, count)
    assert samples.hashes(tmp_path / "snapshot.db") == before
    shares.hold(version)


def range_response() -> Any:
    """Give the class of the message, its records as bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="range_response.proto", syntax="proto3")
    types = {"header": "TYPE_BYTES", "kvs": "TYPE_BYTES", "more": "TYPE_BOOL", "count": "TYPE_INT64"}
    message = file.message_type.add(name="RangeResponse")
    for number, (name, kind) in enumerate(types.items(), 1):
        label = f"LABEL_{'REPEATED' if name == 'kvs' else 'OPTIONAL'}"
        message.field.add(name=name, number=number, type=kind, label=label)  # type: ignore[arg-type]
    return message_factory.GetMessages([file])["RangeResponse"]


@pytest.mark.parametrize("version", versions())
def test_protobuf_is_that_of_etcdctl_but_for_the_member_in_the_header(
    version: str, tmp_path: Path, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    response = range_response()
    compared = 0
    with real.Server(version, tmp_path / "data") as server:
        writer = OddWriter(server, rng)
        for number in range(CHANGES):
            writer.change(compact=number == CHANGES // 2)
        server.etcdctl("snapshot", "save", tmp_path / "snapshot.db")
        store = Store(keys_of(server, writer.compacted), writer.compacted, writer.revision)
        for _ in range(CALLS_FULL // 3 if pytestconfig.getoption("--full") else CALLS // 3):
            words = [word for word in call(rng, store, version) if not word.startswith(("-w=", "--sort-by"))]
            # a server of 3.7 gives no leases with keys alone
            words = [word for word in words if (word, version) != ("--keys-only", "3.7")] + ["-w=protobuf"]
            argv = [real.program("etcdctl", version), f"--endpoints={server.client_url}", "get", *words]
            theirs = subprocess.run(argv, capture_output=True, env=environ(), check=False)
            ours = invoke("get", tmp_path / "snapshot.db", *words, rng.choice(["--index", "--no-index"]))
            assert ours.exit_code == theirs.returncode, (words, theirs.stderr, ours.stderr)
            if theirs.returncode == 0:
                told, found = response.FromString(theirs.stdout), response.FromString(ours.raw)
                assert found.SerializeToString() == ours.raw
                told.header = b"\x18" + encode_varint(writer.revision)
                assert found == told, words
                compared += len(told.kvs) > 1
    assert compared > 10


def fixtures() -> list[Any]:
    """Give every snapshot and restored data dir among the samples of v3 data."""
    restored = [name for name in samples.archives() if "restored" in name]
    found = [name for name in [*samples.databases(), *restored] if name.split("/")[0] in FOLDERS]
    return [
        pytest.param(name, id=name, marks=[] if name == "k8s/3.6/snapshot.db.gz" else [pytest.mark.full])
        for name in found
    ]


@pytest.mark.parametrize("name", fixtures())
def test_every_fixture_answers_as_a_server_on_its_data(
    name: str, tmp_path: Path, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    version, source = name.split("/")[1].replace("3.2", "3.4"), samples.unpack(name)
    user = ROOT if name.startswith(("v3/", "v3-cluster/")) else ()
    if source.is_dir():
        data_dir = samples.fresh(name, tmp_path)
    else:
        data_dir = tmp_path / "data"
        real.restore(version, source, data_dir, skip_hash_check=True)
    full = pytestconfig.getoption("--full")
    with real.Server(version, data_dir) as server:
        compacted = server.etcdctl_json("endpoint", "hashkv", *user)[0]["HashKV"]["compact_revision"]
        keys = keys_of(server, compacted, user)
        revision = server.etcdctl_json("get", "/nothing", *user)["header"]["revision"]
        shares = hold_calls(
            server, source, Store(keys, compacted, revision), rng, FIXTURE_CALLS_FULL if full else FIXTURE_CALLS, user
        )
    assert shares.errors > 0
