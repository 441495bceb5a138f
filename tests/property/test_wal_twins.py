"""A log read by columns is the log read record by record: results, findings, errors with their places."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.wal_files import METADATA, as_segments, frame_offsets, with_bytes

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.formats import wal
from etcdtool.formats.digest import crc32c
from etcdtool.formats.raft import ConfState, HardState
from etcdtool.formats.wal.column_pass import BlockSizes
from etcdtool.formats.wal.records import pack_frame
from etcdtool.formats.wire import raft_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIZES = [
    BlockSizes(frames=frames, shortest_run=shortest_run, plain_bytes=plain_bytes)
    for frames, shortest_run, plain_bytes in ((1, 1, 0), (2, 1, 0), (3, 2, 0), (3, 1, 300), (100, 1, 0), (100, 5, 0))
]
ALL_AT_ONCE = SIZES[-2]
U64 = st.integers(0, (1 << 64) - 1)
# where a varint grows, where a word ends, where a signed number would
NUMBERS = st.sampled_from([0, 1, 2, 127, 128, (1 << 49) - 1, 1 << 49, 1 << 56, 1 << 63, (1 << 64) - 1])
VARIANTS = st.sampled_from(["usual", "usual", "usual", "no type", "other order", "long varint", "more fields"])


def agree(segments: Sequence[wal.Segment], after_index: int = 0, after_term: int | None = None) -> Any:
    plain = outcome(segments, after_index, after_term, "plain", SIZES[0])
    for sizes in SIZES:
        assert outcome(segments, after_index, after_term, "columns", sizes) == plain, sizes
    assert outcome(segments, after_index, after_term, "columns", BlockSizes()) == plain
    return plain


def outcome(
    segments: Sequence[wal.Segment], after_index: int, after_term: int | None, engine: Any, sizes: BlockSizes
) -> Any:
    try:
        result = wal.scan(segments, after_index=after_index, after_term=after_term, engine=engine, block_sizes=sizes)
    except FormatError as error:
        sums = (error.stored, error.computed) if isinstance(error, ChecksumError) else ()
        return type(error), str(error), error.offset, error.where, error.hint, sums
    return result, [(entry.index, entry.term, entry.type, bytes(entry.data)) for entry in result.entries()]


def varied(message: bytes, variant: str) -> bytes:
    """Write the same fields in another way, or nearly the same: what counts is that both ways read the same."""
    match variant:
        case "no type":
            return message[2:]
        case "other order":
            return message[2:4] + message[:2] + message[4:]
        case "long varint" if len(message) > 3 and message[3] < 0x80:
            return message[:3] + bytes([message[3] | 0x80, 0x80, 0x00]) + message[4:]
        case "more fields":
            return message + b"\x28\x01"
        case _:
            return message


class History:
    """Writes runs of entries and states, with all that breaks a run, sound or not."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.writer = wal.WalWriter(METADATA, padded=draw(st.booleans()), omit_unset=draw(st.booleans()))
        self.index, self.term, self.commit = 0, 1, 0

    def entries(self) -> None:
        for _ in range(self.draw(st.integers(1, 12))):
            self.index += 1
            data = self.draw(st.sampled_from([None, b"", b"data", b"long data " * 40]))
            self.writer.save_entry(self.index, self.term, data)

    def entries_and_states(self) -> None:
        for _ in range(self.draw(st.integers(1, 6))):
            self.index, self.commit = self.index + 1, self.index
            self.writer.save_entry(self.index, self.term, b"data", self.draw(st.sampled_from([0, 0, 0, 1, 2, 3])))
            self.writer.save_state(HardState(self.term, self.draw(U64), self.commit))

    def cut(self) -> None:
        self.writer.cut()

    def snapshot(self) -> None:
        self.writer.save_snapshot(max(1, self.commit), self.term, ConfState((1, 2)))

    def next_term(self) -> None:
        self.term += 1

    def step_back(self) -> None:
        self.index = max(self.commit, self.index - self.draw(st.integers(0, 3)))

    def odd_entry(self) -> None:
        self.index += 1
        entry = raft_pb2.Entry(
            Type=self.draw(st.sampled_from([0, 1, 2, 200])),
            Term=self.draw(st.just(self.term) | NUMBERS),
            Index=self.draw(st.just(self.index) | NUMBERS),
            Data=self.draw(st.none() | st.binary(max_size=20)),
        )
        self.writer.save_record(2, varied(entry.SerializeToString(), self.draw(VARIANTS)))

    def odd_state(self) -> None:
        state = raft_pb2.HardState(
            term=self.draw(st.just(self.term) | NUMBERS),
            vote=self.draw(NUMBERS),
            commit=self.draw(st.just(self.commit) | NUMBERS),
        )
        self.writer.save_record(3, varied(state.SerializeToString(), self.draw(VARIANTS)))

    def any_record(self) -> None:
        self.writer.save_record(self.draw(st.integers(0, 6)), self.draw(st.binary(max_size=12)))


SOUND = ["entries", "entries_and_states", "cut", "snapshot", "next_term", "step_back"]
STEPS = st.sampled_from(SOUND * 3 + ["odd_entry", "odd_state", "any_record"])


@st.composite
def logs(draw: st.DrawFn) -> list[wal.Segment]:
    history = History(draw)
    for step in draw(st.lists(STEPS, max_size=10)):
        getattr(history, step)()
    return as_segments(history.writer.files(allocated_size=draw(st.sampled_from([0, 1 << 12]))))


@given(logs(), st.just(0) | st.integers(0, 40) | U64, st.none() | st.integers(0, 4))
@example(as_segments(wal.WalWriter(METADATA).files()), 0, None)
def test_both_engines_read_the_same(log: list[wal.Segment], after_index: int, after_term: int | None) -> None:
    agree(log, after_index, after_term)


@given(logs(), st.data())
def test_both_engines_see_the_same_damage(log: list[wal.Segment], data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(log) - 1))
        image = bytearray(log[number].data)
        offsets = frame_offsets(with_bytes(log[number], bytes(image)))
        # places that matter: a byte of a length field, of a record's head or its data, or anywhere
        at = data.draw(st.sampled_from(offsets)) + data.draw(st.integers(0, 40))
        match data.draw(st.sampled_from(["flip", "set", "cut", "zeros", "swap", "repeat"])):
            case "flip" if at < len(image):
                image[at] ^= data.draw(st.integers(1, 255))
            case "set":
                image[at : at + 3] = data.draw(st.binary(max_size=6))
            case "cut":
                del image[at:]
            case "zeros":
                image[at : at + 600] = bytes(len(image[at : at + 600]))
            case "swap":
                image[at : at + 2] = image[at : at + 2][::-1]
            case _:
                start = data.draw(st.sampled_from(offsets))
                image[start:start] = image[start : start + 60]
        log[number] = with_bytes(log[number], bytes(image))
    agree(log)


@given(st.lists(st.binary(max_size=120), min_size=1, max_size=3))
def test_both_engines_say_the_same_of_any_bytes(files: list[bytes]) -> None:
    agree([wal.Segment(wal.segment_name(at, 0), at, 0, memoryview(data)) for at, data in enumerate(files)])


@pytest.mark.parametrize("padded", [True, False])
def test_both_engines_see_the_same_where_any_byte_is_another(padded: bool) -> None:
    writer = wal.WalWriter(METADATA, padded=padded)
    for index, data in enumerate((b"sixteen bytes...", b"data " * 30), 1):
        writer.save_entry(index, 300, data)
        writer.save_state(HardState(300, (1 << 63) + index, index - 1))
    (segment,) = as_segments(writer.files())
    image = bytearray(segment.data)
    kinds = set()
    for start in frame_offsets(segment)[3:-1]:
        for at in range(start, min(start + 40, len(image))):
            before = image[at]
            for value in {before ^ 1 << bit for bit in range(8)} | {0x80}:
                image[at] = value
                damaged = [with_bytes(segment, bytes(image))]
                plain = outcome(damaged, 0, None, "plain", ALL_AT_ONCE)
                assert outcome(damaged, 0, None, "columns", ALL_AT_ONCE) == plain, (at, value)
                kinds.add(plain[0] if isinstance(plain[0], type) else type(plain[0]))
            image[at] = before
    assert kinds == {wal.Scan, FormatError, ChecksumError}


WIDE = [0, 1, 3, (1 << 49) - 1, 1 << 49, 1 << 56, (1 << 63) + 5, (1 << 64) - 1]
CHANGED_ENTRIES = [
    *({"Term": term} for term in WIDE),
    *({"Index": index} for index in [*WIDE, 2, 4, 5]),
    *({"Type": entry_type} for entry_type in (1, 2, 3, 127, 200)),
    *({"Data": data} for data in (b"", b"x" * 300)),
]
CHANGED_STATES = [{name: number} for name in ("term", "vote", "commit") for number in [*WIDE, 2, 4]]
OTHER_LAYOUTS = ["no type", "other order", "long varint", "more fields"]


def log_with_one(
    record_type: int, changes: dict[str, Any], change: Callable[[bytes], bytes] = bytes, *, at: int = 3
) -> list[wal.Segment]:
    """Write entries and states of which one is another, under checksums that are right."""
    writer = wal.WalWriter(METADATA)
    for index in range(1, 7):
        entry: dict[str, Any] = {"Type": 0, "Term": 2, "Index": index, "Data": b"data"}
        state: dict[str, Any] = {"term": 2, "vote": 7, "commit": index - 1}
        (entry if record_type == 2 else state).update(changes if index == at else {})
        packed = [raft_pb2.Entry(**entry).SerializeToString(), raft_pb2.HardState(**state).SerializeToString()]
        if index == at:
            packed[record_type - 2] = change(packed[record_type - 2])
        writer.save_record(2, packed[0])
        writer.save_record(3, packed[1])
    return as_segments(writer.files())


@pytest.mark.parametrize(("record_type", "changes"), [(2, CHANGED_ENTRIES), (3, CHANGED_STATES)])
def test_both_engines_judge_one_record_among_others_the_same(record_type: int, changes: list[dict[str, Any]]) -> None:
    logs = [log_with_one(record_type, change, at=at) for change in changes for at in (1, 3)]
    logs += [log_with_one(record_type, {}, partial(varied, variant=variant)) for variant in OTHER_LAYOUTS]
    for log in logs:
        for after_index in (0, 2, 3):
            agree(log, after_index)


@pytest.mark.parametrize(("record_type", "size"), [(2, 12), (3, 6)])
def test_both_engines_judge_a_message_with_another_byte_the_same(record_type: int, size: int) -> None:
    for at in range(size + 1):
        for byte in (b"\x00", b"\x28", b"\x80", b"\xff"):
            agree(log_with_one(record_type, {}, lambda message: message[:at] + byte + message[at + 1 :]))  # noqa: B023


def test_an_entry_without_data_has_none_whatever_follows() -> None:
    writer = wal.WalWriter(METADATA, padded=False)
    for index, data in enumerate((b"data", None, b"long " * 200), 1):
        writer.save_entry(index, 1, data)
    _, entries = agree(as_segments(writer.files()))
    assert [len(data) for _, _, _, data in entries] == [4, 0, 1000]


def test_entries_before_the_metadata_are_refused() -> None:
    image, crc = b"", 0
    for index in range(1, 6):
        entry = raft_pb2.Entry(Type=0, Term=1, Index=index, Data=b"data").SerializeToString()
        crc = crc32c(entry, crc)
        image += pack_frame(2, entry, crc)
    kind, message, *_ = agree(as_segments([(wal.segment_name(0, 0), image)]))
    assert kind is FormatError
    assert "is no entry of a log" in message
