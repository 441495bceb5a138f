"""What salvage writes is taken by the real tools, and a real server starts on it with every key that is left."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from support import processes, programs, samples
from support.damage import draw
from support.servers import Server, restore

from etcdtool.formats.bbolt import cursor
from etcdtool.model.keyspace import Keyspace
from etcdtool.operations.salvage import salvage
from etcdtool.operations.status import status
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from pathlib import Path

FAULTS = [
    ("branch", "page zeroed"),
    ("key leaf", "page zeroed"),
    ("key leaf", "page copied"),
    ("root leaf", "page zeroed"),
    ("both metas", "root"),
    ("file", "cut at a sector"),
    ("key record", "numbers"),
]


def salvaged(data: bytes, folder: Path) -> Path:
    damaged, target = folder / "damaged.db", folder / "salvaged.db"
    damaged.write_bytes(data)
    with open_database(damaged) as database:
        salvage(database, target)
    return target


@pytest.mark.parametrize(("page_type", "field"), FAULTS, ids=["/".join(names) for names in FAULTS])
def test_real_tools_take_what_was_salvaged(page_type: str, field: str, tmp_path: Path) -> None:
    target = salvaged(draw(6, page_type, field, 0, sealed=True).data, tmp_path)
    assert processes.run(programs.bbolt(), "check", target).stdout == "OK\n"
    done = processes.run(programs.program("etcdutl", "3.7"), "snapshot", "status", target, "-w", "json", check=True)
    with open_database(target) as database:
        ours = status(database)
    theirs = json.loads(done.stdout)
    assert (theirs["hash"], theirs["revision"], theirs["totalKey"]) == (ours.hash, ours.revision, ours.total_key)
    for version in ("3.5", "3.6", "3.7"):
        restore(version, target, tmp_path / f"{version}.etcd")


@pytest.mark.parametrize("fault", [None, ("key leaf", "page zeroed"), ("branch", "page of noise")], ids=str)
def test_a_real_server_serves_what_was_salvaged(fault: tuple[str, str] | None, tmp_path: Path) -> None:
    whole = samples.unpack("v3-extra/3.6/before-defrag.db.gz").read_bytes()
    target = salvaged(draw(6, *fault, 1, sealed=True).data if fault else whole, tmp_path)
    with open_database(target) as database:
        expected = {item.key: item.value for item in Keyspace.read(database.image).items_at()}
    restore("3.7", target, tmp_path / "new.etcd")
    with Server("3.7", tmp_path / "new.etcd") as server:
        user = ("--user", "root:rootpw") if _has_auth(target) else ()
        pairs = server.etcdctl_json("get", "", "--from-key", *user).get("kvs", [])
    served = {base64.b64decode(pair["key"]): base64.b64decode(pair.get("value", "")) for pair in pairs}
    assert served == expected


def _has_auth(path: Path) -> bool:
    with open_database(path) as database:
        bucket = cursor.root_buckets(database.image)[b"auth"]
        return cursor.get(database.image, bucket, b"authEnabled") == b"\x01"
