"""Logs of real servers by columns: the same as record by record, and hardly a record is left to the slow way."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from support import samples
from support.wal_files import read_segments, small_log

from etcdtool.formats import wal
from etcdtool.formats.wal.column_pass import BlockSizes
from etcdtool.formats.wal.columns import frame_offsets, read_rows
from etcdtool.formats.words import unaligned_words

LOGS = [
    "v2-rich/2.3/data-clean.tar.gz",
    "v2-rich/3.2/data-killed.tar.gz",
    "v2-rich/3.4/data-clean.tar.gz",
    "v3/3.5/data.tar.gz",
    "v3/3.6/data.tar.gz",
    "v3/3.7/data.tar.gz",
]


@pytest.mark.parametrize("name", LOGS)
def test_both_engines_read_a_real_log_the_same(name: str) -> None:
    segments = read_segments(samples.unpack(name) / "member" / "wal")
    plain = wal.scan(segments, engine="plain")
    assert plain.entry_count
    assert wal.scan(segments, block_sizes=BlockSizes(plain_bytes=0)) == plain
    assert wal.scan(segments, block_sizes=BlockSizes(frames=7, shortest_run=1, plain_bytes=0)) == plain


@pytest.mark.parametrize("name", LOGS)
def test_real_entries_and_states_are_usual(name: str) -> None:
    segment = read_segments(samples.unpack(name) / "member" / "wal")[0]
    rows = read_rows(unaligned_words(segment.data), frame_offsets(segment.data, 0, 1 << 20))
    others = len(rows.stop) - len(rows.entries.row) - len(rows.states.row)
    assert others < 20  # metadata, checksums, snapshots, and what a vote of 0 leaves out
    assert np.count_nonzero(rows.is_odd) == others


def test_runs_between_odd_rows() -> None:
    segment = small_log(40)[0]
    rows = read_rows(unaligned_words(segment.data), frame_offsets(segment.data, 0, 1 << 20))
    assert rows.runs(32) == [(0, 3, True), (3, 83, False)]
    assert rows.runs(100) == [(0, 83, True)]
    assert len(rows.entries_of(3, 13).row) == len(rows.states_of(3, 13).row) == 5


def test_frames_end_where_nothing_was_written_yet() -> None:
    segment = small_log(3, allocated_size=4096)[0]
    offsets = frame_offsets(segment.data, 0, 1 << 20)
    assert len(offsets) == 10
    assert offsets[-1] == wal.scan([segment]).end_offset
    assert list(frame_offsets(segment.data, offsets[4], 2)) == list(offsets[4:7])
    assert list(frame_offsets(segment.data[: offsets[5] + 9], offsets[4], 5)) == list(offsets[4:6])


def test_a_small_log_is_read_without_numpy() -> None:
    program = (
        "import sys; from support.wal_files import small_log; from etcdtool.formats import wal;"
        "assert wal.scan(small_log(50)).last_index == 50; sys.exit('numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": "tests"})
