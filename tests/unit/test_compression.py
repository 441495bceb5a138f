"""Packed streams: told by their first bytes, unpacked in pieces, refused when damaged, cut, or bombs."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib

import pytest
import zstandard

from etcdtool.errors import FormatError
from etcdtool.formats.compression import PIECE_SIZE_MAX, Packing, decompress, sniff

TEXT = b"".join(b"/registry/pods/default/%d\n" % number for number in range(20_000))


def zstd(data: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True, **options).compress(data)


def unpack(packed: bytes, packing: Packing, limit: int | None = None) -> bytes:
    pieces: list[bytes] = []
    size = decompress(io.BytesIO(packed), pieces.append, packing=packing, limit=limit)
    data = b"".join(pieces)
    assert size == len(data)
    return data


def tar_of(name: str, data: bytes, form: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


@pytest.mark.parametrize(
    ("head", "packing"),
    [
        (gzip.compress(b"x", mtime=0), Packing.GZIP),
        (zstd(b"x"), Packing.ZSTD),
        (b"\x50\x2a\x4d\x18\x04\0\0\0skip", Packing.ZSTD),
        (tar_of("member/snap/db", b"x", tarfile.GNU_FORMAT), Packing.TAR),
        (tar_of("member/snap/db", b"x", tarfile.PAX_FORMAT), Packing.TAR),
        (b"", Packing.NONE),
        (b"\x1f", Packing.NONE),
        (bytes(512), Packing.NONE),
        (b"\0" * 16 + b"\xed\xda\x0c\xed", Packing.NONE),
        (b'{"action":"get"}', Packing.NONE),
    ],
)
def test_sniff(head: bytes, packing: Packing) -> None:
    assert sniff(head) is packing


def test_sniff_knows_a_tar_of_before_posix_by_its_header_sum() -> None:
    head = bytearray(tar_of("member/wal/0.wal", b"x", tarfile.USTAR_FORMAT)[:512])
    head[257:265] = bytes(8)
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    assert sniff(bytes(head)) is Packing.TAR
    head[0] ^= 1
    assert sniff(bytes(head)) is Packing.NONE


@pytest.mark.parametrize("text", [b"", b"x", TEXT, bytes(5 << 20)])
def test_one_member(text: bytes) -> None:
    assert unpack(gzip.compress(text), Packing.GZIP) == text
    assert unpack(zstd(text), Packing.ZSTD) == text


def test_several_members_and_frames() -> None:
    parts = [TEXT, b"", b"tail"]
    assert unpack(b"".join(map(gzip.compress, parts)), Packing.GZIP) == TEXT + b"tail"
    assert unpack(b"".join(map(zstd, parts)), Packing.ZSTD) == TEXT + b"tail"


def test_skippable_frames_hold_nothing() -> None:
    skippable = b"\x5f\x2a\x4d\x18\x04\0\0\0skip"
    assert unpack(skippable + zstd(TEXT) + skippable + zstd(b"tail"), Packing.ZSTD) == TEXT + b"tail"


def test_zeros_behind_gzip_are_padding() -> None:
    assert unpack(gzip.compress(TEXT) + bytes(100_000), Packing.GZIP) == TEXT


def test_other_bytes_behind_gzip_are_refused() -> None:
    packed = gzip.compress(TEXT)
    with pytest.raises(FormatError, match="followed by bytes that do not belong") as caught:
        unpack(packed + b"junk", Packing.GZIP)
    assert caught.value.offset == len(packed)


@pytest.mark.parametrize("cut", [1, 4, 9, 1000])
def test_a_cut_stream_says_so_and_where(cut: int) -> None:
    for packed, packing in ((gzip.compress(TEXT), Packing.GZIP), (zstd(TEXT), Packing.ZSTD)):
        with pytest.raises(FormatError, match="cut short") as caught:
            unpack(packed[:-cut], packing)
        assert caught.value.offset == len(packed) - cut


@pytest.mark.parametrize("packing", [Packing.GZIP, Packing.ZSTD])
def test_an_empty_stream(packing: Packing) -> None:
    with pytest.raises(FormatError, match="is empty"):
        unpack(b"", packing)


def test_a_flipped_bit_is_noticed() -> None:
    for packed, packing in ((gzip.compress(TEXT), Packing.GZIP), (zstd(TEXT), Packing.ZSTD)):
        for at in (len(packed) // 2, len(packed) - 3):
            damaged = bytearray(packed)
            damaged[at] ^= 0x10
            with pytest.raises(FormatError, match=f"{packing.value} stream at offset .*damaged"):
                unpack(bytes(damaged), packing)


def test_a_wrong_size_in_a_gzip_trailer_is_noticed() -> None:
    packed = gzip.compress(TEXT)
    with pytest.raises(FormatError, match="incorrect length check"):
        unpack(packed[:-1] + bytes([packed[-1] ^ 1]), Packing.GZIP)


def test_bombs_come_in_bounded_pieces_and_stop_at_the_limit() -> None:
    zeros = bytes(200 << 20)
    for packed, packing in ((gzip.compress(zeros, 1), Packing.GZIP), (zstd(zeros), Packing.ZSTD)):
        sizes: list[int] = []
        total = decompress(io.BytesIO(packed), lambda piece, into=sizes: into.append(len(piece)), packing=packing)
        assert total == len(zeros)
        assert max(sizes) <= PIECE_SIZE_MAX
        with pytest.raises(FormatError, match="more than 1000000 bytes"):
            unpack(packed, packing, limit=1_000_000)


def test_the_limit_itself_is_allowed() -> None:
    assert unpack(gzip.compress(TEXT), Packing.GZIP, limit=len(TEXT)) == TEXT


def test_a_zstd_window_that_would_take_gigabytes_is_refused() -> None:
    # frame header: no single segment, window descriptor for 2 GiB
    with pytest.raises(FormatError, match="needs more than 128 MiB of memory") as caught:
        unpack(b"\x28\xb5\x2f\xfd\x00\xa8" + b"\x01\x00\x00", Packing.ZSTD)
    assert "--long" in caught.value.hint


def test_many_tiny_members_do_not_take_quadratic_time() -> None:
    member = zlib.compress(b"", wbits=31)
    assert unpack(member * 20_000 + gzip.compress(b"end"), Packing.GZIP) == b"end"
