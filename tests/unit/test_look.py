"""``list``, ``history``, ``changes`` and ``deleted`` on what real servers wrote, and the calls that they refuse."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.booted import recorded_kvs
from support.cli import invoke
from support.watches import told

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT = "v3/3.6/snapshot.db.gz"
WATCHED = ("v3/3.2", "v3/3.4", "v3/3.5", "v3/3.6", "v3/3.7", "v3-cluster/3.6")


@pytest.fixture(scope="module")
def snapshot() -> Path:
    return samples.unpack(SNAPSHOT)


def octets(record: dict[str, Any], name: str) -> bytes:
    return record[name].encode() if name in record else base64.b64decode(record[f"{name}_b64"])


def json_of(*words: object) -> Any:
    done = invoke(*words, "-w", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    return json.loads(done.stdout)


def lines_of(*words: object) -> list[dict[str, Any]]:
    done = invoke(*words, "-w", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("folder", WATCHED)
@pytest.mark.parametrize("engine", ["columns", "plain"])
def test_changes_are_what_the_watch_of_the_server_told(
    folder: str, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCDTOOL_ENGINE", engine)
    recorded = samples.expected(folder)["live"]["watch"]["from_revision"]
    events = told(event for response in samples.load(f"{folder}/watch.json.gz") for event in response["Events"])
    name = next(name for name in samples.databases(folder) if "snapshot" in name)
    found = lines_of("changes", samples.packed(name), "--from-rev", recorded, "--values")
    assert [
        (
            event["type"] == "DELETE",
            octets(event, "key"),
            event["revision"],
            event["create_revision"],
            event["version"],
            event["lease"],
            octets(event, "value") if "value" in event or "value_b64" in event else b"",
        )
        for event in found
    ] == [tuple(event)[:7] for event in events]


@pytest.mark.parametrize("folder", WATCHED[:-1])
def test_levels_count_the_keys_that_the_server_gave(folder: str) -> None:
    records = [(base64.b64decode(kv["key"]), base64.b64decode(kv.get("value", ""))) for kv in recorded_kvs(folder)]
    sizes: Counter[bytes] = Counter()
    for key, value in records:
        head, separator, _ = key[1:].partition(b"/")
        sizes[key[:1] + head + separator] += len(key) + len(value)
    found = json_of("list", samples.packed(f"{folder}/snapshot.db.gz"))
    assert {octets(one, "name"): one["key_bytes"] + one["value_bytes"] for one in found["levels"]} == sizes
    assert (found["keys"], found["size"]) == (len(records), sizes.total())
    assert sum(one["keys"] for one in found["levels"]) == len(records)


def test_levels_below_a_prefix_at_a_revision(snapshot: Path) -> None:
    found = json_of("list", snapshot, "/app/", "--rev", "1600")
    assert [one["name"] for one in found["levels"]] == ["/app/cfg/"]
    assert found["revision"] == 1600
    deeper = json_of("list", snapshot, "/app/", "--rev", "1600", "--depth", "2")
    assert len(deeper["levels"]) == deeper["keys"] == found["keys"]
    by_colon = json_of("list", snapshot, "no-slash", "--separator", ":")
    assert [(one["name"], one["keys"]) for one in by_colon["levels"]][-1] != ("no-slash:", by_colon["keys"])
    assert json_of("list", snapshot, "no", "--separator", ":")["levels"][0]["name"] == "no-slash:"


def test_a_history_tells_of_deletion_and_another_creation(snapshot: Path) -> None:
    [found] = lines_of("history", snapshot, "txn/a")
    assert [(event["type"], event["revision"], event["version"]) for event in found["events"]] == [
        ("PUT", 1517, 1),
        ("DELETE", 1518, 0),
        ("PUT", 1519, 1),
    ]
    assert (found["key"], found["exists"], found["compact_revision"]) == ("txn/a", True, 1495)
    assert "value" not in found["events"][0]


def test_what_a_compaction_took_is_said(snapshot: Path) -> None:
    done = invoke("history", snapshot, "/app/cfg/000")
    assert "(versions 1 to 2, created at 2, are gone: compacted at 1495)" in done.stdout
    assert "compacted at 1495" in done.stderr
    [found] = lines_of("history", snapshot, "/app/cfg/000")
    assert found["events"][0]["missing_versions"] == 2


def test_values_are_told_only_when_asked_for(snapshot: Path) -> None:
    for words in (("history", snapshot, "/app/cfg/000"), ("changes", snapshot), ("deleted", snapshot, "--since-rev=1")):
        for form in ("simple", "table", "fields", "json"):
            assert "value of cfg" not in invoke(*words, "-w", form).stdout
    assert '"value of cfg 0 v3"' in invoke("history", snapshot, "/app/cfg/000", "--values").stdout


def test_deleted_keys_can_be_read_where_it_says(snapshot: Path) -> None:
    found = json_of("deleted", snapshot, "--since-rev", "1496", "--prefix", "/app/")
    assert found["complete"]
    assert found["deleted"]
    for one in found["deleted"][::10]:
        at = ("--rev", one["read_at"], "-w", "json")
        [record] = json.loads(invoke("get", snapshot, one["key"], *at).stdout)["kvs"]
        assert record["mod_revision"] == one["last_revision"]
        assert len(base64.b64decode(record["value"])) == one["last_size"]
        assert "kvs" not in json.loads(invoke("get", snapshot, one["key"], "-w", "json").stdout)


def test_what_a_compaction_may_have_taken_is_said_of_deletions(snapshot: Path) -> None:
    done = invoke("deleted", snapshot, "--since-rev", "1")
    assert "compacted at 1495: what was deleted by then is not told here" in done.stderr
    assert not json_of("deleted", snapshot, "--since-rev", "1")["complete"]


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (["history"], 2, "missing argument 'KEY'"),
        (
            ["history", "/nothing"],
            1,
            "nothing is stored of /nothing. The history was compacted at 1495: a",
        ),
        (["history", "a", "--prefix", "--from-key"], 2, "--prefix and --from-key cannot be set at the same time"),
        (["history", "a", "b", "--prefix"], 2, "RANGE_END does not go together"),
        (["changes", "--from-rev", "1494"], 1, "etcdserver: mvcc: required revision has been compacted"),
        (["changes", "--to-rev", "1684"], 1, "etcdserver: mvcc: required revision is a future revision"),
        (["changes", "--from-rev", "1600", "--to-rev", "1599"], 2, "revision 1599 is before 1600"),
        (["changes", "--from-rev", "x"], 1, 'invalid argument "x" for "--from-rev" flag'),
        (["deleted"], 2, "missing option '--since-rev'"),
        (["deleted", "--since-rev", "1684"], 1, "revision 1684 was not reached yet. The newest is 1683"),
        (["list", "--separator", ""], 2, "--separator is ''"),
        (["list", "--separator", "::"], 2, "--separator is '::'"),
        (["list", "--depth", "0"], 2, "invalid value for '--depth'"),
        (["list", "--rev", "3"], 1, "etcdserver: mvcc: required revision has been compacted"),
        (["list", "-w", "xml"], 2, "unsupported output format"),
    ],
)
def test_wrong_calls_are_refused(snapshot: Path, words: list[str], exit_code: int, message: str) -> None:
    verb, *rest = words
    done = invoke(verb, snapshot, *rest)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert done.stderr.startswith(f"Error: {message}")


@pytest.mark.parametrize("words", [["list"], ["history", "", "--prefix"], ["changes"], ["deleted", "--since-rev", "1"]])
def test_damaged_and_empty_files_are_told_apart(words: list[str]) -> None:
    verb, *rest = words
    damaged = invoke(verb, samples.packed("damaged/snapshots/leaf-count.db.gz"), *rest)
    assert (damaged.exit_code, damaged.stdout) == (10, "")
    assert "at offset 0x" in damaged.stderr
    assert "leaf-count.db.gz: " in damaged.stderr
    assert "etcdtool snapshot salvage" in damaged.stderr
    empty = invoke(verb, samples.packed("v3-extra/3.7/empty.db.gz"), *rest, "-w", "json")
    assert (empty.exit_code, empty.stderr.startswith("no v3 key")) == (0, True)


@pytest.mark.parametrize("words", [["list"], ["history", "l", "m"], ["changes"], ["deleted", "--since-rev", "1490"]])
@pytest.mark.parametrize("form", ["simple", "table", "fields", "json"])
def test_no_form_can_drive_a_terminal(snapshot: Path, words: list[str], form: str) -> None:
    verb, *rest = words
    done = invoke(verb, snapshot, *rest, "-w", form)
    assert done.exit_code == 0
    assert not any(ord(letter) < 32 and letter != "\n" for letter in done.stdout)
    assert done.raw.decode() == done.stdout


@pytest.mark.parametrize(
    "words", [["list"], ["get", "/a"], ["history", "/a", "--prefix"], ["changes"]], ids=lambda words: words[0]
)
def test_a_data_dir_with_v2_keys_alone_says_where_they_are(words: list[str]) -> None:
    verb, *rest = words
    done = invoke(verb, samples.packed("v2-auth/3.4/data.tar.gz"), *rest)
    assert done.exit_code == 0
    assert "etcdtool v2 list DATA_DIR" in done.stderr
    assert "v2 list" not in invoke(verb, samples.packed("v3/3.7/snapshot.db.gz"), *rest).stderr


VERBS = (
    ["get", "txn/", "--prefix"],
    ["list", "leased/"],
    ["history", "leased/", "--prefix", "--values"],
    ["changes", "--from-rev", "1500", "--to-rev", "1530"],
    ["deleted", "--since-rev", "1490", "--prefix", "leased/"],
)


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
@pytest.mark.parametrize("no_color", ["", "1"])
def test_a_terminal_of_80_columns_and_a_pipe_get_the_same_text(
    snapshot: Path, words: list[str], no_color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("COLUMNS", "80")
    verb, *rest = words
    argv = [sys.executable, "-m", "etcdtool", verb, str(snapshot), *rest]
    piped = subprocess.run(argv, capture_output=True, text=True, check=True)
    code = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))"
    terminal = subprocess.run(
        [sys.executable, "-c", code, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert terminal.stdout == piped.stdout + piped.stderr
    assert "\x1b" not in terminal.stdout
    assert max(map(len, terminal.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", [["get", "", "--prefix"], ["list"], ["history", "", "--prefix"], ["changes"]])
def test_a_reader_that_leaves_early_is_no_error(snapshot: Path, words: list[str]) -> None:
    verb, *rest = words
    argv = [sys.executable, "-m", "etcdtool", verb, str(snapshot), *rest]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        said = process.stderr.read()
    # what fits into the pipe was written before the reader left: then the call ends as ever
    assert (process.returncode, b"Error" in said, b"Traceback" in said) in {(0, False, False), (141, False, False)}


@pytest.mark.parametrize("words", [["history", "/app/cfg/010"], ["history", "txn/", "--prefix"], ["get", "txn/a"]])
def test_an_index_changes_nothing_but_the_time(
    snapshot: Path, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCDTOOL_CACHE_DIR", str(tmp_path))
    verb, *rest = words
    by_scan = invoke(verb, snapshot, *rest, "--no-index", "-w", "json")
    assert by_scan.stdout
    assert invoke(verb, snapshot, *rest, "--index", "-w", "json") == by_scan
    assert list(tmp_path.rglob("*.lmdb"))
