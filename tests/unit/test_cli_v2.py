"""``etcdtool v2``: held against what the servers that wrote the data answered."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.cli import invoke
from support.terminal import on_terminal
from wcwidth import wcswidth

from etcdtool.cli._v2_nodes import clean_key, ttl_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RICH = "v2-rich/3.4/data-clean.tar.gz"

# (archive, where expected.json has what the server answered)
RECORDED = [
    *((f"v2-rich/{version}/data-clean.tar.gz", "clean", "live") for version in ("2.3", "3.2", "3.4")),
    *((f"v2-rich/{version}/data-killed.tar.gz", "killed", "live") for version in ("2.3", "3.2", "3.4")),
    ("v2-auth/3.4/data.tar.gz", "live"),
    ("v2-only-wal/2.3/data.tar.gz", "live"),
    ("v2-only-wal/3.4/data.tar.gz", "live"),
    ("v2-multiwal/3.4/data.tar.gz", "live"),
    ("v2-cluster/3.4/data-c1.tar.gz", "live", "c1"),
    ("discovery-v2/3.4/data.tar.gz", "live"),
]


def recorded(place: tuple[str, ...]) -> dict[str, Any]:
    found = samples.expected(place[0].rpartition("/")[0])
    for step in place[1:]:
        found = found[step]
    return found


def flat(node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each node of an answer, without its TTL, which counts down, and its children."""
    if node.get("key"):
        yield node["key"], {name: value for name, value in node.items() if name not in {"nodes", "ttl"}}
    for child in node.get("nodes", ()):
        yield from flat(child)


def exported(source: Path, *options: str) -> dict[str, dict[str, Any]]:
    done = invoke("v2", "export", source, *options)
    assert done.exit_code == 0, done.stderr
    return {record["key"]: record for record in map(json.loads, done.stdout.splitlines())}


def as_go_would(record: dict[str, Any]) -> dict[str, Any]:
    """Replace bytes that are no UTF-8 the way Go's JSON encoder does, for comparing with what a server could answer."""
    if "value_b64" in record:
        text = base64.b64decode(record["value_b64"]).decode("utf-8", "surrogateescape")
        record = {**record, "value": "".join("\ufffd" if "\udc80" <= char <= "\udcff" else char for char in text)}
        del record["value_b64"]
    return record


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    if "value_sha256" in theirs:  # too long for expected.json
        digest = hashlib.sha256(ours["value"].encode()).hexdigest()
        ours = {name: value for name, value in ours.items() if name != "value"}
        ours |= {"value_sha256": digest, "value_len": theirs["value_len"]}
    return as_go_would(ours) == theirs


@pytest.mark.parametrize("place", RECORDED, ids=lambda place: place[0])
def test_export_is_what_the_server_answered(place: tuple[str, ...]) -> None:
    answers = recorded(place)
    theirs = dict(flat(answers["keys"]["response"]["node"]))
    for answer in answers["hidden"]:
        if answer["status"] == 200:
            theirs |= dict(flat(answer["response"]["node"]))
    ours = exported(samples.unpack(place[0]))
    unlisted = {key for key in ours if key not in theirs}
    assert all("/_" in key for key in unlisted), unlisted
    assert [key for key in theirs if key not in ours] == []
    assert [(ours[key], node) for key, node in theirs.items() if not same(ours[key], node)] == []


def test_export_is_in_path_order_and_names_hidden_nodes() -> None:
    keys = list(exported(samples.unpack(RICH)))
    assert keys == sorted(keys, key=lambda key: key.encode().split(b"/"))
    assert "/_hiddendir/visible-name" in keys


def test_an_archive_is_read_like_its_folder() -> None:
    assert exported(samples.packed(RICH)) == exported(samples.unpack(RICH))


def test_get_prints_the_bytes_of_the_value() -> None:
    done = invoke("v2", "get", samples.unpack(RICH), "/odd/bytes")
    assert (done.exit_code, done.raw) == (0, b"\xff\xfe\x00\x80abc")


def test_get_cleans_the_key_as_the_server_does() -> None:
    assert invoke("v2", "get", samples.unpack(RICH), "a/./b//x/").stdout == "x"


def test_get_as_json_is_the_servers_answer_and_its_hidden_children() -> None:
    source = samples.unpack(RICH)
    answer = json.loads(
        invoke("v2", "get", source, "/ttl/longdir", "-w", "json", "--as-of", "2026-11-21T02:25:02Z").stdout
    )
    assert answer["action"] == "get"
    theirs = dict(flat(recorded((RICH, "clean", "live"))["keys"]["response"]["node"]))
    assert dict(flat(answer["node"])) == {
        key: theirs[key] for key in ("/ttl/longdir", "/ttl/longdir/child", "/ttl/longdir/grand")
    }
    root = json.loads(invoke("v2", "get", source, "/", "-w", "json").stdout)
    assert "/_hidden" in [node["key"] for node in root["node"]["nodes"]]


@pytest.mark.parametrize(("words", "missing"), [([], "SOURCE..."), (["/some/dir"], "KEY")])
def test_get_names_the_word_that_is_missing(words: list[str], missing: str) -> None:
    done = invoke("v2", "get", *words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"missing argument '{missing}'" in done.stderr


def test_get_of_a_missing_key_fails() -> None:
    done = invoke("v2", "get", samples.unpack(RICH), "/nope")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "Error: /nope: key not found\n")


def test_get_of_a_directory_says_so() -> None:
    done = invoke("v2", "get", samples.unpack(RICH), "/a")
    assert (done.exit_code, done.stderr.startswith("Error: /a is a directory.")) == (1, True)


def test_list_is_what_etcdctl_ls_printed_and_the_hidden_keys() -> None:
    theirs = recorded((RICH, "clean", "live"))["keys"]["response"]["node"]
    names = {key + ("/" if node.get("dir") else "") for key, node in flat(theirs)}
    ours = invoke("v2", "list", samples.unpack(RICH)).stdout.splitlines()
    assert names == {name for name in ours if "/_" not in name}
    assert "/a/_secret/token" in ours


def test_list_with_a_prefix() -> None:
    source = samples.unpack(RICH)
    assert invoke("v2", "list", source, "--prefix", "/cas").stdout == "/cas/\n/cas/one\n"
    done = invoke("v2", "list", source, "--prefix", "/ca")
    assert (done.exit_code, done.stderr) == (1, "Error: /ca: key not found\n")


def test_a_listing_fits_80_columns_and_shows_no_values() -> None:
    done = invoke("v2", "list", samples.unpack(RICH), "-w", "table", "--as-of", "2026-11-21T02:25:02Z")
    widths = {wcswidth(line) for line in done.stdout.splitlines()}
    assert len(widths) == 1
    assert max(widths) <= 80
    assert "deep" not in done.stdout
    assert "19d 23h" in done.stdout


@pytest.mark.parametrize("form", ["simple", "table", "fields", "json"])
@pytest.mark.parametrize("verb", ["status", "list", "members"])
def test_every_form_prints_something(verb: str, form: str) -> None:
    done = invoke("v2", verb, samples.unpack(RICH), "-w", form)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "m1" in done.stdout or verb != "members"
    if form == "json":
        json.loads(done.stdout)


@pytest.mark.parametrize("place", RECORDED, ids=lambda place: place[0])
def test_status_and_members_are_what_the_server_said(place: tuple[str, ...]) -> None:
    answers = recorded(place)
    done = invoke("v2", "status", samples.unpack(place[0]), "-w", "json")
    status = json.loads(done.stdout)
    headers = answers["keys"]["headers"]
    assert done.exit_code == 0
    assert status["current_index"] == int(headers["X-Etcd-Index"])
    assert status["raft_term"] == int(headers["X-Raft-Term"])
    assert status["raft_index"] >= int(headers["X-Raft-Index"])
    if "X-Etcd-Cluster-Id" in headers:
        assert status["cluster_id"] == headers["X-Etcd-Cluster-Id"]
    theirs = {member["id"]: member for member in answers["members"]["response"]["members"]}
    ours = {member["id"]: member for member in status["members"]}
    assert {number: int(number, 16) for number in ours} == {
        number: member.pop("id_decimal") for number, member in ours.items()
    }
    assert ours == theirs


def test_status_counts_expired_nodes_at_the_as_of_time() -> None:
    source = samples.unpack(RICH)

    def expired(as_of: str) -> int:
        return int(json.loads(invoke("v2", "status", source, "-w", "json", "--as-of", as_of).stdout)["expired"])

    assert expired("2026-11-21T02:25:02Z") == 0
    assert expired("2036-01-01") == json.loads(invoke("v2", "status", source, "-w", "json").stdout)["ttl"]


@pytest.mark.parametrize("verb", [("status",), ("list",), ("export",), ("get", "/a")])
def test_a_dir_of_v3_holds_no_v2_keys(verb: tuple[str, ...]) -> None:
    done = invoke("v2", verb[0], samples.unpack("v3/3.6/data.tar.gz"), *verb[1:])
    assert done.exit_code == 3
    assert "holds no v2 keys" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words", [["v2", "export"], ["v2", "status", "/no/such/dir"], ["v2", "export", "--tail", "maybe", "x"]]
)
def test_bad_calls_are_told_in_one_line(words: list[str]) -> None:
    done = invoke(*words)
    assert done.exit_code in {1, 2}
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("verb", [["status"], ["list"], ["get", "/a"], ["export"], ["members"]])
def test_the_source_stays_as_it_is(verb: list[str], tmp_path: Path) -> None:
    source = samples.fresh(RICH, tmp_path)
    before = samples.hashes(source)
    invoke("v2", verb[0], source, *verb[1:])
    assert samples.hashes(source) == before


def test_names_in_an_archive_cannot_drive_a_terminal(tmp_path: Path) -> None:
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as archive:
        archive.add(samples.unpack("v2-only-wal/3.4/data.tar.gz"), arcname="\x1b[31mred")
    for form in ("simple", "json", "fields", "table"):
        assert "\x1b" not in invoke("v2", "status", evil, "-w", form).stdout


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [("", "/"), ("a", "/a"), ("//a//b/", "/a/b"), ("/a/../b", "/b"), ("/../..", "/"), ("/a/./b", "/a/b")],
)
def test_keys_are_cleaned_like_gos_path_clean(given: str, cleaned: str) -> None:
    assert clean_key(given.encode()) == cleaned.encode()


def test_remaining_seconds_are_rounded_up() -> None:
    assert [ttl_seconds(ns, 10**9) for ns in (10**9, 10**9 + 1, 2 * 10**9, 5 * 10**8)] == [0, 1, 1, 0]


@pytest.mark.parametrize(
    "words",
    [["v2", "get", "/odd/json"], ["v2", "export"], ["v2", "list"], ["convert", "-o", "-", "--ttl", "permanent"]],
)
def test_a_terminal_gets_no_control_characters(words: list[str]) -> None:
    source = samples.unpack(RICH)
    words = [*words[:2], str(source), *words[2:]] if words[0] == "v2" else [*words, str(source)]
    exit_code, text = on_terminal(*words)
    assert exit_code == 0
    assert len(text) > 10
    assert re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text) == []
