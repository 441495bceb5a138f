"""``get`` against what real servers answered when the samples were made, its forms, and the calls that it refuses."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.bbolt_files import written
from support.booted import recorded_kvs
from support.cli import invoke

from etcdtool.model.gotext import quoted_bytes
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.revision import pack_revision

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT = "v3/3.6/snapshot.db.gz"
VERSIONS = ("3.2", "3.4", "3.5", "3.6", "3.7")
RECORDED = [(f"v3/{version}", name) for version in VERSIONS for name in ("latest", "mid", "compact")]


@pytest.fixture(scope="module")
def snapshot() -> Path:
    return samples.unpack(SNAPSHOT)


def asked(folder: str, name: str) -> int:
    return int(samples.expected(folder)["live"]["revisions"][name])


@pytest.mark.parametrize(("folder", "name"), RECORDED)
def test_every_key_is_as_the_server_gave_it(folder: str, name: str) -> None:
    source = samples.packed(f"{folder}/snapshot.db.gz")
    done = invoke("get", source, "", "--from-key", "--rev", asked(folder, name), "-w", "json")
    found = json.loads(done.stdout)
    kvs = [{field: str(value) for field, value in kv.items()} for kv in found["kvs"]]
    assert kvs == recorded_kvs(folder, name)
    assert found["header"] == {"revision": asked(folder, "latest")}
    assert found["count"] == len(kvs)


@pytest.mark.parametrize("engine", ["columns", "plain"])
def test_a_data_dir_and_stdin_are_sources_too(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDTOOL_ENGINE", engine)
    assert invoke("get", samples.unpack("v3/3.6/data.tar.gz"), "marker/A").stdout.startswith("marker/A\n")
    argv = [sys.executable, "-m", "etcdtool", "get", "-", "marker/A", "--print-value-only"]
    with samples.unpack(SNAPSHOT).open("rb") as stream:
        done = subprocess.run(argv, stdin=stream, capture_output=True, check=True)
    assert done.stdout == invoke("get", samples.unpack(SNAPSHOT), "marker/A", "--print-value-only").raw


def test_a_value_comes_byte_for_byte(snapshot: Path) -> None:
    kvs = {base64.b64decode(kv["key"]): kv.get("value", "") for kv in recorded_kvs("v3/3.6")}
    for key in (b"invalid-utf8-\xff\xfe", b"line\nbreak", b"big/20k-random", b"empty-value"):
        done = invoke("get", snapshot, os.fsdecode(key))
        assert done.raw == key + b"\n" + base64.b64decode(kvs[key]) + b"\n"


def test_a_key_that_is_not_there_prints_nothing(snapshot: Path) -> None:
    done = invoke("get", snapshot, "/nowhere")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    assert invoke("get", snapshot, "/nowhere", "-w", "json").stdout == '{"header":{"revision":1683}}\n'


def test_the_limit_counts_and_says_that_there_is_more(snapshot: Path) -> None:
    found = json.loads(invoke("get", snapshot, "marker/", "--prefix", "--limit", "2", "-w", "json").stdout)
    assert (len(found["kvs"]), found["more"], found["count"]) == (2, True, 10)


def test_a_limit_without_an_order_comes_before_the_sort(snapshot: Path) -> None:
    words = ("marker/", "--prefix", "--sort-by=MODIFY", "--limit=1", "--print-value-only")
    first = invoke("get", snapshot, "marker/", "--prefix", "--limit=2", "--print-value-only").stdout.splitlines()
    assert invoke("get", snapshot, *words).stdout.splitlines()[0] in first
    newest = invoke("get", snapshot, *words, "--order=DESCEND").stdout
    assert newest == invoke("get", snapshot, "marker/last", "--print-value-only").stdout


@pytest.mark.parametrize("name", VERSIONS)
def test_revisions_out_of_reach_are_refused_in_the_servers_words(name: str) -> None:
    source, live = samples.packed(f"v3/{name}/snapshot.db.gz"), samples.expected(f"v3/{name}")["live"]
    for revision, answer in (
        (asked(f"v3/{name}", "compact") - 1, live["range_before_compaction"]),
        (asked(f"v3/{name}", "latest") + 1, live["range_future"]),
    ):
        done = invoke("get", source, "marker/A", "--rev", revision)
        assert done.exit_code == 1
        assert done.stderr.startswith(f"Error: {answer['message']}. The ")


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        ([], 128, "get command needs one argument as key and an optional argument as range_end"),
        (["a", "b", "c"], 128, "too many arguments, only accept a key and a range_end"),
        (["a", "b", "--prefix"], 128, "too many arguments, only accept one argument when `--prefix` or `--from-key`"),
        (
            ["a", "--prefix", "--from-key"],
            128,
            "`--prefix` and `--from-key` cannot be set at the same time, choose one",
        ),
        (["a", "--keys-only", "--count-only"], 128, "`--keys-only` and `--count-only` cannot be set at the same time"),
        (["a", "--count-only"], 128, "--count-only is only for `--write-out=fields`"),
        (["a", "--print-value-only", "-w", "json"], 128, "print-value-only is only for `--write-out=simple`"),
        (["a", "--consistency", "x"], 4, 'unknown consistency flag "x"'),
        (["a", "--order", "up"], 4, "bad sort order up"),
        (["a", "--sort-by", "size"], 4, "bad sort target size"),
        (["a", "--min-create-rev=5", "--max-create-rev=4"], 4, "getMinCreateRev(=5) > getMaxCreateRev(=4)"),
        (["a", "--min-mod-rev=5", "--max-mod-rev=4"], 4, "getMinModRev(=5) > getMaxModRev(=4)"),
        (["a", "-w", "table"], 4, "table not supported as output format"),
        (["a", "-w", "yaml"], 4, "unsupported output format"),
        (["a", "--count-only", "-w", "protobuf"], 128, "--count-only is only for `--write-out=fields`"),
        (["a", "--print-value-only", "-w", "protobuf"], 128, "print-value-only is only for `--write-out=simple`"),
        (
            ["a", "--rev", "x"],
            1,
            'invalid argument "x" for "--rev" flag: strconv.ParseInt: parsing "x": invalid syntax',
        ),
        (["a", "--nope"], 1, "unknown flag: --nope"),
        ([""], 1, "etcdserver: key is not provided"),
        (["a", "--stream", "--order=DESCEND"], 1, "RangeStream does not support custom sort orders"),
        (["a", "--stream", "--min-mod-rev=3"], 1, "RangeStream does not support revision filters"),
    ],
)
def test_wrong_calls_are_refused_as_by_etcdctl(snapshot: Path, words: list[str], exit_code: int, message: str) -> None:
    done = invoke("get", snapshot, *words)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert done.stderr[len("Error: ") :].lower().startswith(message.lower())


@pytest.mark.parametrize("engine", ["columns", "plain"])
def test_a_damaged_file_is_refused_with_the_place(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDTOOL_ENGINE", engine)
    done = invoke("get", samples.packed("damaged/snapshots/leaf-count.db.gz"), "marker/A")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "at offset 0x" in done.stderr


def test_what_holds_no_v3_data_is_named() -> None:
    done = invoke("get", samples.unpack("v2-only-wal/2.3/data.tar.gz"), "a")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "holds no v3 database" in done.stderr


def test_on_a_terminal_nothing_drives_it(snapshot: Path) -> None:
    code = "import pty, sys; sys.exit(pty.spawn([sys.executable, '-m', 'etcdtool', 'get', *sys.argv[1:]]))"
    argv = [sys.executable, "-c", code, str(snapshot), b"invalid-utf8-\xff\xfe", "--keys-only"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert done.stdout.rstrip() == rb"invalid-utf8-\xff\xfe"


def test_bytes_are_quoted_as_go_quotes_them() -> None:
    # fmt.Printf("%q") of go 1.26
    cases = {
        b'say "\\"': r'"say \"\\\""',
        b"\a\b\f\n\r\t\v\x00\x1b\x7f": r'"\a\b\f\n\r\t\v\x00\x1b\x7f"',
        b"\xff\xe2\x82a\xed\xa0\x80": r'"\xff\xe2\x82a\xed\xa0\x80"',
        "é 鍵 \u0085 \u202e \u00a0 \ufffd".encode(): '"é 鍵 \\u0085 \\u202e \\u00a0 \ufffd"',
        "\U0001f511 \U000e0001".encode(): '"\U0001f511 \\U000e0001"',
    }
    assert {text: quoted_bytes(text) for text in cases} == cases


@pytest.mark.parametrize("engine", ["columns", "plain"])
def test_damage_in_another_key_keeps_nobody_from_reading_this_one(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETCDTOOL_ENGINE", engine)
    good = [(pack_revision(main), encode_key_value(b"key%d" % main, main, main, 1, b"v")) for main in (2, 3, 4)]
    path = tmp_path / "odd.db"
    data = bytearray(written({b"key": good, b"meta": []}))
    at = data.index(good[1][0])
    data[at + 8] = ord("-")  # where the underscore of revision 3 was
    path.write_bytes(data)
    assert invoke("get", path, "key2", "--print-value-only").stdout == "v\n"
    refused = invoke("get", path, "key3")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "revision" in refused.stderr
