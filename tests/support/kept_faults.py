"""What each program said of each fault of the whole damage corpus, as the repository keeps it.

A file of JSON lines, packed; written by ``make damage-table``.  Each line tells which program said it, with its
version: what another one says has to be asked.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PATH", "PROGRAMS", "read", "verdicts_of", "write"]

PATH = Path(__file__).resolve().parents[2] / "docs" / "reference" / "damage-faults.jsonl.zst"
PROGRAMS = "programs"
"""Where a line names the program behind each tool."""

_LEVEL = 19


def write(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Keep these faults."""
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zstandard.compress(text.encode(), _LEVEL))


def read(path: Path = PATH) -> list[dict[str, Any]]:
    """Give the faults that are kept; none where there is no such file."""
    if not path.exists():
        return []
    text = zstandard.decompress(path.read_bytes()).decode()
    return [json.loads(line) for line in text.splitlines()]


def verdicts_of(program: str) -> Mapping[str, tuple[str, str]]:
    """Give what this program said: sha256 of the input to (word, words said)."""
    return _verdicts().get(program, {})


@cache
def _verdicts() -> dict[str, dict[str, tuple[str, str]]]:
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for line in read():
        for tool, program in line[PROGRAMS].items():
            word, said = line[tool]
            found.setdefault(program, {})[line["sha256"]] = (word, said)
    return found
