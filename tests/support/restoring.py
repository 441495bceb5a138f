"""Restores as tests ask for them, of the samples or of changed ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from support import samples
from support.bbolt_files import applied
from support.cli import invoke

from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.formats.digest import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.cli import Outcome


THREE = "n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380,n3=http://10.0.0.3:2380"
"""Three members, as --initial-cluster has them."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def snapshot_of(version: str) -> Path:
    return samples.unpack(f"v3/{version}/snapshot.db.gz")


def changed(path: Path, change: Callable[[Transaction], object]) -> Path:
    """Write the sample with changes, and a right sha256."""
    data = snapshot_of("3.6").read_bytes()[:-32]
    transaction = Transaction(Image.open(memoryview(data)))
    change(transaction)
    written = applied(data, transaction.commit())
    digest = sha256_of(memoryview(written))
    assert digest is not None
    path.write_bytes(written + digest)
    return path


def run(source: Path, *words: object) -> Outcome:
    return invoke("snapshot", "restore", source, *words)


def done(source: Path, *words: object) -> Outcome:
    outcome = run(source, *words)
    assert outcome.exit_code == 0, outcome.stderr
    return outcome


def told(outcome: Outcome, message: str) -> list[Any]:
    lines = [line.split("\t") for line in outcome.stderr.splitlines()]
    return [json.loads(words[4]) if len(words) > 4 else {} for words in lines if len(words) > 3 and message in words[3]]
