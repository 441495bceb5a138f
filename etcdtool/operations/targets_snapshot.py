"""A conversion's target as a v3 snapshot file: bbolt image and sha256 trailer, as ``etcdctl snapshot save`` has it.

All ten buckets are there, as a server creates them.  Members, cluster version, storage version and confState are left
out: a restore writes the members, and a server that finds none of the others sets them at its first start, whichever
version it is.
"""

from __future__ import annotations

import contextlib
import mmap
import struct
from typing import TYPE_CHECKING, Self

from etcdtool.errors import ChecksumError, FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.cursor import iter_items, root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.writer import write_database
from etcdtool.formats.digest import TRAILER_SIZE, has_trailer, sha256_of
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.lease import Lease
from etcdtool.model.ports import WrittenRecord
from etcdtool.model.revision import pack_revision
from etcdtool.model.rows import Rows, iter_rows, refuse_unreadable
from etcdtool.targets import StagedFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from etcdtool.formats.bbolt.writer import Buckets
    from etcdtool.model.conversion_plan import Plan
    from etcdtool.model.ports import Origin

__all__ = ["SnapshotTarget", "map_staged", "meta_pairs", "write_sealed"]

_U64 = struct.Struct(">Q")
_NO_LEASE_DEFINED = -1
_PAGES_READ_BACK_AT_ONCE = 256
"""All of their records are in memory together, beside the plan: the moment at which a conversion takes the most."""


class SnapshotTarget(contextlib.AbstractContextManager["SnapshotTarget"]):
    """A snapshot file, staged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stage = StagedFile(path)

    def write(self, plan: Plan, origin: Origin) -> None:
        """Write image and trailer, and sync them."""
        write_sealed(self._stage, _buckets(plan, origin))

    def read_back(self) -> Iterator[WrittenRecord]:
        """Check the staged file from its first byte to its last, then yield its records.

        Raises:
            ChecksumError: the trailer does not fit the image.
            FormatError: a page is not as bbolt wants it.
        """
        with self._mapped() as data:
            if not has_trailer(len(data)):
                raise FormatError("written snapshot", f"{len(data)} bytes cannot end in a sha256 trailer")
            stored, computed = bytes(data[-TRAILER_SIZE:]), sha256_of(data[:-TRAILER_SIZE])
            if computed is None or stored != computed:
                raise ChecksumError("written snapshot", stored=stored.hex(), computed=(computed or b"").hex())
            image = Image.open(data[:-TRAILER_SIZE])
            for finding in check(image):
                if finding.severity is Severity.ERROR:
                    raise FormatError("written snapshot", str(finding))
            buckets = root_buckets(image)
            leases = (Lease.parse(item.key, item.value) for item in iter_items(image, buckets[b"lease"]))
            ttl_of = {lease.id: lease.ttl_seconds for lease in leases}
            ttl_of[0] = 0
            for rows in iter_rows(image, buckets[b"key"], pages_per_block=_PAGES_READ_BACK_AT_ONCE):
                refuse_unreadable(image.data, rows)
                yield from _records(image.data, rows, ttl_of)

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[memoryview]:
        yield map_staged(self._stage)

    def commit(self) -> None:
        """Give the file its name."""
        self._stage.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stage.discard()


def write_sealed(stage: StagedFile, buckets: Buckets, *, page_size: int = 4096) -> None:
    """Write buckets as a snapshot, image and sha256 trailer, and sync them; buckets are as of `write_database`."""
    out = stage.file
    with stage.reporting():
        written = write_database(out, buckets, page_size=page_size)
        out.flush()
        digest = sha256_of(map_staged(stage)[: written.size])
        assert digest is not None  # nothing stops it
        out.seek(written.size)
        out.write(digest)
    stage.sync()


def map_staged(stage: StagedFile) -> memoryview:
    """Return what was written so far, as it lies on disk."""
    # not closed by hand: views of it may be alive, and the last of them closes it
    return memoryview(mmap.mmap(stage.fileno(), 0, prot=mmap.PROT_READ))


def _records(data: memoryview, rows: Rows, ttl_of: Mapping[int, int]) -> Iterator[WrittenRecord]:
    leases = rows.lease.tolist()
    return map(
        WrittenRecord,
        rows.main.tolist(),
        rows.sub.tolist(),
        _slices(data, rows.key_start, rows.key_size),
        _slices(data, rows.value_start, rows.value_size),
        rows.create_revision.tolist(),
        rows.mod_revision.tolist(),
        rows.version.tolist(),
        leases,
        [ttl_of.get(lease, _NO_LEASE_DEFINED) for lease in leases],
    )


def _slices(data: memoryview, start: NDArray[np.int64], size: NDArray[np.int64]) -> list[bytes]:
    return [data[at:end].tobytes() for at, end in zip(start.tolist(), (start + size).tolist(), strict=True)]


def _buckets(plan: Plan, origin: Origin) -> Mapping[bytes, Iterable[tuple[bytes, bytes]]]:
    return {
        b"alarm": (),
        b"auth": (),
        b"authRoles": (),
        b"authUsers": (),
        b"cluster": (),
        b"key": _key_pairs(plan),
        b"lease": [
            (lease.key, bytes(lease)) for lease in (Lease(id=id_, ttl_seconds=seconds) for id_, seconds in plan.leases)
        ],
        b"members": (),
        b"members_removed": (),
        b"meta": sorted(meta_pairs(plan, origin).items()),
    }


def _key_pairs(plan: Plan) -> Iterator[tuple[bytes, bytes]]:
    for record in plan.records:
        put = record.put
        yield (
            pack_revision(record.main, record.sub),
            encode_key_value(put.key, record.create_revision, record.main, record.version, put.value, record.lease),
        )


def meta_pairs(plan: Plan, origin: Origin) -> dict[bytes, bytes]:
    """Return what bucket ``meta`` holds of a conversion."""
    meta: dict[bytes, bytes] = {}
    if origin.raft_index:  # upstream never writes 0
        meta[b"consistent_index"] = _U64.pack(origin.raft_index)
    if origin.raft_term:
        meta[b"term"] = _U64.pack(origin.raft_term)
    if plan.compact_revision:
        meta[b"scheduledCompactRev"] = meta[b"finishedCompactRev"] = pack_revision(plan.compact_revision, 0)
    return meta
