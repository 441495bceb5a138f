"""Our own output, word for word: each ``.txt`` here is a command, its exit code and what it prints.

``ETCDTOOL_GOLDEN=write pytest tests/golden`` writes them anew; read the diff before you commit it.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from support.cli import invoke

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_output_is_as_it_was(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    command = page.read_text(encoding="utf-8").partition("\n")[0]
    done = invoke(*shlex.split(command.removeprefix("$ etcdtool ")))
    printed = f"{command}\n{done.stdout}{done.stderr}exit {done.exit_code}\n"
    if os.environ.get("ETCDTOOL_GOLDEN") == "write":
        page.write_text(printed, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == printed


def test_there_are_pages() -> None:
    assert PAGES
