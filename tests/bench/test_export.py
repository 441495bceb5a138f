"""export to JSON lines in keys a second, and import; beside ``etcdutl hashkv``, which reads the same file once."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest
from bench.make_v3_data import snapshot
from bench.side_by_side import etcdtool, in_turn, machine
from support import real
from support.measure import Measured, measure

from etcdtool.model.keyspace import Keyspace
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from pathlib import Path

KEYS_A_SECOND_MIN = 100_000


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_export_in_keys_a_second(tmp_path: Path) -> None:
    source, target = snapshot("small"), tmp_path / "out"
    with open_database(source) as database:
        keyspace = Keyspace.read(database.image)
        counts = {"live keys": keyspace.live_key_count, "history": len(keyspace)}
    lines = {"live keys": tmp_path / "head.jsonl", "history": tmp_path / "history.jsonl"}
    for name, path in lines.items():
        etcdtool("export", source, "-o", path, *(["--history"] if name == "history" else []))
    copy = shutil.copy(source, tmp_path / "copy.db")  # the real one writes into its input
    theirs = partial(measure, [real.program("etcdutl", "3.7"), "hashkv", copy])
    print(f"\nexport and import, {source.stat().st_size >> 20} MiB, {machine('3.7')}")
    for name, flags in {"live keys": [], "history": ["--history"]}.items():
        ours, beside = in_turn(partial(once, target, "export", source, *flags), theirs, rounds=1)
        rate = counts[name] / ours.seconds
        print(
            f"export of {counts[name]:,} ({name}): {ours.seconds:.2f} s, {rate:,.0f} a second "
            f"(at least {KEYS_A_SECOND_MIN:,}), {ours.rss_anon_max >> 20} MiB; "
            f"etcdutl hashkv {beside.seconds:.2f} s: ratio {ours.seconds / beside.seconds:.2f}"
        )
        back = once(target, "import", lines[name])
        print(f"import of the same: {back.seconds:.2f} s, {back.rss_anon_max >> 20} MiB")


def once(target: Path, *words: str | Path) -> Measured:
    target.unlink(missing_ok=True)
    return etcdtool(*words, "-o", target)
