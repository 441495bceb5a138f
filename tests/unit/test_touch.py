"""`etcdtool.sources.touch`: pages of a map are in the process's page table before the reader comes."""

from __future__ import annotations

import mmap
import resource
import threading
from typing import TYPE_CHECKING

import pytest

from etcdtool.sources import touch
from etcdtool.sources.touch import Touched

if TYPE_CHECKING:
    from pathlib import Path

_SIZE = 64 << 20


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt


def _faults_of_a_reader(data: memoryview) -> int:
    before = _faults()
    assert sum(data[at] for at in range(0, len(data), mmap.PAGESIZE)) == 0
    return _faults() - before


@pytest.fixture
def mapped(tmp_path: Path) -> memoryview:
    path = tmp_path / "file"
    path.write_bytes(bytes(_SIZE))
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), _SIZE, prot=mmap.PROT_READ))


def test_a_reader_meets_no_faults_where_the_map_was_touched(mapped: memoryview) -> None:
    with Touched(mapped) as touched:
        touched.wait()
        assert _faults_of_a_reader(mapped) < _SIZE // mmap.PAGESIZE // 100


def test_it_ends_with_its_context(mapped: memoryview) -> None:
    with Touched(mapped):
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "touch"]


def test_it_leaves_a_file_alone_that_does_not_fit_into_memory(
    mapped: memoryview, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces: list[int] = []
    monkeypatch.setattr(touch.os, "writev", lambda _, buffers: pieces.append(len(buffers)))
    monkeypatch.setattr(touch, "_memory_size", lambda: _SIZE)
    with Touched(mapped) as touched:
        touched.wait()
    assert pieces == []


def test_it_is_silent_where_a_file_was_cut_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(_SIZE))
    with path.open("r+b") as file:
        data = memoryview(mmap.mmap(file.fileno(), _SIZE, prot=mmap.PROT_READ))
        file.truncate(0)
        with Touched(data) as touched:
            touched.wait()
