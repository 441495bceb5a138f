"""WAL: what is written comes back, damage never passes for an end, and any bytes give a result or one of our errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from support.wal_files import METADATA, as_segments, frame_offsets, small_log, with_bytes

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats import wal
from etcdtool.formats.raft import ConfState, HardState
from etcdtool.formats.wal.records import parse_entry, parse_record
from etcdtool.formats.wire import raft_pb2, wal_pb2

if TYPE_CHECKING:
    from collections.abc import Callable

U64 = st.integers(0, (1 << 64) - 1)
U32 = st.integers(0, (1 << 32) - 1)

# pieces of messages in and out of order, so that layouts no writer makes come up often
PIECES = st.lists(
    st.one_of(
        st.sampled_from([b"\x08", b"\x10", b"\x18", b"\x1a", b"\x22", b"\x0b", b"\x0c", b"\x09", b"\x0d", b"\x00"]),
        st.sampled_from(
            [b"\x08\x02", b"\x10\x07", b"\x18\x05", b"\x22\x00", b"\x1a\x03abc", b"\x22\x01x", b"\x28\x01"]
        ),
        st.sampled_from(
            [b"\x80" * 9 + b"\x01", b"\x80" * 9 + b"\x02", b"\x80" * 10 + b"\x01", b"\xff\xff\xff\xff\x0f"]
        ),
        st.binary(max_size=6),
    ),
    max_size=8,
).map(b"".join)

RECORDS = st.one_of(
    PIECES,
    st.builds(
        lambda type_, crc, data: wal_pb2.Record(type=type_, crc=crc, data=data).SerializeToString(),
        st.integers(0, 200),
        U32,
        st.none() | st.binary(max_size=300),
    ),
)
ENTRIES = st.one_of(
    PIECES,
    st.builds(
        lambda type_, term, index, data: raft_pb2.Entry(
            Type=type_, Term=term, Index=index, Data=data
        ).SerializeToString(),
        st.none() | st.integers(0, 200),
        st.none() | U64,
        st.none() | U64,
        st.none() | st.binary(max_size=300),
    ),
)


def generated(parse: Callable[[bytes], Any], data: bytes) -> Any:
    try:
        return parse(data)
    except DecodeError:
        return None


@given(RECORDS, st.integers(0, 9))
def test_a_record_read_in_place_is_what_the_generated_parser_reads(data: bytes, before: int) -> None:
    place = memoryview(bytes(before) + data + b"\x08\x01")
    own = parse_record(place, before, before + len(data))
    if own is not None:
        message = generated(wal_pb2.Record.FromString, data)
        assert message is not None
        assert (own[0], own[1], bytes(place[own[2] : own[3]])) == (message.type, message.crc, message.data)


@given(ENTRIES, st.integers(0, 9))
def test_an_entry_is_what_the_generated_parser_reads(data: bytes, before: int) -> None:
    place = memoryview(bytes(before) + data + b"\x08\x01")
    message = generated(raft_pb2.Entry.FromString, data)
    own = generated(lambda _: parse_entry(place, before, before + len(data)), data)
    assert (own is None) == (message is None)
    if own is not None and message is not None:
        content = own.data if own.data is not None else bytes(place[own.data_start : own.data_stop])
        assert (own.type, own.term, own.index, content) == (message.Type, message.Term, message.Index, message.Data)


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[tuple[int, int, int, bytes]], HardState, list[wal.Segment]]:
    writer = wal.WalWriter(METADATA, padded=draw(st.booleans()), omit_unset=draw(st.booleans()))
    entries: list[tuple[int, int, int, bytes]] = []
    state, term = HardState(), 1
    for step in draw(
        st.lists(st.sampled_from(["entry", "entry", "large", "state", "snapshot", "cut", "term"]), max_size=20)
    ):
        match step:
            case "entry" | "large":
                data = draw(st.binary(max_size=40)) * (100 if step == "large" else 1)
                entries.append((len(entries) + 1, term, draw(st.integers(0, 2)), data))
                writer.save_entry(entries[-1][0], term, data or None, entries[-1][2])
            case "state":
                state = HardState(term, draw(U64), len(entries))
                writer.save_state(state)
            case "snapshot" if entries:
                voters = draw(st.lists(U64, max_size=3))
                writer.save_snapshot(len(entries), term, ConfState(tuple(voters)))
            case "cut":
                writer.cut()
            case "term":
                del entries[draw(st.integers(state.commit, len(entries))) :]
                term += 1
                if entries:
                    entries[-1] = (entries[-1][0], term, 0, b"again")
                    writer.save_entry(entries[-1][0], term, b"again")
                else:
                    entries.append((1, term, 0, b"first"))
                    writer.save_entry(1, term, b"first")
    if entries:
        state = HardState(term, 0xA1, len(entries))
        writer.save_state(state)
    return entries, state, as_segments(writer.files(allocated_size=draw(st.sampled_from([0, 1 << 14]))))


@given(logs())
def test_what_is_written_comes_back(
    log: tuple[list[tuple[int, int, int, bytes]], HardState, list[wal.Segment]],
) -> None:
    entries, state, segments = log
    result = wal.scan(segments)
    assert [(entry.index, entry.term, entry.type, bytes(entry.data)) for entry in result.entries()] == entries
    assert result.hard_state == state
    assert not [finding for finding in result.findings if finding.severity is Severity.ERROR]


@given(st.data())
def test_no_damaged_byte_takes_an_entry_away_in_silence(data: st.DataObject) -> None:
    log = small_log(
        6, cut_after=3, padded=data.draw(st.booleans()), allocated_size=data.draw(st.sampled_from([0, 2048]))
    )
    whole = [(entry.index, bytes(entry.data)) for entry in wal.scan(log).entries()]
    number = data.draw(st.integers(0, len(log) - 1))
    image = bytearray(log[number].data)
    end = frame_offsets(log[number])[-1]
    at = data.draw(st.integers(0, end - 1))
    image[at] ^= data.draw(st.integers(1, 255))
    log[number] = with_bytes(log[number], bytes(image))
    try:
        result = wal.scan(log)
    except FormatError:
        return
    errors = [finding for finding in result.findings if finding.severity is Severity.ERROR]
    assert errors or [(entry.index, bytes(entry.data)) for entry in result.entries()] == whole


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_any_bytes_give_a_result_or_our_error(files: list[bytes]) -> None:
    law([wal.Segment(wal.segment_name(at, 0), at, 0, memoryview(data)) for at, data in enumerate(files)])


@given(st.data())
def test_damaged_logs_give_a_result_or_our_error(data: st.DataObject) -> None:
    log = small_log(5, cut_after=2, allocated_size=1024)
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(log) - 1))
        image = bytearray(log[number].data)
        at = data.draw(st.integers(0, len(image)))
        image[at : at + data.draw(st.integers(0, 64))] = data.draw(st.binary(max_size=64))
        log[number] = with_bytes(log[number], bytes(image))
    law(log)


@given(st.lists(st.tuples(st.integers(0, 6), RECORDS), max_size=6), U64)
def test_records_of_any_content_give_a_result_or_our_error(records: list[tuple[int, bytes]], after_index: int) -> None:
    writer = wal.WalWriter(METADATA)
    for record_type, data in records:
        writer.save_record(record_type, data)
    law(as_segments(writer.files()), after_index)


def law(segments: list[wal.Segment], after_index: int = 0) -> None:
    try:
        result = wal.scan(segments, after_index=after_index)
    except FormatError:
        return
    assert len(list(result.entries())) == result.entry_count
    assert result.end_offset <= len(segments[-1].data)
