""".snap files: as real servers wrote them, with upstream's reasons to refuse them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import samples

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.formats.digest import crc32c
from etcdtool.formats.raft import ConfState
from etcdtool.formats.snap import pack_snap_file, parse_snap_file, parse_snap_name, snap_name
from etcdtool.formats.wire import raft_pb2, snap_pb2

STORE = b'{"Root":{"Path":"/","Children":{}},"CurrentIndex":7}'
MEMBERS = ConfState(voters=(0x8E9E05C52164694D, 3), learners=(5,))


def snap_files(name: str) -> list[tuple[str, bytes]]:
    folder = samples.unpack(name) / "member" / "snap"
    return [(path.name, path.read_bytes()) for path in sorted(folder.glob("*.snap"))]


@pytest.mark.parametrize("name", [f"v2-rich/{version}/data-clean.tar.gz" for version in ("2.3", "3.2", "3.4")])
def test_real_files_hold_the_store_and_sit_at_the_place_their_name_says(name: str) -> None:
    files = snap_files(name)
    assert files
    for file_name, data in files:
        file = parse_snap_file(memoryview(data))
        assert (file.term, file.index) == parse_snap_name(file_name)
        assert len(file.conf_state.voters) == 1
        assert json.loads(file.data.tobytes())["CurrentVersion"] == 2


@pytest.mark.parametrize(
    ("name", "omit_unset"),
    [
        ("v3/3.5/data.tar.gz", False),
        ("v3/3.6/data.tar.gz", False),
        ("v3/3.6/restored.tar.gz", False),
        ("v3/3.7/data.tar.gz", False),
        ("v3/3.7/restored.tar.gz", True),
    ],
)
def test_packing_again_gives_the_bytes_that_the_server_wrote(name: str, omit_unset: bool) -> None:
    for _, data in snap_files(name):
        file = parse_snap_file(memoryview(data))
        again = pack_snap_file(
            file.data.tobytes(), index=file.index, term=file.term, conf_state=file.conf_state, omit_unset=omit_unset
        )
        assert again == data


def test_the_store_is_a_view_into_the_file() -> None:
    data = pack_snap_file(STORE, index=9, term=2, conf_state=MEMBERS)
    assert parse_snap_file(memoryview(data)).data.obj is data


def test_all_fields() -> None:
    members = ConfState((1,), (2,), (3, 4), (5,), auto_leave=True)
    file = parse_snap_file(memoryview(pack_snap_file(STORE, index=9, term=2, conf_state=members)))
    assert (file.index, file.term, file.conf_state, bytes(file.data)) == (9, 2, members, STORE)


def test_other_layouts_are_read_too() -> None:
    inner = raft_pb2.Snapshot(metadata=raft_pb2.SnapshotMetadata(index=9, term=2)).SerializeToString()
    inner += raft_pb2.Snapshot(data=STORE).SerializeToString() + b"\x78\x01"
    good = parse_snap_file(memoryview(pack_snap_file(STORE, index=9, term=2, conf_state=ConfState())))
    crc = snap_pb2.Snapshot.FromString(reseal(inner)).crc
    swapped = snap_pb2.Snapshot(data=inner).SerializeToString() + snap_pb2.Snapshot(crc=crc).SerializeToString()
    for data in (reseal(inner), swapped):
        file = parse_snap_file(memoryview(data))
        assert (file.index, file.term, file.conf_state, bytes(file.data)) == (9, 2, good.conf_state, STORE)


def reseal(inner: bytes) -> bytes:
    return snap_pb2.Snapshot(crc=crc32c(inner, 0), data=inner).SerializeToString()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"\x08\x07\x12\x00", "holds no snapshot data"),
        (b"\x08\x07", "holds no snapshot data"),
        (b"\x08\x00\x12\x01x", "holds no checksum"),
        (b"\x12\x01x", "holds no checksum"),
        (b"\x08", "no snappb.Snapshot"),
        (b"\x08\x07\x12\x05abc", "no snappb.Snapshot"),
        (reseal(b"\x0a\x7f"), "no raftpb.Snapshot"),
        (reseal(b"\x0a\x00\x12\x02\x0a\x05"), "no raftpb.Snapshot"),
    ],
)
def test_upstreams_reasons_to_refuse_a_file(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words) as caught:
        parse_snap_file(memoryview(data))
    assert not isinstance(caught.value, ChecksumError)
    assert caught.value.offset is not None


def test_a_checksum_names_both_sums() -> None:
    for name, data in snap_files("damaged/dirs/snap-flip-all.tar.gz"):
        with pytest.raises(ChecksumError) as caught:
            parse_snap_file(memoryview(data))
        assert caught.value.stored == snap_pb2.Snapshot.FromString(data).crc, name
        assert caught.value.computed != caught.value.stored


def test_the_newest_file_cut_short() -> None:
    files = snap_files("damaged/dirs/snap-cut-newest.tar.gz")
    with pytest.raises(FormatError):
        parse_snap_file(memoryview(files[-1][1]))
    assert parse_snap_file(memoryview(files[-2][1])).index == parse_snap_name(files[-2][0])[1]


@pytest.mark.parametrize("name", ["db", "x.snap", "0-0.snap", snap_name(1, 2) + ".broken", snap_name(1, 2).upper()])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(FormatError, match="snap file name"):
        parse_snap_name(name)


@given(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1))
def test_names(term: int, index: int) -> None:
    assert parse_snap_name(snap_name(term, index)) == (term, index)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(reseal))
def test_any_bytes_give_a_result_or_our_error(data: bytes) -> None:
    try:
        file = parse_snap_file(memoryview(data))
    except FormatError:
        return
    assert file.index >= 0


@given(st.data())
def test_no_flipped_bit_changes_what_is_read(data: st.DataObject) -> None:
    image = bytearray(pack_snap_file(STORE, index=9, term=2, conf_state=MEMBERS))
    image[data.draw(st.integers(0, len(image) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        file = parse_snap_file(memoryview(bytes(image)))
    except FormatError:
        return
    # a bit of the checksum's varint above the 32nd
    assert (file.index, file.term, file.conf_state, bytes(file.data)) == (9, 2, MEMBERS, STORE)
