"""``snapshot status --verbose`` against what the servers said that made the snapshots; without it, nothing changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import invoke

from etcdtool.cli.text import hex_id
from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import cursor
from etcdtool.model import schema
from etcdtool.model.revision import Revision
from etcdtool.operations.status import status
from etcdtool.operations.status_details import details
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = ["3.2", "3.4", "3.5", "3.6", "3.7"]
GOOD = [name for name in samples.databases() if not name.startswith("damaged")]
FORMS = ("simple", "fields", "table")
PLAIN_FIELDS = ["hash", "revision", "totalKey", "totalSize", "version"]


def verbose(name: str) -> dict[str, Any]:
    done = invoke("snapshot", "status", samples.unpack(name), "--verbose", "-w", "json")
    assert done.exit_code == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_what_the_server_said(version: str) -> None:
    found, live = verbose(f"v3/{version}/snapshot.db.gz"), samples.expected(f"v3/{version}")["live"]
    assert found["currentRevision"] == live["revisions"]["latest"]
    assert found["compactRevision"] == live["revisions"]["compact"]
    assert found["storageVersion"] == live["status"].get("storageVersion")
    assert found["clusterVersion"] == f"{version}.0"
    assert found["schemaVersion"] == max(version, "3.4")  # 3.2 and 3.4 lay data out alike
    assert found["term"] == (int(live["status"]["raftTerm"]) if version >= "3.5" else None)
    if version >= "3.5":  # the snapshot was saved right after the status was asked for
        assert found["consistentIndex"] >= int(live["status"]["raftIndex"])
    else:  # only changes of keys moved it then
        assert 0 < found["consistentIndex"] <= int(live["status"]["raftIndex"])
    theirs = {
        (int(member["ID"]), member.get("name", ""), tuple(member["peerURLs"]), tuple(member.get("clientURLs", ())))
        for member in live["members"]["members"]
    }
    ours = {
        (member["id_decimal"], member["name"], tuple(member["peerURLs"]), tuple(member["clientURLs"]))
        for member in found["members"]
    }
    assert ours == theirs
    assert {member["id"] for member in found["members"]} == {hex_id(number) for number, *_ in theirs}
    learners = {int(member["ID"]) for member in live["members"]["members"] if member.get("isLearner")}
    assert {member["id_decimal"] for member in found["members"] if member["isLearner"]} == learners


@pytest.mark.parametrize("name", GOOD)
def test_the_first_figures_are_those_of_the_plain_status_and_the_others_agree(name: str) -> None:
    found = verbose(name)
    plain = json.loads(invoke("snapshot", "status", samples.unpack(name), "-w", "json").stdout)
    assert list(plain) == PLAIN_FIELDS
    assert {field: found[field] for field in PLAIN_FIELDS} == plain
    revisions, pages = found["revisions"], found["pages"]
    assert revisions["live"] == plain["totalKey"]
    assert revisions["total"] == revisions["live"] + revisions["historic"] + revisions["tombstones"]
    assert pages["total"] * pages["size"] == plain["totalSize"]
    assert pages["inUse"] + pages["free"] == pages["total"]
    assert found["trailer"] == "good"
    assert found["fileSize"] == samples.unpack(name).stat().st_size


@pytest.mark.parametrize("name", GOOD)
def test_counts_are_those_of_a_plain_walk(name: str) -> None:
    with open_database(samples.unpack(name)) as database:
        bucket = cursor.root_buckets(database.image)[schema.KEY]
        revisions = [Revision.parse(item.key) for item in cursor.iter_items(database.image, bucket)]
        for engine in ("columns", "plain"):
            found = details(database, engine=engine).revisions
            assert (found.total, found.tombstones) == (len(revisions), sum(one.tombstone for one in revisions))


@pytest.mark.parametrize("version", [one for one in VERSIONS if "restored_dir" in samples.expected(f"v3/{one}")])
def test_restored_dirs_have_the_members_of_their_restore(version: str) -> None:
    with open_database(samples.unpack(f"v3/{version}/restored.tar.gz")) as database:
        found = details(database)
    assert found.trailer == "absent"
    assert found.current_revision == samples.expected(f"v3/{version}")["live"]["revisions"]["latest"]
    assert [member.name for member in found.members] == ["default"]


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_a_member_that_left_is_named(version: str) -> None:
    found = verbose(f"v3-extra/{version}/after-defrag.db.gz")
    (removed,) = found["removedMembers"]
    assert removed["id"] == hex_id(removed["id_decimal"])
    assert removed["id"] not in {member["id"] for member in found["members"]}
    printed = invoke("snapshot", "status", samples.unpack(f"v3-extra/{version}/after-defrag.db.gz"), "--verbose").stdout
    assert f"removed members  {removed['id']}\n" in printed


@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda good: good[:-32], "absent"),
        (lambda good: good[:-1], "cut short"),
        (lambda good: good[:-1] + bytes([good[-1] ^ 1]), "wrong"),
        (lambda good: good + b"x", "followed by other bytes"),
    ],
)
def test_the_trailer_s_state_is_told(change: Any, state: str, tmp_path: Path) -> None:
    path = tmp_path / "changed.db"
    path.write_bytes(change(samples.unpack("v3/3.7/snapshot.db.gz").read_bytes()))
    done = invoke("snapshot", "status", path, "--verbose", "-w", "json")
    assert json.loads(done.stdout)["trailer"] == state
    assert done.exit_code == 0  # a verdict is verify's to give


def test_every_form_tells_the_same() -> None:
    path = samples.unpack("v3/3.7/snapshot.db.gz")
    simple, fields, table = (invoke("snapshot", "status", path, "--verbose", "-w", form).stdout for form in FORMS)
    for form, printed in zip(FORMS, (simple, fields, table), strict=True):
        assert printed.startswith(invoke("snapshot", "status", path, "-w", form).stdout)
        for fact in ("1495", "3.7.0", "20648ece7d9dde67", "m1", "good"):
            assert fact in printed, (form, fact)
    assert '"PagesFree" : 22\n' in fields
    assert "revisions        2212: 1951 live, 183 historic, 78 tombstones\n" in simple


@pytest.mark.parametrize(
    ("bucket", "key", "value"),
    [
        (schema.MEMBERS, b"1", b"{"),
        (schema.MEMBERS, b"1", b'{"id":18446744073709551616}'),
        (schema.MEMBERS_REMOVED, b"\xff", b"removed"),
        (schema.META, b"term", b"short"),
        (schema.META, b"finishedCompactRev", b"short"),
    ],
)
def test_what_follows_no_format_is_said(bucket: bytes, key: bytes, value: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(written({schema.KEY: [], bucket: [(key, value)]}))
    with open_database(path) as database:
        status(database)
        with pytest.raises(FormatError):
            details(database)
    done = invoke("snapshot", "status", path, "--verbose")
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)


def test_an_empty_store_has_nothing_to_tell(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.write_bytes(written({schema.KEY: []}))
    done = invoke("snapshot", "status", path, "--verbose")
    assert done.exit_code == 0
    assert "revision         1, never compacted\n" in done.stdout
    assert "raft             consistent index not stored, term not stored\n" in done.stdout
