"""What a stream is packed with, by its first bytes, and unpacking it piece by piece.

gzip (RFC 1952, several members, zero padding behind them as tape tools leave it) and zstd (RFC 8878, several frames,
skippable frames).  Memory stays bounded whatever the stream says: output is handed on in pieces, at most
`PIECE_SIZE_MAX` bytes each, and a zstd window above 128 MiB is refused, as the ``zstd`` program does by default.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator  # noqa: TC003  documented types stay readable at run time
from enum import Enum
from typing import Protocol

from etcdtool.errors import FormatError

__all__ = ["HEAD_SIZE", "PIECE_SIZE_MAX", "Packing", "Reader", "decompress", "sniff"]

HEAD_SIZE = 512
"""Bytes that `sniff` wants to see, fewer where the file is shorter."""

PIECE_SIZE_MAX = 48 << 20
"""Upper bound of the bytes handed on at once; usually far fewer."""

_READ_SIZE = 1 << 18
_GZIP_PIECE_SIZE = 1 << 20
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_GZIP_FEED_SIZE = 1 << 14
# a block of 4 bytes can stand for 128 KiB, so what is fed at once bounds what comes out
_ZSTD_FEED_SIZE = 1 << 10
_ZSTD_WINDOW_SIZE_MAX = 1 << 27

_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE_MAGICS = frozenset(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))
_TAR_MAGIC = b"ustar"
_TAR_MAGIC_OFFSET = 257
_TAR_SUM_START, _TAR_SUM_STOP = 148, 156

_HINT_COPY = "Fetch or copy the file again and compare its size or checksum."
_HINT_WINDOW = "Unpack it first, with zstd -d --long=31."
_TOO_WIDE = "requires too much memory"
_HINT_LIMIT = "Raise the limit if the file really holds that much."


class Packing(Enum):
    """What a stream is packed with; TAR is an archive, the others hold one stream."""

    NONE = "none"
    GZIP = "gzip"
    ZSTD = "zstd"
    TAR = "tar"


class Reader(Protocol):
    """An open binary file, or what reads like one."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        ...


class _Unpacker(Protocol):
    """One gzip member or zstd frame on its way."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def failure(self) -> type[Exception]: ...
    def pieces(self, data: bytes, /) -> Iterator[bytes]: ...


def sniff(head: bytes | memoryview) -> Packing:
    """Tell the packing from a file's first `HEAD_SIZE` bytes; `Packing.NONE` for everything unknown."""
    head = bytes(head[:HEAD_SIZE])
    if head[:2] == _GZIP_MAGIC:
        return Packing.GZIP
    if head[:4] == _ZSTD_MAGIC or head[:4] in _ZSTD_SKIPPABLE_MAGICS:
        return Packing.ZSTD
    if head[_TAR_MAGIC_OFFSET : _TAR_MAGIC_OFFSET + len(_TAR_MAGIC)] == _TAR_MAGIC or _has_tar_sum(head):
        return Packing.TAR
    return Packing.NONE


def decompress(reader: Reader, write: Callable[[bytes], object], *, packing: Packing, limit: int | None = None) -> int:
    """Unpack a gzip or zstd stream to its end.

    Args:
        reader: where the packed bytes come from.
        write: takes the unpacked bytes in pieces, in order.
        packing: `Packing.GZIP` or `Packing.ZSTD`.
        limit: refuse to hand on more bytes than this.

    Returns:
        The number of bytes handed on.

    Raises:
        FormatError: damaged, cut short, followed by something else, or larger than ``limit``; the offset counts
            packed bytes, and the damage lies at it or shortly before.
    """
    return _Stream(reader, write, packing, limit).run()


class _GzipMember:
    """A member with its own header and checksum."""

    failure: type[Exception] = zlib.error

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def pieces(self, data: bytes, /) -> Iterator[bytes]:
        while True:
            piece = self._inflater.decompress(data, _GZIP_PIECE_SIZE)
            if piece:
                yield piece
            data = self._inflater.unconsumed_tail
            if self._inflater.eof or (not data and len(piece) < _GZIP_PIECE_SIZE):
                return


class _ZstdFrame:
    """A frame; its checksum is compared where it has one."""

    def __init__(self) -> None:
        import zstandard  # noqa: PLC0415  few files are packed with it

        self.failure: type[Exception] = zstandard.ZstdError
        self._decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_SIZE_MAX).decompressobj()

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def pieces(self, data: bytes, /) -> Iterator[bytes]:
        if piece := self._decoder.decompress(data):
            yield piece


class _Stream:
    """One run: packed bytes through member after member."""

    def __init__(self, reader: Reader, write: Callable[[bytes], object], packing: Packing, limit: int | None) -> None:
        self._reader = reader
        self._write = write
        self._what = f"{packing.value} stream"
        self._is_gzip = packing is Packing.GZIP
        self._limit = limit
        self._unpacker: _Unpacker | None = None
        self._member_count = 0
        self._offset = 0
        self._written = 0

    def run(self) -> int:
        for chunk in self._chunks():
            rest = chunk
            while rest:
                left = self._take(rest)
                self._offset += len(rest) - len(left)
                rest = left
        if self._unpacker is not None or not self._member_count:
            raise self._error("is cut short" if self._offset else "is empty", hint=_HINT_COPY)
        return self._written

    def _chunks(self) -> Iterator[bytes]:
        feed_size = _GZIP_FEED_SIZE if self._is_gzip else _ZSTD_FEED_SIZE
        while block := self._reader.read(_READ_SIZE):
            for at in range(0, len(block), feed_size):
                yield block[at : at + feed_size]

    def _take(self, data: bytes) -> bytes:
        """Unpack what belongs to the current member and return what lies behind its end."""
        if self._unpacker is None:
            if self._member_count and self._is_gzip:
                if not data.strip(b"\0"):
                    return b""
                if not _GZIP_MAGIC.startswith(data[: len(_GZIP_MAGIC)]):
                    raise self._error("is followed by bytes that do not belong to it", hint=_HINT_COPY)
            self._unpacker = _GzipMember() if self._is_gzip else _ZstdFrame()
            self._member_count += 1
        unpacker = self._unpacker
        try:
            for piece in unpacker.pieces(data):
                self._hand_on(piece)
        except unpacker.failure as error:
            if _TOO_WIDE in str(error):
                raise self._error("needs more than 128 MiB of memory to be unpacked", hint=_HINT_WINDOW) from error
            raise self._error(f"is damaged ({error})", hint=_HINT_COPY) from error
        if not unpacker.eof:
            return b""
        self._unpacker = None
        return unpacker.unused_data

    def _hand_on(self, piece: bytes) -> None:
        self._written += len(piece)
        if self._limit is not None and self._written > self._limit:
            raise self._error(f"unpacks to more than {self._limit} bytes", hint=_HINT_LIMIT)
        self._write(piece)

    def _error(self, problem: str, *, hint: str) -> FormatError:
        return FormatError(self._what, problem, offset=self._offset, hint=hint)


def _has_tar_sum(head: bytes) -> bool:
    """Tell whether the bytes are a tar header by its own checksum; those before POSIX have no magic."""
    if len(head) < HEAD_SIZE:
        return False
    digits = head[_TAR_SUM_START:_TAR_SUM_STOP].strip(b" \0")
    computed = sum(head[:_TAR_SUM_START]) + sum(head[_TAR_SUM_STOP:]) + (_TAR_SUM_STOP - _TAR_SUM_START) * ord(" ")
    return bool(digits) and all(digit in b"01234567" for digit in digits) and int(digits, 8) == computed
