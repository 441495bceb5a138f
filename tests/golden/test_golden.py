"""Our own output, word for word: each ``.txt`` here is a command, its exit code and what it prints.

What is named ``*-80-columns`` is what a terminal of that width shows; the others go through a pipe.

``ETCDTOOL_GOLDEN=write pytest tests/golden`` writes them anew; read the diff before you commit it.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from support.cli import invoke
from support.terminal import on_terminal

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_output_is_as_it_was(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    command = page.read_text(encoding="utf-8").partition("\n")[0]
    words = shlex.split(command.removeprefix("$ etcdtool "))
    if page.stem.endswith("-80-columns"):
        exit_code, shown = on_terminal(*words)
    else:
        done = invoke(*words)
        exit_code, shown = done.exit_code, done.stdout + done.stderr
    printed = f"{command}\n{shown}exit {exit_code}\n"
    if os.environ.get("ETCDTOOL_GOLDEN") == "write":
        page.write_text(printed, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == printed


def test_there_are_pages() -> None:
    assert PAGES
