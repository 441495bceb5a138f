"""``v2 check`` and ``check v2store`` on real and made data; what servers do about it is in tests/compat."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import Outcome, invoke
from support.v2_log import History, v2_request, write_member

from etcdtool.model.store_v2 import Store
from etcdtool.model.v2_content import custom_paths, is_custom, stored_paths

if TYPE_CHECKING:
    from pathlib import Path

HIDDEN_ONLY = "upgrade/v2-hidden-only/data.tar.gz"
CLEAN = "No custom content found in both v2store and WAL records.\n"


def checked(source: object, *words: object) -> tuple[int, Any]:
    outcome = invoke("v2", "check", source, "-w", "json", *words)
    return outcome.exit_code, json.loads(outcome.stdout)


def codes(document: Any) -> list[str]:
    return [finding["code"] for finding in document["findings"]]


def store_with(*paths: str) -> Store:
    store = Store()
    for path in paths:
        store.set(path, value="x")
    return store


@pytest.mark.parametrize(
    ("paths", "before_3_5_22", "since"),
    [
        ((), False, False),
        (("/0/version",), False, False),
        (("/1/a",), True, True),
        (("/1/_a",), False, False),
        (("/1/_a/b",), False, False),
        (("/1/a/_b",), True, True),  # the directory counts, whatever is in it
        (("/2/enabled",), True, False),
        (("/2/users/root",), True, True),
        (("/2/users/_root",), True, False),
        (("/_3/a",), False, False),
        (("/3/a",), True, True),
    ],
)
def test_what_the_check_of_etcd_calls_custom(paths: tuple[str, ...], before_3_5_22: bool, since: bool) -> None:
    store = store_with(*paths)
    assert is_custom(store, auth_folders_count=True) == before_3_5_22
    assert is_custom(store) == since
    assert bool(list(custom_paths(store))) == since


def test_content_has_what_is_hidden_and_no_members() -> None:
    store = store_with("/0/version", "/1/a/b", "/1/_etcd/c", "/2/enabled", "/2/users/root", "/2/roles/guest", "/3/_d")
    assert [(one.path, one.is_directory, one.is_hidden) for one in stored_paths(store)] == [
        ("/1/_etcd", True, True),
        ("/1/_etcd/c", False, True),
        ("/1/a", True, False),
        ("/1/a/b", False, False),
        ("/2/roles/guest", False, False),
        ("/2/users/root", False, False),
        ("/3/_d", False, True),
    ]


def test_hidden_keys_are_named_where_the_check_of_etcd_says_clean() -> None:
    before = samples.hashes(samples.unpack(HIDDEN_ONLY))
    exit_code, found = checked(samples.unpack(HIDDEN_ONLY))
    assert exit_code == 3
    assert not found["safe"]
    assert all(
        found["etcd"][version]["starts"] and found["etcd"][version]["loses_content"] for version in ("3.6", "3.7")
    )
    assert found["etcdutl_check"]["3.5.32"] == CLEAN.strip()
    assert codes(found) == ["boot.v2-content-lost"] * 2
    assert len(found["content"]) == 33
    assert all(one["hidden"] for one in found["content"])
    assert "/1/_etcd/registry" in [one["path"] for one in found["content"]]
    assert samples.hashes(samples.unpack(HIDDEN_ONLY)) == before


def test_plain_keys_stop_both(tmp_path: Path) -> None:
    exit_code, found = checked(samples.packed("v2-rich/3.4/data-killed.tar.gz"))
    assert exit_code == 3
    assert not any(one["starts"] for one in found["etcd"].values())
    assert found["content_known"]
    one, other = found["etcd"]["3.6"], found["etcd"]["3.7"]
    assert len(one["content"]) > 400
    assert not other["content"]  # it does not read the .snap
    assert {"QGET", "PUT", "DELETE", "SYNC"} & {request["method"] for request in one["requests"]}
    assert "SYNC" not in {request["method"] for request in other["requests"]}
    assert all(request["index"] > one["start_index"] for request in one["requests"])
    assert codes(found) == ["boot.v2-content", "boot.v2-request", "boot.v2-request"]
    assert "etcdtool convert" in found["findings"][0]["hint"]
    assert "etcdtool v2 drop" in found["findings"][0]["hint"]


def test_clean_data_are_safe() -> None:
    outcome = invoke("v2", "check", samples.packed("v3/3.6/data.tar.gz"))
    assert outcome.exit_code == 0
    assert "etcd 3.6     starts\netcd 3.7     starts\n" in outcome.stdout
    assert "v2 content   none\n" in outcome.stdout


def test_one_version_can_be_asked_for() -> None:
    source = samples.packed("v3/3.7/data.tar.gz")
    assert invoke("v2", "check", source).exit_code == 3
    assert invoke("v2", "check", source, "--for-version", "3.7").exit_code == 0
    outcome = invoke("v2", "check", source, "--for-version", "3.6")
    assert outcome.exit_code == 3
    assert "boot.storage-version" in outcome.stdout
    assert "boot.cluster-version" in outcome.stdout


def test_a_member_that_the_database_has_and_the_log_adds_again(tmp_path: Path) -> None:
    """What 3.4 leaves where nobody ever made a v3 request."""
    data_dir = write_member(tmp_path, 1, History().with_voters(1), commit=1)
    member = (b"1", b'{"id":1}')
    index = (b"consistent_index", (1).to_bytes(8, "big"))
    found = {}
    for name, members, meta in (("neither", (), ()), ("3.4", (member,), ()), ("3.5", (member,), (index,))):
        buckets = {b"members": members, b"members_removed": (), b"meta": meta}
        (data_dir / "member/snap/db").write_bytes(written(buckets, page_size=4096))
        exit_code, answer = checked(data_dir)
        found[name] = (exit_code, codes(answer))
    assert found == {"neither": (0, []), "3.4": (3, ["boot.member-twice"] * 2), "3.5": (0, [])}


def test_requests_of_members_stop_3_7_alone(tmp_path: Path) -> None:
    """What 3.5 writes at each start, as long as no snapshot was taken behind it."""
    history = History().with_voters(1)
    request = v2_request("PUT", "/x", "3.5.0").replace(b"\x1a\x04/1/x", b"\x1a\x0a/0/version")
    history._add(request)
    data_dir = write_member(tmp_path, 1, history, commit=2)
    exit_code, found = checked(data_dir)
    assert exit_code == 3
    assert found["etcd"]["3.6"]["starts"]
    assert [one["path"] for one in found["etcd"]["3.7"]["requests"]] == ["/0/version"]
    assert "--snapshot-count" in found["findings"][0]["hint"]
    assert checked(data_dir, "--for-version", "3.6")[0] == 0


def test_entries_past_the_commit_index_count_and_say_so(tmp_path: Path) -> None:
    data_dir = write_member(tmp_path, 1, History().with_voters(1).put("/a", "1").put("/b", "2"), commit=2)
    _, found = checked(data_dir)
    assert [(one["path"], one["committed"]) for one in found["etcd"]["3.6"]["requests"]] == [
        ("/1/a", True),
        ("/1/b", False),
    ]
    assert [one["path"] for one in found["content"]] == ["/1/a"]


def test_long_lists_are_cut_and_all_shows_them() -> None:
    source = samples.packed("v2-rich/3.4/data-clean.tar.gz")
    short, long = invoke("v2", "check", source), invoke("v2", "check", source, "--all")
    assert "more; --all has them" in short.stdout
    assert len(short.stdout.splitlines()) < 60
    assert "more; --all has them" not in long.stdout
    assert len(long.stdout.splitlines()) > 480


@pytest.mark.parametrize("form", ["table", "fields"])
def test_other_forms(form: str) -> None:
    outcome = invoke("v2", "check", samples.packed(HIDDEN_ONLY), "-w", form)
    assert outcome.exit_code == 3
    assert "3.6" in outcome.stdout


def test_log_that_is_kept_apart(tmp_path: Path) -> None:
    data_dir = samples.fresh("v2-auth/3.4/data.tar.gz", tmp_path)
    (data_dir / "member/wal").rename(tmp_path / "log")
    assert "wal.not-there" in codes(checked(data_dir)[1])
    _, found = checked(data_dir, "--wal-dir", tmp_path / "log")
    assert found["etcd"]["3.7"]["requests"]
    said = store_check(data_dir, "--wal-dir", tmp_path / "log")
    assert said.stderr.startswith("Error: detected custom v2 content in both v2store and WAL records. ")


def test_an_empty_place_for_the_log_is_none(tmp_path: Path) -> None:
    data_dir = samples.fresh("v2-auth/3.4/data.tar.gz", tmp_path)
    assert store_check(data_dir, "--wal-dir", "").stderr == store_check(data_dir).stderr


@pytest.mark.parametrize("words", [(), ("a", "--data-dir", "b")])
def test_one_source_is_needed(words: tuple[str, ...]) -> None:
    outcome = invoke("v2", "check", *words)
    assert outcome.exit_code == 2
    assert "give SOURCE or --data-dir" in outcome.stderr


def test_what_is_no_data_dir_is_refused(tmp_path: Path) -> None:
    outcome = invoke("v2", "check", samples.packed("v3/3.6/snapshot.db.gz"))
    assert outcome.exit_code == 1
    assert "is no data dir" in outcome.stderr
    assert invoke("v2", "check", tmp_path).exit_code == 1


def store_check(data_dir: Path, *words: object) -> Outcome:
    return invoke("check", "v2store", "--data-dir", data_dir, *words)


def test_check_v2store_says_the_words_of_etcdutl_and_warns_of_more() -> None:
    outcome = store_check(samples.unpack(HIDDEN_ONLY))
    assert (outcome.exit_code, outcome.stdout) == (0, CLEAN)
    assert "33 of them hidden from its own check" in outcome.stderr
    outcome = store_check(samples.unpack("v2-only-wal/3.4/data.tar.gz"))
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("Error: detected custom v2 content in WAL records. ")


def test_check_v2store_without_words_or_folder(tmp_path: Path) -> None:
    outcome = invoke("check", "v2store")
    assert (outcome.exit_code, outcome.stderr) == (1, 'Error: required flag(s) "data-dir" not set\n')
    outcome = store_check(tmp_path)
    assert outcome.exit_code == 1
    assert outcome.stderr == f"Error: open {tmp_path}/member/wal: no such file or directory\n"
    (tmp_path / "member/wal").mkdir(parents=True)
    assert (store_check(tmp_path).exit_code, store_check(tmp_path).stdout) == (0, CLEAN)


def test_damaged_log_is_no_clean_one() -> None:
    data_dir = samples.unpack("damaged/dirs/wal-flip-middle.tar.gz")
    assert store_check(data_dir).exit_code == 1
    exit_code, found = checked(data_dir)
    assert exit_code == 3
    assert "wal.damaged" in codes(found)
    assert not any(one["starts"] for one in found["etcd"].values())
    assert not found["content_known"]


def test_damaged_database_is_no_matter_of_v2(tmp_path: Path) -> None:
    data_dir = samples.fresh("v3/3.6/data.tar.gz", tmp_path)
    with (data_dir / "member/snap/db").open("r+b") as file:
        file.write(bytes(1 << 14))
    exit_code, found = checked(data_dir)
    assert exit_code == 3
    assert [one["others"] for one in found["etcd"].values()] == [["boot.database-damaged"]] * 2
    assert (store_check(data_dir).exit_code, store_check(data_dir).stdout) == (0, CLEAN)


def test_what_v2_drop_has_worked_on_is_safe(tmp_path: Path) -> None:
    data_dir = samples.fresh(HIDDEN_ONLY, tmp_path)
    assert checked(data_dir)[0] == 3
    assert invoke("v2", "drop", data_dir, "--discard").exit_code == 0
    exit_code, found = checked(data_dir)
    assert exit_code == 0
    assert found["safe"]
    assert not found["content"]
