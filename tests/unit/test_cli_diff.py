"""``etcdtool snapshot diff`` as its user: forms, odd keys, values only when asked for, words that are off."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import invoke
from support.histories import Entry

if TYPE_CHECKING:
    from pathlib import Path

ODD = [b"/new\nline", b"/esc\x1b[31m", b"/\xff\xfe", b"/\xe2\x80\xae", b'/"quoted"\\']


def saved(path: Path, entries: list[Entry]) -> Path:
    path.write_bytes(written({b"key": [entry.pair() for entry in entries], b"meta": []}))
    return path


@pytest.fixture
def both(tmp_path: Path) -> list[Path]:
    before = [Entry(2, number, key, b"before\x1b") for number, key in enumerate(ODD)]
    after = [Entry(2, number, key, b"after\xff") for number, key in enumerate([*ODD[1:], b"/zzz"])]
    return [saved(tmp_path / "before.db", before), saved(tmp_path / "after.db", after)]


@pytest.mark.parametrize("form", ["simple", "table", "fields"])
@pytest.mark.parametrize("values", [False, True])
def test_odd_keys_and_values_drive_no_terminal(both: list[Path], form: str, values: bool) -> None:
    done = invoke("snapshot", "diff", *both, "-w", form, *(["--values"] if values else []))
    assert done.exit_code == 3
    assert all(line.isprintable() for line in done.stdout.splitlines())
    for shown in ("/new\\x0aline", "/esc\\x1b[31m", "/\\xff\\xfe", "/\\u202e"):
        assert (shown.replace("\\", "\\\\") if form == "fields" else shown) in done.stdout
    if form != "table":
        assert ("after\\\\xff" in done.stdout) == values


def test_json_is_without_loss(both: list[Path]) -> None:
    found = json.loads(invoke("snapshot", "diff", *both, "--values", "-w", "json").stdout)
    assert found["keys"] == {"added": 1, "removed": 1, "changed": 4, "leased": 0, "touched": 0, "identical": 0}
    assert [one.get("key") or one["key_b64"] for one in found["changes"]] == [
        '/"quoted"\\',
        "/esc\x1b[31m",
        "/new\nline",
        "/zzz",
        "/\u202e",
        "L//+",
    ]
    assert found["changes"][1]["before"]["value"] == "before\x1b"
    assert found["changes"][1]["after"]["value_b64"] == "YWZ0ZXL/"
    summary = json.loads(invoke("snapshot", "diff", *both, "--summary", "-w", "json").stdout)
    assert summary == {name: value for name, value in found.items() if name != "changes"}


def test_one_line_a_key(both: list[Path]) -> None:
    lines = invoke("snapshot", "diff", *both).stdout.splitlines()
    assert [line[0] for line in lines[:10]] == ["-", " ", "+", " ", "~", "~", "-", "+", "~", "~"]
    assert lines[-1] == "different"
    short = invoke("snapshot", "diff", *both, "--summary").stdout.splitlines()
    assert short == [*lines[:4], *lines[10:]]


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (["{0}"], 2),
        ([], 2),
        (["{0}", "{1}", "{1}"], 2),
        (["-", "-"], 2),
        (["{0}", "{1}", "--rev", "0"], 2),
        (["{0}", "{1}", "--rev", "2", "--at-common-revision"], 2),
        (["{0}", "{1}", "--ignore", "keys"], 2),
        (["{0}", "{1}", "--rev", "3"], 1),
        (["{0}", "/no/such/file"], 1),
        (["{0}", "{1}", "--rev", "2"], 3),
        (["{0}", "{0}", "--at-common-revision"], 0),
    ],
)
def test_exit_codes(both: list[Path], words: list[str], exit_code: int) -> None:
    done = invoke("snapshot", "diff", *(word.format(*both) for word in words))
    assert done.exit_code == exit_code
    assert (done.stderr != "") == (exit_code in {1, 2})


@pytest.mark.parametrize("place", [0, 1])
def test_a_damaged_file_is_named(place: int) -> None:
    paths = [samples.unpack("damaged/snapshots/good.db.gz"), samples.unpack("damaged/snapshots/leaf-count.db.gz")]
    done = invoke("snapshot", "diff", *(paths if place else paths[::-1]))
    assert (done.exit_code, done.stdout) == (10, "")
    assert str(paths[1]) in done.stderr


def test_one_of_them_may_be_stdin(both: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(both[1].read_bytes())))
    done = invoke("snapshot", "diff", both[0], "-", "--summary")
    assert done.exit_code == 3
    assert "+++ stdin\n    database without a trailer, revision 2, 5 keys\n" in done.stdout


def test_a_terminal_of_80_columns_and_a_pipe_get_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    snapshots = [samples.unpack(f"v3/{version}/snapshot.db.gz") for version in ("3.6", "3.7")]
    argv = [sys.executable, "-m", "etcdtool", "snapshot", "diff", "snapshot.db", str(snapshots[1])]
    code = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    piped, terminal = (
        subprocess.run(
            words, cwd=snapshots[0].parent, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        for words in (argv, [sys.executable, "-c", code, *argv])
    )
    assert piped.returncode == terminal.returncode == 3
    assert terminal.stdout == piped.stdout
    assert "\x1b" not in terminal.stdout
    assert all(len(line) <= 80 for line in terminal.stdout.splitlines() if not line.startswith("+++"))


def test_a_compacted_revision_is_no_common_one(tmp_path: Path) -> None:
    old = saved(tmp_path / "old.db", [Entry(2, 0, b"k", b"v")])
    new = samples.unpack("v3/3.7/snapshot.db.gz")
    done = invoke("snapshot", "diff", old, new, "--at-common-revision")
    assert done.exit_code == 1
    assert f"no revision that both hold: {new} is compacted at 1495, and {old} ends at 2" in done.stderr
