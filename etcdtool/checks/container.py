"""The snapshot file around its pages: the sha256 trailer, and a size that fits.

``snapshot save`` appends the sha256 of the image to the image; ``snapshot restore`` takes the last 32 bytes for it when
the size is 32 above a multiple of 512, and refuses a file without it.  ``snapshot status`` never looks at it.
Format: docs/formats/hashes.md, "Snapshot file trailer"; upstream: ``etcdutl/snapshot/v3_snapshot.go`` @ v3.7.1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etcdtool.checks.codes import Code
from etcdtool.findings import Severity
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from etcdtool.findings import Finding

__all__ = ["CODES", "check_container", "check_name", "check_size", "digest_positions"]

CUT_SHORT = Code(
    code="container.cut-short",
    severity=Severity.ERROR,
    meaning="The file ends before the last page that its meta page counts.",
    remedy="Copy or save it again. What is left can be read with salvage.",
)
NO_TRAILER = Code(
    code="container.no-trailer",
    severity=Severity.NOTE,
    meaning="No sha256 trailer follows the pages, as in a database file copied from a data dir. The pages and records "
    "were checked, yet nothing proves that their bytes are those that were written: a value that was changed shows "
    "nowhere. Restore takes the file with --skip-hash-check only.",
    remedy="None is needed for a copied database. If it should be a snapshot, save it again with snapshot save.",
)
TRAILER_CUT = Code(
    code="container.trailer-cut",
    severity=Severity.ERROR,
    meaning="The file ends inside its sha256 trailer.",
    remedy="Copy or save it again. The pages are all there, yet nothing proves them.",
)
SHA256_MISMATCH = Code(
    code="container.sha256-mismatch",
    severity=Severity.ERROR,
    meaning="The sha256 trailer is not that of the bytes before it: the file was changed after it was saved. etcdutl "
    "hashkv does that to its own input.",
    remedy="Use another copy. Restore takes this one with --skip-hash-check only.",
)
APPENDED = Code(
    code="container.appended",
    severity=Severity.ERROR,
    meaning="Bytes follow the sha256 trailer or the last page, so that restore takes others for the trailer.",
    remedy="Copy or save it again; or cut the file to the size that the finding names.",
)
UNKNOWN_TAIL = Code(
    code="container.unknown-tail",
    severity=Severity.WARNING,
    meaning="Whole pages that are not zeros follow the last page in use. A database file whose server stopped in the "
    "middle of a write has them.",
    remedy="Take a snapshot through a running server, if this should be a backup.",
)
SEALED_TAIL = Code(
    code="container.sealed-tail",
    severity=Severity.NOTE,
    meaning="Bytes stand between the last page in use and a sha256 trailer that covers them too.",
    remedy="None is needed.",
)
PART_UNFINISHED = Code(
    code="container.part-unfinished",
    severity=Severity.ERROR,
    meaning="The name ends in .part, as snapshot save calls a file while it writes it, and no sha256 trailer proves it "
    "whole: the save was cut off.",
    remedy="Save it again. What is left can be read with salvage.",
)
PART_WHOLE = Code(
    code="container.part-whole",
    severity=Severity.NOTE,
    meaning="The name ends in .part, as snapshot save calls a file while it writes it, yet the file is whole: only its "
    "own name is missing.",
    remedy="None is needed; rename it.",
)
CODES = (
    CUT_SHORT,
    NO_TRAILER,
    TRAILER_CUT,
    SHA256_MISMATCH,
    APPENDED,
    UNKNOWN_TAIL,
    SEALED_TAIL,
    PART_UNFINISHED,
    PART_WHOLE,
)

_PART = re.compile(r"\.part(?:\.gz|\.zst)?\Z", re.IGNORECASE)
_CHUNK_SIZE = 1 << 20
_SECTOR_SIZE = 512
_NO_IMAGE = "bbolt.no-image"


def digest_positions(size: int, image_size: int) -> list[int]:
    """Return, ascending, up to which bytes `check_container` wants sha256 sums."""
    positions = {image_size} if image_size + TRAILER_SIZE <= size else set()
    if has_trailer(size):
        positions.add(size - TRAILER_SIZE)
    return sorted(positions)


def check_size(data: memoryview, *, name: str, image_size: int) -> Iterator[Finding]:
    """Yield what is off about the size of a server's own database: it may be larger than its pages, not smaller."""
    missing = image_size - len(data)
    if missing > 0:
        yield CUT_SHORT.finding(name, f"ends {missing} bytes before the last page does", offset=len(data))


def check_container(
    data: memoryview, *, name: str, image_size: int, digests: Mapping[int, bytes] | None
) -> Iterator[Finding]:
    """Yield what is off around the pages.

    Args:
        data: the whole file.
        name: what to call it.
        image_size: bytes that the meta page counts: high-water mark times page size.
        digests: position -> sha256 of all bytes before it, for each of `digest_positions`; None when they were not
            computed: then only sizes are judged.
    """
    size = len(data)
    tail = size - image_size
    sealed = has_trailer(size) and _fits(data, size - TRAILER_SIZE, digests)
    if tail < 0:
        cause = "; its sha256 trailer fits, so that it was cut before it was sealed" if sealed and digests else ""
        yield CUT_SHORT.finding(name, f"ends {-tail} bytes before the last page does{cause}", offset=size)
    elif tail == 0:
        yield NO_TRAILER.finding(name, "has no sha256 trailer", offset=size)
    elif tail < TRAILER_SIZE:
        missing = TRAILER_SIZE - tail
        yield TRAILER_CUT.finding(name, f"the sha256 trailer is cut short by {missing} bytes", offset=image_size)
    elif tail == TRAILER_SIZE:
        if not sealed:
            yield _mismatch(data, name, digests)
    elif sealed:
        detail = f"{tail - TRAILER_SIZE} bytes between the last page and the sha256 trailer"
        yield SEALED_TAIL.finding(name, detail, offset=image_size)
    else:
        yield from _check_long_tail(data, name=name, image_size=image_size, digests=digests)


def check_name(name: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what the name of a snapshot says of it, given what else was found."""
    if _PART.search(name) is None:
        return
    unproved = {code.code for code in (CUT_SHORT, NO_TRAILER, TRAILER_CUT, SHA256_MISMATCH)}
    if any(finding.code in unproved or finding.code == _NO_IMAGE for finding in found):
        yield PART_UNFINISHED.finding(name, "snapshot save did not come to its end")
    else:
        yield PART_WHOLE.finding(name, "has the name of an unfinished file, and is whole")


def _fits(data: memoryview, position: int, digests: Mapping[int, bytes] | None) -> bool:
    """Tell whether the sum that stands there is that of the bytes before; nothing is held against an unknown one."""
    return digests is None or digests.get(position) == bytes(data[position : position + TRAILER_SIZE])


def _check_long_tail(
    data: memoryview, *, name: str, image_size: int, digests: Mapping[int, bytes] | None
) -> Iterator[Finding]:
    tail = len(data) - image_size
    trailer_end = image_size + TRAILER_SIZE
    if digests is not None and _fits(data, image_size, digests):
        extra = tail - TRAILER_SIZE
        yield APPENDED.finding(
            name, f"{extra} bytes follow the sha256 trailer", offset=trailer_end, hint=f"Cut it to {trailer_end} bytes"
        )
    elif has_trailer(len(data)):
        yield _mismatch(data, name, digests)
    elif _is_zero(data[image_size:]):
        detail = f"has no sha256 trailer; {tail} zero bytes follow the last page, as a server preallocates them"
        yield NO_TRAILER.finding(name, detail, offset=image_size)
    elif tail % _SECTOR_SIZE:
        yield APPENDED.finding(name, f"{tail} unknown bytes follow the last page", offset=image_size)
    else:
        yield UNKNOWN_TAIL.finding(name, f"{tail} bytes that are not zero follow the last page", offset=image_size)
        yield NO_TRAILER.finding(name, "has no sha256 trailer", offset=image_size)


def _mismatch(data: memoryview, name: str, digests: Mapping[int, bytes] | None) -> Finding:
    assert digests is not None, "nothing is held against a sum that was not computed"
    position = len(data) - TRAILER_SIZE
    stored = bytes(data[position:])
    what = "zeros" if not any(stored) else stored.hex()
    return SHA256_MISMATCH.finding(
        name, f"the sha256 trailer is {what}, computed {digests[position].hex()}", offset=position
    )


def _is_zero(tail: memoryview) -> bool:
    zeros = bytes(_CHUNK_SIZE)
    return all(
        tail[at : at + _CHUNK_SIZE] == zeros[: min(_CHUNK_SIZE, len(tail) - at)]
        for at in range(0, len(tail), _CHUNK_SIZE)
    )
