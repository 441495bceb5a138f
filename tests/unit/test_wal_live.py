"""A log that a server is writing to: what was read of its end can be any part of a write."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from support.wal_files import frame_offsets, small_log, with_bytes

from etcdtool.errors import FormatError, SourceError
from etcdtool.formats import wal
from etcdtool.formats.raft import ConfState
from etcdtool.formats.snap import pack_snap_file, parse_snap_file, snap_name
from etcdtool.formats.wal.every_record import Damage, iter_all_records
from etcdtool.operations.snap_source import open_snap
from etcdtool.sources import InputFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.formats.engine import Engine

ENGINES: tuple[Engine, ...] = ("columns", "plain")
ALLOCATED = 1 << 14


def opened(path: Path, before: bytes, after: bytes) -> wal.Segment:
    """Read a file, which has other bytes by now."""
    path.write_bytes(before)
    file = InputFile.open(path, in_use=True)
    path.write_bytes(after)
    return wal.Segment(path.name, 0, 0, file.data, file.read_again)


def opened_snap(path: Path, *, in_use: bool) -> memoryview:
    file = open_snap(path, in_use=in_use)
    assert file is not None
    return file.data


def read(segment: wal.Segment, engine: Engine) -> tuple[list[int], list[str]]:
    found = wal.scan([segment], engine=engine)
    return list(found.terms), [finding.code for finding in found.findings]


def tears(whole: bytes, start: int, stop: int) -> list[bytes]:
    """Give what can be read of the write of ``whole[start:stop]``: its begin, its end, or both without a middle.

    Words of eight bytes, at which frames begin, are read whole.
    """
    empty = bytes(stop - start)
    written = whole[start:stop]
    torn = []
    for at in range(8, len(empty), 8):
        torn.append(written[:at] + empty[at:])
        torn.append(empty[:at] + written[at:])
        torn.append(written[: at // 16 * 8] + empty[at // 16 * 8 : at] + written[at:])
    return [whole[:start] + one + whole[stop:] for one in torn]


@pytest.mark.parametrize("engine", ENGINES)
def test_any_part_of_a_write_is_read_again(engine: Engine, tmp_path: Path) -> None:
    log = small_log(6, allocated_size=ALLOCATED)[0]
    whole, offsets = bytes(log.data), frame_offsets(log)
    expected = read(log, engine)
    assert expected == ([2] * 6, [])
    for torn in tears(whole, offsets[-3], offsets[-1]):
        assert read(opened(tmp_path / log.name, torn, whole), engine) == expected


def test_the_same_for_who_reads_every_record(tmp_path: Path) -> None:
    log = small_log(6, allocated_size=ALLOCATED)[0]
    whole, offsets = bytes(log.data), frame_offsets(log)
    expected = list(iter_all_records([log]))
    assert not any(isinstance(one, Damage) for one in expected)
    for torn in tears(whole, offsets[-3], offsets[-1]):
        found = list(iter_all_records([opened(tmp_path / log.name, torn, whole)]))
        assert found in (expected, expected[:-1])  # the state behind the last entry may not have been begun


def test_what_was_allocated_and_is_cut_off_reads_as_nothing(tmp_path: Path) -> None:
    log = small_log(6, allocated_size=ALLOCATED)[0]
    whole, offsets = bytes(log.data), frame_offsets(log)
    torn = whole[: offsets[-2]] + bytes(9) + whole[offsets[-2] + 9 :]
    assert read(opened(tmp_path / log.name, torn, whole[: offsets[-1]]), "columns") == ([2] * 6, [])


def _leave(path: Path) -> None:
    assert path.exists()


@pytest.mark.parametrize("happens", [_leave, lambda path: path.unlink()], ids=["stays", "goes away"])
@pytest.mark.parametrize("engine", ENGINES)
def test_damage_that_stays_is_refused(engine: Engine, happens: Callable[[Path], object], tmp_path: Path) -> None:
    log = small_log(6, allocated_size=ALLOCATED)[0]
    damaged = bytearray(log.data)
    damaged[frame_offsets(log)[5] + 20] ^= 1
    segment = opened(tmp_path / log.name, bytes(damaged), bytes(damaged))
    happens(tmp_path / log.name)
    with pytest.raises(FormatError, match="stored"):
        wal.scan([segment], engine=engine)
    assert any(isinstance(one, Damage) for one in iter_all_records([segment]))


def test_damage_in_a_log_that_grows_for_ever_is_refused() -> None:
    log = small_log(6, allocated_size=ALLOCATED)[0]
    damaged = bytearray(log.data)
    at = frame_offsets(log)[5]
    damaged[at + 20] ^= 1
    looks: list[int] = []

    def grow(offset: int) -> bool:
        looks.append(offset)
        return True

    copy = with_bytes(log, bytes(damaged))
    segment = wal.Segment(copy.name, copy.sequence, copy.first_index, copy.data, grow)
    with pytest.raises(FormatError, match="stored"):
        wal.scan([segment])
    assert set(looks) == {at}
    assert 1 < len(looks) < 100


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_snap_that_is_being_written_is_waited_for(share: float, tmp_path: Path) -> None:
    members = ConfState(voters=(1,))
    whole = pack_snap_file(b"{}" * 1000, index=9, term=2, conf_state=members)
    path = tmp_path / snap_name(2, 9)
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FormatError):
        parse_snap_file(opened_snap(path, in_use=False))
    server = threading.Timer(0.1, path.write_bytes, [whole])
    server.start()
    assert parse_snap_file(opened_snap(path, in_use=True)).index == 9
    server.join()


def test_a_snap_that_the_server_has_deleted_is_none(tmp_path: Path) -> None:
    path = tmp_path / snap_name(2, 9)
    assert open_snap(path, in_use=True) is None
    with pytest.raises(SourceError, match="no such file"):
        open_snap(path, in_use=False)


def test_a_snap_that_stays_as_it_is_is_given_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / snap_name(2, 9)
    path.write_bytes(b"no snapshot")
    assert bytes(opened_snap(path, in_use=True)) == b"no snapshot"
