"""One pass over logs made by hand: what is kept, what is refused, and with which words."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from support.wal_files import METADATA, as_segments, frame_offsets, small_log, with_bytes

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.findings import Severity
from etcdtool.formats import wal
from etcdtool.formats.raft import ConfState, HardState
from etcdtool.formats.wal.damage import has_zero_sector, next_record

if TYPE_CHECKING:
    from etcdtool.formats.engine import Engine

ENGINES: tuple[Engine, ...] = ("columns", "plain")


def codes(result: wal.Scan) -> list[str]:
    return [finding.code for finding in result.findings]


def patched(segment: wal.Segment, offset: int, data: bytes) -> wal.Segment:
    image = bytearray(segment.data)
    image[offset : offset + len(data)] = data
    return with_bytes(segment, bytes(image))


def test_the_first_bytes_are_those_of_a_real_file() -> None:
    # crc record, metadata with its padding, initial snapshot record: 16 + 40 + 24 bytes in files of 3.4 to 3.7
    log = small_log(0)[0]
    assert bytes(log.data[:16]).hex() == "04000000000000840804100000000000"
    assert frame_offsets(log)[1] == 16
    assert log.name == "0000000000000000-0000000000000000.wal"


def test_all_that_a_scan_knows() -> None:
    writer = wal.WalWriter(METADATA)
    writer.save_entry(1, 1, b"one", entry_type=1)
    writer.save_entry(2, 1)
    writer.save_state(HardState(1, 7, 2))
    writer.save_snapshot(2, 1, ConfState(voters=(7, 9)))
    result = wal.scan(as_segments(writer.files()))
    assert (result.node_id, result.cluster_id) == (0xA1, 0xC1)
    assert result.hard_state == HardState(term=1, vote=7, commit=2)
    assert [(record.index, record.conf_state) for record in result.snapshots] == [(0, None), (2, ConfState((7, 9)))]
    assert [(entry.index, entry.term, entry.type, bytes(entry.data)) for entry in result.entries()] == [
        (1, 1, 1, b"one"),
        (2, 1, 0, b""),
    ]
    assert (result.first_index, result.last_index, result.last_term, result.entry_count) == (1, 2, 1, 2)
    assert result.end_offset == len(result.segments[0].data)
    assert result.findings == []


def test_entries_by_index() -> None:
    result = wal.scan(small_log(10), after_index=4)
    assert (result.first_index, result.last_index) == (5, 10)
    assert [entry.index for entry in result.entries(3, 8)] == [5, 6, 7]
    assert bytes(result.entry_data(7)) == b"entry 7 " * 5
    assert list(result.entries(11)) == []
    for index in (4, 11):
        with pytest.raises(IndexError):
            result.entry_data(index)


def test_later_entries_replace_those_of_an_older_term() -> None:
    writer = wal.WalWriter(METADATA)
    for index in range(1, 6):
        writer.save_entry(index, 1, b"old")
    writer.save_entry(3, 2, b"new")
    writer.save_state(HardState(2, 1, 2))
    result = wal.scan(as_segments(writer.files()))
    assert [(entry.index, entry.term, bytes(entry.data)) for entry in result.entries()] == [
        (1, 1, b"old"),
        (2, 1, b"old"),
        (3, 2, b"new"),
    ]
    assert result.replaced_count == 3


def log_with_a_hole(*, sent: bool, before: bool) -> list[wal.Segment]:
    """Make a log whose entries go from 3 on to 11, with or without the note of a snapshot that a leader sent."""
    writer = wal.WalWriter(METADATA)
    for index in (1, 2, 3):
        writer.save_entry(index, 1)
    writer.save_state(HardState(1, 7, 3))
    if sent and before:  # 3.5 and later write it first
        writer.save_snapshot(10, 1)
    writer.save_state(HardState(1, 7, 10))
    writer.save_entry(11, 1)
    if sent and not before:
        writer.save_snapshot(10, 1)
    writer.save_entry(12, 1)
    writer.save_snapshot(11, 1)
    return as_segments(writer.files())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("before", [True, False])
def test_only_a_snapshot_from_the_leader_explains_a_hole_before_the_start(engine: Engine, *, before: bool) -> None:
    assert wal.scan(log_with_a_hole(sent=True, before=before), after_index=11, engine=engine).last_index == 12
    with pytest.raises(FormatError, match="has index 11 where 4 is due") as caught:
        wal.scan(log_with_a_hole(sent=False, before=before), after_index=11, engine=engine)
    assert caught.value.offset is not None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_term_above_the_last_state_shows_in_entries_that_are_not_wanted(engine: Engine) -> None:
    writer = wal.WalWriter(METADATA)
    writer.save_entry(1, 1)
    writer.save_entry(2, 9)  # a state that is read as an entry has the vote for its term
    writer.save_state(HardState(1, 7, 2))
    writer.save_snapshot(2, 1)
    assert codes(wal.scan(as_segments(writer.files()), after_index=2, engine=engine)) == ["wal.state-missing"]


@pytest.mark.parametrize("engine", ENGINES)
def test_holes_without_end_are_refused_before_the_end(engine: Engine) -> None:
    writer = wal.WalWriter(METADATA)
    for index in range(1, 1000, 2):
        writer.save_entry(index, 1)
    writer.save_state(HardState(1, 7, 999))
    writer.save_snapshot(999, 1)
    with pytest.raises(FormatError, match="has index 3 where 2 is due"):
        wal.scan(as_segments(writer.files()), after_index=999, engine=engine)


def test_the_chain_goes_over_three_files_and_a_zero_tail() -> None:
    log = small_log(10, cut_after=4, allocated_size=4096)
    assert [segment.first_index for segment in log] == [0, 5, 9]
    result = wal.scan(log)
    assert result.last_index == 10
    assert {number: list(result.segment_numbers).count(number) for number in (0, 1, 2)} == {0: 4, 1: 4, 2: 2}
    assert result.findings == []


def test_files_of_2_x_are_neither_padded_nor_allocated() -> None:
    log = small_log(10, cut_after=4, padded=False)
    assert any(len(segment.data) % 8 for segment in log)
    assert wal.scan(log).last_index == 10


def test_a_log_that_3_x_went_on_with_after_2_x() -> None:
    old = wal.WalWriter(METADATA, padded=False)
    old.save_state(HardState(1, 1, 0))
    old.save_entry(1, 1, b"old")
    writer = wal.WalWriter(METADATA)
    writer._files, writer._crc, writer._last_index = old._files, old._crc, 1
    writer.save_entry(2, 1, b"new")
    assert wal.scan(as_segments(writer.files(allocated_size=2048))).last_index == 2


class TestSelect:
    def test_the_last_file_that_starts_early_enough(self) -> None:
        log = small_log(12, cut_after=4)
        assert [segment.sequence for segment in wal.select(log, 0)] == [0, 1, 2]
        assert [segment.sequence for segment in wal.select(log[::-1], 5)] == [1, 2]
        assert [segment.sequence for segment in wal.select(log, 8)] == [1, 2]
        assert [segment.sequence for segment in wal.select(log, 9)] == [2]
        assert [segment.sequence for segment in wal.select(log, 1000)] == [2]

    def test_a_missing_file_is_named(self) -> None:
        log = small_log(12, cut_after=3)
        with pytest.raises(FormatError, match=r"file 0000000000000001-\*\.wal is missing between"):
            wal.select([log[0], *log[2:]], 0)
        assert wal.select([log[0], *log[2:]], 7)[0].sequence == 2
        with pytest.raises(FormatError, match="0000000000000001 to 0000000000000002 are missing"):
            wal.scan([log[0], log[3]])

    def test_nothing_that_old(self) -> None:
        with pytest.raises(FormatError, match=r"no file reaches back to index 3: the oldest, .* starts at 5"):
            wal.select(small_log(12, cut_after=4)[1:], 3)
        with pytest.raises(FormatError, match=r"no \.wal file"):
            wal.select([], 0)

    @pytest.mark.parametrize("name", ["0.wal", "0.tmp", "0000000000000000-0000000000000000.wal.broken", "x" * 100])
    def test_names_that_are_none(self, name: str) -> None:
        with pytest.raises(FormatError, match="wal file name"):
            wal.parse_segment_name(name)

    def test_names(self) -> None:
        assert wal.parse_segment_name(wal.segment_name(26, 1 << 40)) == (26, 1 << 40)


class TestRefusals:
    def refuse(self, log: list[wal.Segment], words: str, **options: int) -> FormatError:
        with pytest.raises(FormatError, match=words) as caught:
            wal.scan(log, **options)
        assert caught.value.where in [segment.name for segment in log]
        return caught.value

    def test_a_checksum_names_file_offset_and_both_sums(self) -> None:
        log = small_log(10, cut_after=4)
        offset = frame_offsets(log[1])[3]
        log[1] = patched(log[1], offset + 30, b"X")
        error = self.refuse(log, "stored [0-9a-f]{8}, computed [0-9a-f]{8}")
        assert isinstance(error, ChecksumError)
        assert (error.where, error.offset) == (log[1].name, offset)

    def test_a_file_cut_between_records_breaks_the_chain_to_the_next(self) -> None:
        log = small_log(10, cut_after=4)
        log[0] = with_bytes(log[0], bytes(log[0].data[: frame_offsets(log[0])[-2]]))
        error = self.refuse(log, "wal checksum record")
        assert (error.where, error.offset) == (log[1].name, 0)

    def test_a_file_cut_in_a_record_that_is_not_the_last_file(self) -> None:
        log = small_log(10, cut_after=4)
        log[0] = with_bytes(log[0], bytes(log[0].data[:-9]))
        self.refuse(log, "more than the file has")

    def test_metadata_of_two_members(self) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_record(wal.RecordType.METADATA, wal.pack_metadata(1, 2))
        self.refuse(as_segments(writer.files()), "other metadata")

    def test_a_record_type_nobody_knows(self) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_record(6, b"x")
        self.refuse(as_segments(writer.files()), "unknown type 6")

    def test_entries_are_missing(self) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_entry(1, 1)
        writer.save_entry(3, 1)
        self.refuse(as_segments(writer.files()), "has index 3 where 2 is due")

    def test_a_snapshot_of_another_term(self) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_entry(1, 1)
        writer.save_snapshot(1, 1)
        self.refuse(as_segments(writer.files()), "term 1 for the snapshot of term 2", after_index=1, after_term=2)

    @pytest.mark.parametrize("record_type", [1, 2, 3, 5])
    def test_data_that_are_no_message(self, record_type: int) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_record(record_type, b"\xff\xff")
        self.refuse(as_segments(writer.files()), "holds (no|other)")

    def test_terms_go_back(self) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_entry(1, 2)
        writer.save_entry(2, 1)
        self.refuse(as_segments(writer.files()), "has term 1 at index 2")

    def test_commits_go_back(self) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_state(HardState(2, 1, 5))
        writer.save_state(HardState(2, 1, 4))
        self.refuse(as_segments(writer.files()), "commit 4 after term 2, commit 5")

    @pytest.mark.parametrize("data", [b"", bytes(4096)])
    def test_a_file_without_records(self, data: bytes) -> None:
        log = small_log(10, cut_after=4)
        for at in range(3):
            bad = [*log[:at], with_bytes(log[at], data), *log[at + 1 :]]
            self.refuse(bad, "holds no record")

    def test_no_metadata(self) -> None:
        log = small_log(0)
        self.refuse([with_bytes(log[0], bytes(log[0].data[:16]))], "no metadata")


class TestTypesThatNoChecksumCovers:
    """A record whose type byte is damaged passes its checksum; what it then says gives it away."""

    @pytest.mark.parametrize("record_type", range(8))
    def test_each_record_under_each_type(self, record_type: int) -> None:
        writer = wal.WalWriter(METADATA)
        for index in range(1, 4):
            writer.save_entry(index, 1 + index // 2, b"entry")
            writer.save_state(HardState(1 + index // 2, 0xA1, index))
            writer.save_snapshot(index, 1 + index // 2)
        segment = as_segments(writer.files())[0]
        whole = [bytes(entry.data) for entry in wal.scan([segment]).entries()]
        for offset in frame_offsets(segment)[:-1]:
            at = offset + 9
            was = segment.data[at]
            try:
                result = wal.scan([patched(segment, at, bytes([record_type]))])
            except FormatError:
                continue
            errors = [finding for finding in result.findings if finding.severity is Severity.ERROR]
            same = [bytes(entry.data) for entry in result.entries()] == whole
            assert was == record_type or errors or same, f"type {was} as {record_type} at {offset:#x}"


class TestEnd:
    """What may stand at the end of the last file, and what may not."""

    def test_every_cut_within_the_last_record_is_a_torn_write(self) -> None:
        log = small_log(5)
        before, end = frame_offsets(log[0])[-2:]
        for cut in range(before + 1, end):
            result = wal.scan([with_bytes(log[0], bytes(log[0].data[:cut]))])
            assert codes(result) == ["wal.torn-tail"]
            assert (result.end_offset, result.last_index, result.hard_state.commit) == (before, 5, 4)
            assert result.torn_bytes == len(bytes(log[0].data[before:cut]).rstrip(b"\0"))

    def large(self) -> tuple[wal.Segment, int]:
        writer = wal.WalWriter(METADATA)
        writer.save_entry(1, 1, b"x")
        writer.save_state(HardState(1, 1, 0))
        start = writer.size
        writer.save_entry(2, 1, bytes(range(1, 256)) * 20)
        return as_segments(writer.files(allocated_size=16384))[0], start

    def test_a_zero_sector_in_the_last_record_is_a_torn_write(self) -> None:
        segment, start = self.large()
        for sector in range(start // 512 + 1, (start + 5000) // 512):
            result = wal.scan([patched(segment, sector * 512, bytes(512))])
            assert codes(result) == ["wal.torn-tail"]
            assert result.last_index == 1

    def test_the_same_zeros_off_a_sector_are_damage(self) -> None:
        segment, start = self.large()
        with pytest.raises(ChecksumError):
            wal.scan([patched(segment, (start // 512 + 2) * 512 + 8, bytes(512))])

    def test_records_behind_a_torn_one_mean_damage(self) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_entry(1, 1, bytes(range(1, 256)) * 20)
        writer.save_state(HardState(1, 1, 1))
        segment = as_segments(writer.files(allocated_size=16384))[0]
        with pytest.raises(FormatError, match="others follow at offset"):
            wal.scan([patched(segment, 1024, bytes(512))])

    def test_bytes_behind_the_end_are_an_error_among_the_findings(self) -> None:
        segment = small_log(3, allocated_size=4096)[0]
        result = wal.scan([patched(segment, 3000, b"noise")])
        assert codes(result) == ["wal.data-after-end"]
        assert result.findings[0].severity is Severity.ERROR
        assert result.torn_bytes == 3005 - result.end_offset

    def test_commits_past_the_end(self) -> None:
        writer = wal.WalWriter(METADATA)
        writer.save_entry(1, 1)
        writer.save_state(HardState(1, 1, 5))
        result = wal.scan(as_segments(writer.files()))
        assert codes(result) == ["wal.commit-beyond-end"]
        assert result.findings[0].severity is Severity.ERROR

    def test_no_record_of_the_snapshot(self) -> None:
        assert codes(wal.scan(small_log(3), after_index=2)) == ["wal.snapshot-not-found"]

    def test_a_name_that_does_not_fit(self) -> None:
        log = small_log(8, cut_after=4)
        log[1] = wal.Segment("0000000000000001-0000000000000063.wal", 1, 99, log[1].data)
        assert codes(wal.scan(log)) == ["wal.first-index"]


class TestLengthFields:
    """No damage to a length field may pass for the end of the log."""

    @pytest.mark.parametrize("padded", [True, False])
    def test_each_bit_of_each_length_field(self, padded: bool) -> None:
        segment = small_log(4, padded=padded, allocated_size=4096)[0]
        for offset in frame_offsets(segment)[:-1]:
            for bit in range(64):
                image = bytearray(segment.data)
                image[offset + bit // 8] ^= 1 << bit % 8
                with pytest.raises(FormatError):
                    wal.scan([with_bytes(segment, bytes(image))])

    @pytest.mark.parametrize("length", [0, 1, 8, 1 << 20, 1 << 40, (1 << 56) - 1, (1 << 64) - 1])
    def test_other_values(self, length: int) -> None:
        segment = small_log(4, allocated_size=4096)[0]
        for offset in frame_offsets(segment)[:-1]:
            with pytest.raises(FormatError):
                wal.scan([patched(segment, offset, length.to_bytes(8, "little"))])

    def test_a_zeroed_frame_with_records_behind_it(self) -> None:
        segment = small_log(4, allocated_size=4096)[0]
        offsets = frame_offsets(segment)
        for start, stop in pairwise(offsets[1:-1]):
            with pytest.raises(FormatError, match="records follow at offset"):
                wal.scan([patched(segment, start, bytes(stop - start))])


def test_sectors_count_from_the_start_of_the_file() -> None:
    data = memoryview(b"\1" * 512 + bytes(512) + b"\1" * 512)
    assert has_zero_sector(data, 100, 1536)
    assert has_zero_sector(data, 1000, 1100)
    assert not has_zero_sector(data, 0, 512)
    assert not has_zero_sector(data, 1024, 1536)


def test_a_search_for_records_takes_linear_time_on_bytes_full_of_beginnings() -> None:
    lure = b"\xff\0\0\0\0\0\0\0\x08\x02\x10" * 400_000
    assert next_record(memoryview(lure), 0) is None
