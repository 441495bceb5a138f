"""Checksums that etcd keeps beside its data.

* CRC-32C (Castagnoli), chained the way Go's ``crc32.Update`` chains: WAL records, ``.snap`` files, status hash, hashkv.
* sha256 trailer of a snapshot file: 32 bytes after an image whose size is a multiple of 512
  (``etcdutl/snapshot/v3_snapshot.go`` @ v3.7.1).
* FNV-1a 64 of a bbolt meta page (``internal/common/meta.go`` @ bbolt v1.5.0).
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import ReadableBuffer

__all__ = ["TRAILER_SIZE", "crc32c", "crc32c_joined", "crc32c_of_runs", "fnv1a64", "has_trailer", "sha256_of"]

TRAILER_SIZE = 32
_SECTOR_SIZE = 512
_HASH_CHUNK_SIZE = 8 << 20
_RELEASE_INTERPRETER = 1

_CRC32C_POLYNOMIAL = 0x82F63B78  # its bits in reverse, as the checksum's are
_CRC_TOP = 1 << 31

_FNV_OFFSET_BASIS = 0xCBF29CE484222325
_FNV_PRIME = 0x100000001B3
_U64_MAX = (1 << 64) - 1


def _load_crc32c() -> Callable[..., int]:
    # the package's own __init__ looks up its metadata (40 ms), so the compiled module inside is loaded by itself
    package = importlib.util.find_spec("crc32c")
    for folder in (package.submodule_search_locations or []) if package else []:
        spec = importlib.machinery.PathFinder.find_spec("_crc32c", [folder])
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.crc32c  # type: ignore[no-any-return]
    import crc32c as package_of_its_own  # noqa: PLC0415  another layout of the package

    return package_of_its_own.crc32c


_crc32c = _load_crc32c()


def crc32c(data: ReadableBuffer, checksum: int) -> int:
    """Return the CRC-32C of what ``checksum`` is of, and ``data`` behind it."""
    return _crc32c(data, checksum)


def crc32c_of_runs(data: memoryview, runs: Iterable[tuple[int, int]], checksum: int) -> int:
    """Take stretches ``(start, stop)`` of a file into a CRC-32C, in order.

    Other threads have the interpreter meanwhile: one that works on arrays comes to its next array operation at once.
    """
    for start, stop in runs:
        checksum = _crc32c(data[start:stop], checksum, _RELEASE_INTERPRETER)
    return checksum


def crc32c_joined(first: int, second: int, second_size: int) -> int:
    """Return the CRC-32C of what ``first`` is of with what ``second`` is of behind it, ``second_size`` bytes.

    Both are remainders of a division; bytes behind the first move it up, that is, multiply it with a power of x.
    """
    shift, power = _CRC_TOP, _CRC_TOP >> 8  # 1, and x to the 8 for one byte
    while second_size:
        if second_size & 1:
            shift = _crc_product(shift, power)
        power = _crc_product(power, power)
        second_size >>= 1
    return _crc_product(first, shift) ^ second


def _crc_product(left: int, right: int) -> int:
    """Multiply two polynomials modulo that of CRC-32C."""
    product = 0
    while left:
        if left & _CRC_TOP:
            product ^= right
        left = left << 1 & 0xFFFFFFFF
        right = right >> 1 ^ (_CRC32C_POLYNOMIAL if right & 1 else 0)
    return product


def fnv1a64(data: ReadableBuffer) -> int:
    """Return the FNV-1a 64 hash of a few bytes (a Python loop: meant for the 56 bytes of a meta)."""
    value = _FNV_OFFSET_BASIS
    for byte in memoryview(data):
        value = ((value ^ byte) * _FNV_PRIME) & _U64_MAX
    return value


def has_trailer(file_size: int) -> bool:
    """Tell whether a snapshot file of this size carries a sha256 trailer, by upstream's rule."""
    return file_size % _SECTOR_SIZE == TRAILER_SIZE


def sha256_of(data: memoryview, *, stopped: Callable[[], bool] = lambda: False) -> bytes | None:
    """Return the sha256 of a mapped file, in chunks; None when ``stopped`` says so between two of them."""
    import hashlib  # noqa: PLC0415  it loads OpenSSL, which takes longer than the rest of this module

    digest = hashlib.sha256()
    for start in range(0, len(data), _HASH_CHUNK_SIZE):
        if stopped():
            return None
        digest.update(data[start : start + _HASH_CHUNK_SIZE])
    return digest.digest()
