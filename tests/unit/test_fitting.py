"""Rows on a terminal: as wide as that is, and nothing of them gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import samples
from support.bbolt_files import written
from support.cli import invoke
from support.histories import Entry
from support.terminal import on_terminal
from wcwidth import wcswidth

from etcdtool.cli.fitting import aligned, fitted, hanging, least_width

if TYPE_CHECKING:
    from pathlib import Path

ODD = [
    b"/registry/pods/shop/new\nline",
    b"/registry/pods/shop/\x1b[31mred",
    b"/registry/pods/shop/right-to-left-\xe2\x80\xae-and-\xc2\x9b-and-a-long-name-behind-it",
    "/registry/configmaps/店/長い名前".encode(),
]


def test_what_is_short_stays_as_it_is() -> None:
    assert fitted([["ID", "NAME"], ["1", "one"]], 80) == [["ID", "NAME"], ["1", "one"]]


def test_the_widest_column_goes_on_below_itself() -> None:
    rows = [["KEYS", "NAME"], ["1", "/registry/configmaps/default/as-json"]]
    assert fitted(rows, 34)[1] == ["1", "/registry/configmaps/default/\nas-json"]
    assert fitted(rows, 24)[1] == ["1", "/registry/\nconfigmaps/default/\nas-json"]


def test_lines_beside_each_other_stay_there() -> None:
    rows = [["RANGE", "PERMISSION"], ["[/app/, /app0) (prefix /app/)\nother", "READ\nWRITE"]]
    assert fitted(rows, 30)[1] == ["[/app/, /app0)\n(prefix /app/)\nother", "READ\n\nWRITE"]


def test_ids_and_numbers_are_the_last_to_break() -> None:
    row = ["697c51d377acd50a", "http://127.0.0.1:26002", "1234567890"]
    assert fitted([["ID", "URL", "N"], row], 38)[1] == [row[0], "http://127.\n0.0.1:26002", row[2]]
    assert least_width([["ID", "URL", "N"], row]) == 16 + 7 + 10


def test_a_word_without_an_end_is_broken() -> None:
    rows = [["SIZE", "KEY"], ["1 MB", "k" * 1_500_000]]
    folded = fitted(rows, 40)[1][1].split("\n")
    assert ("".join(folded), max(map(len, folded))) == ("k" * 1_500_000, 36)


def test_letters_of_two_columns_are_counted_so() -> None:
    folded = fitted([["KEY"], ["鍵" * 20]], 15)[1][0].split("\n")
    assert [wcswidth(line) for line in folded] == [14, 14, 12]


def test_a_pipe_gets_rows_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert hanging("1  ", "k" * 200) == "1  " + "k" * 200
    assert list(aligned([["A", "B"], ["x" * 200, "1"]], left={0})) == [f"A{'':199}  B", f"{'x' * 200}  1"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("columns", [64, 80, 200])
def test_objects_with_odd_names_fit_and_drive_no_terminal(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "odd.db"
    path.write_bytes(
        written({b"key": [Entry(at, 0, key, b"{}").pair() for at, key in enumerate(ODD, start=2)], b"meta": []})
    )
    exit_code, shown = on_terminal("k8s", "list", path, columns=columns)
    assert exit_code == 0
    assert "\x1b" not in shown
    assert r"\u202e" in shown.replace("\n", "").replace(" ", "")
    assert max(map(wcswidth, shown.splitlines()[:-1])) <= columns
    piped = invoke("k8s", "list", path)
    assert sorted("".join(piped.stdout.split())) == sorted("".join(shown.removesuffix(piped.stderr).split()))


ENVIRONMENTS = [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": "xterm-256color", "CLICOLOR_FORCE": "1"}]
TABLES = [
    ["k8s", "list"],
    ["k8s", "list", "-w", "table"],
    ["list", "--depth", "9"],
    ["list", "--depth", "9", "-w", "table"],
    ["history", "--prefix", "", "-w", "table"],
    ["changes"],
    ["changes", "-w", "table"],
    ["deleted", "--since-rev", "1", "-w", "table"],
    ["top"],
    ["top", "-w", "table"],
    ["top", "--by", "key"],
    ["top", "--by", "kind", "-w", "table"],
    ["buckets", "-w", "table"],
    ["member", "list", "-w", "table"],
    ["lease", "list", "--keys"],
    ["lease", "list", "-w", "table"],
    ["page", "-w", "table"],
    ["auth", "-w", "table"],
]


@pytest.mark.parametrize("words", TABLES, ids=" ".join)
def test_tables_fit_80_columns_with_and_without_color(words: list[str]) -> None:
    snapshot = samples.unpack("k8s/3.6/snapshot.db.gz")
    at = 2 if words[1:2] == ["list"] else 1
    words = [*words[:at], str(snapshot), *words[at:]]
    shown = {on_terminal(*words, environment=environment) for environment in ENVIRONMENTS}
    assert len(shown) == 1
    exit_code, text = shown.pop()
    assert exit_code == 0
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if wcswidth(line) > 80 and str(snapshot) not in line] == []
