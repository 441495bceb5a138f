"""``changes`` and ``history`` beside a live server's watch from the compaction on, over random histories.

``--seed`` repeats one.
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from support import real
from support.cli import invoke
from support.watches import Told, watched
from support.writers import OddWriter

if TYPE_CHECKING:
    import random
    from pathlib import Path

CHANGES, CHANGES_FULL = 150, 600


def versions() -> list[Any]:
    """Give the newest version, and with --full the others too."""
    marks = {version: [] if version == "3.7" else [pytest.mark.full] for version in ("3.4", "3.5", "3.6", "3.7")}
    return [pytest.param(version, id=version, marks=mark) for version, mark in marks.items()]


def octets(record: dict[str, Any], name: str) -> bytes:
    if name in record:
        return str(record[name]).encode()
    return base64.b64decode(record.get(f"{name}_b64", ""))


def ours(record: dict[str, Any], key: bytes | None = None, *, compacted: int) -> Told:
    is_delete = record["type"] == "DELETE"
    # a watch tells nothing of what was before a creation, or before the compacted revision
    unknown = record["revision"] in {record["create_revision"], compacted}
    return Told(
        is_delete,
        octets(record, "key") if key is None else key,
        record["revision"],
        record["create_revision"],
        record["version"],
        record["lease"],
        octets(record, "value"),
        None if unknown else record["prev_revision"],
    )


@pytest.mark.parametrize("version", versions())
def test_changes_and_history_are_what_a_watch_tells(
    version: str, tmp_path: Path, rng: random.Random, pytestconfig: pytest.Config
) -> None:
    path = tmp_path / "snapshot.db"
    with real.Server(version, tmp_path / "data") as server:
        writer = OddWriter(server, rng)
        count = CHANGES_FULL if pytestconfig.getoption("--full") else CHANGES
        for number in range(count):
            writer.change(compact=False)
            if number == count // 2:
                writer.compact()
        writer.put()
        server.etcdctl("snapshot", "save", path)
        events = watched(server, writer.compacted, writer.revision)
    lines = invoke("changes", path, "--values", "-w", "json").stdout.splitlines()
    assert [ours(json.loads(line), compacted=writer.compacted) for line in lines] == events
    assert len({event.key for event in events}) > 20
    assert sum(event.is_delete for event in events) > 10

    by_key = defaultdict(list)
    for event in events:
        by_key[event.key].append(event)
    told = {}
    for line in invoke("history", path, "", "--prefix", "--values", "-w", "json").stdout.splitlines():
        found = json.loads(line)
        key = octets(found, "key")
        events_of_key = (event for event in found["events"] if event["revision"] >= writer.compacted)
        told[key] = [ours(event, key, compacted=writer.compacted) for event in events_of_key]
        assert found["exists"] == (found["events"][-1]["type"] == "PUT")
        first, *others = found["events"]
        assert first["missing_versions"] == (first["version"] - 1 if first["type"] == "PUT" else None)
        assert all(event["missing_versions"] == 0 for event in others)
    assert {key: of_key for key, of_key in told.items() if of_key} == by_key

    below = invoke("changes", path, "--from-rev", writer.compacted - 1)
    assert (below.exit_code, below.stdout) == (1, "")
    assert "etcdserver: mvcc: required revision has been compacted" in below.stderr
