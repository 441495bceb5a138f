"""Completion in PowerShell: the script by PowerShell's grammar, and what the program answers when it is asked so."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import tree_sitter
import tree_sitter_powershell
from support.cli import invoke


def complete(*words: str, current: str = "") -> list[list[str]]:
    """Ask as the script does; return kind, word and help of each answer."""
    asked = {"_ETCDTOOL_COMPLETE": "powershell_complete", "COMP_WORDS": "\n".join(("etcdtool", *words))}
    if current:  # PowerShell takes a variable that is set to nothing away
        asked["COMP_CWORD"] = current
    done = subprocess.run(
        [sys.executable, "-m", "etcdtool"], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


def errors_in(script: str) -> list[str]:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    pending, found = [parser.parse(script.encode()).root_node], []
    while pending:
        node = pending.pop()
        pending += node.children
        if node.is_error or node.is_missing:
            found.append(f"{node.start_point}: {node.type}")
    return found


def test_the_script_is_powershell() -> None:
    done = invoke("completion", "powershell")
    assert (done.exit_code, done.stderr) == (0, "")
    assert errors_in(done.stdout) == []
    assert errors_in(done.stdout.replace("}", "", 1)) != []  # the grammar does look at it
    for part in ("-CommandName 'etcdtool'", "$env:_ETCDTOOL_COMPLETE = 'powershell_complete'"):
        assert part in done.stdout


def test_a_group_and_its_commands() -> None:
    assert [word for _, word, _ in complete("snapshot", current="re")] == ["restore"]
    assert ["plain", "snapshot", "Look at and check v3 snapshot files."] in complete()
    assert {"bash", "zsh"}.isdisjoint(word for _, word, _ in complete("snapshot"))


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_flag(quote: str) -> None:
    ((kind, word, help_),) = complete("snapshot", "restore", "a file's name.db", current=f"{quote}--data-d")
    assert (kind, word) == ("plain", "--data-dir")
    assert help_


def test_a_word_after_its_flag() -> None:
    words = {word for _, word, _ in complete("snapshot", "restore", "--level")}
    assert {"quick", "full"} <= words
    assert {f"--level={word}" for word in words} == {
        word for _, word, _ in complete("snapshot", "restore", current="--level=")
    }


def test_files_are_left_to_powershell() -> None:
    assert {kind for kind, _, _ in complete("snapshot", "status", current="samp")} == {"file"}


def test_every_line_has_a_help() -> None:
    for words in ((), ("snapshot",), ("snapshot", "restore")):
        for line in complete(*words, current="-"):
            assert len(line) == 3
            assert all(line)
