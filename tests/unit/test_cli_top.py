"""``etcdtool top`` as its user: forms, odd keys, words that are off."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import invoke
from support.histories import Entry

if TYPE_CHECKING:
    from pathlib import Path

ODD = [b"/new\nline/k", b"/esc\x1b[31m/k", b"/\xff\xfe/k", b"/\xe2\x80\xae/k", b'/"quoted"\\/k']


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    path = tmp_path / "odd.db"
    entries = [Entry(2 + number, 0, key, b"value") for number, key in enumerate(ODD)]
    path.write_bytes(written({b"key": [entry.pair() for entry in entries], b"meta": []}))
    return path


@pytest.mark.parametrize("form", ["simple", "table", "fields"])
def test_odd_keys_drive_no_terminal(odd: Path, form: str) -> None:
    done = invoke("top", odd, "-w", form)
    assert done.exit_code == 0
    assert not set(done.stdout) & {"\x1b", "\u202e", "\udcff"}
    for shown in ("/new\\x0aline/", "/esc\\x1b[31m/", "/\\xff\\xfe/", "/\\u202e/"):
        assert (shown.replace("\\", "\\\\") if form == "fields" else shown) in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())


def test_json_has_odd_keys_without_loss(odd: Path) -> None:
    found = json.loads(invoke("top", odd, "--by", "key", "--sort", "group", "-w", "json").stdout)
    assert {group.get("group") or group["group_b64"] for group in found["groups"]} == {
        "/new\nline/k",
        "/esc\x1b[31m/k",
        "L//+L2s=",
        "/\u202e/k",
        '/"quoted"\\/k',
    }
    assert found["residual"] == 0


@pytest.mark.parametrize(
    "words", [["--by", "colour"], ["--depth", "-1"], ["--sort", "x"], ["--limit", "-3"], [], ["--prefix"]]
)
def test_words_that_are_off(words: list[str]) -> None:
    arguments = [samples.packed("v3/3.7/snapshot.db.gz"), *words] if words else []
    done = invoke("top", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: " in done.stderr


def test_limits_and_sorts_agree(tmp_path: Path) -> None:
    source = samples.unpack("v3/3.7/snapshot.db.gz")
    everything = json.loads(invoke("top", source, "--by=key", "--limit=0", "-w", "json").stdout)
    for sort in ("total", "live", "historic", "tombstones", "overhead", "keys", "revisions"):
        found = json.loads(invoke("top", source, "--by=key", f"--sort={sort}", "--limit=7", "-w", "json").stdout)
        expected = sorted((group[sort] for group in everything["groups"]), reverse=True)[:7]
        assert [group[sort] for group in found["groups"]] == expected
        assert found["groupCount"] == everything["groupCount"] == len(everything["groups"])
        for name in ("total", "keys", "revisions"):
            whole = sum(group[name] for group in everything["groups"])
            assert sum(group[name] for group in found["groups"]) + found["rest"][name] == whole
    assert list(tmp_path.iterdir()) == []


def test_a_data_dir_and_its_snapshot_hold_the_same_groups() -> None:
    found = [
        json.loads(invoke("top", samples.unpack(name), "--by=namespace", "-w", "json").stdout)
        for name in ("v3/3.7/snapshot.db.gz", "v3/3.7/data.tar.gz")
    ]
    assert [group["live"] for group in found[0]["groups"]] == [group["live"] for group in found[1]["groups"]]
    assert found[1]["residual"] == 0
    assert any(part["name"] == "beyond the high-water mark" for part in found[1]["parts"])


@pytest.mark.parametrize("words", [[], ["--by=kind"], ["--by=namespace", "--prefix=/registry/"], ["--by=size-class"]])
def test_a_terminal_of_80_columns_and_a_pipe_get_the_same_text(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    snapshot = samples.unpack("v3/3.7/snapshot.db.gz")
    argv = [sys.executable, "-m", "etcdtool", "top", snapshot.name, *words]
    code = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))"
    piped, terminal = (
        subprocess.run(argv, cwd=snapshot.parent, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
        for argv in (argv, [sys.executable, "-c", code, *argv])
    )
    assert terminal.stdout == piped.stdout
    assert "\x1b" not in terminal.stdout
    assert max(map(len, terminal.stdout.splitlines())) <= 80


def test_a_reader_that_leaves_early_is_no_error() -> None:
    argv = [sys.executable, "-m", "etcdtool", "top", samples.unpack("v3/3.7/snapshot.db.gz"), "--by=key", "--limit=0"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode in {0, 141}
