"""``snapshot status``: hash, revision, keys and size, as etcdutl 3.7 gives them.

The hash is CRC-32C over every bucket's name, keys and values in order, without lengths.  As in etcdutl, the pages are
checked first, damaged ones get no answer, and nobody looks at the sha256 trailer.
Format: docs/formats/hashes.md, "snapshot status"; upstream: ``etcdutl/snapshot/v3_snapshot.go`` @ v3.7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.tree_proof import LeafProof
from etcdtool.formats.digest import crc32c, crc32c_of_runs
from etcdtool.model import schema
from etcdtool.model.keyspace import (
    Compactions,
    KeyspaceBuilder,
    KeyValue,
    expected_rows,
    iter_rows,
    read_meta,
    refuse_unreadable,
)
from etcdtool.model.revision import Revision
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine

__all__ = ["HasImage", "IntegrityError", "SnapshotStatus", "status"]

_SHOWN_FINDINGS_MAX = 100


class HasImage(Protocol):
    """An opened database, such as `etcdtool.sources.Database`."""

    @property
    def image(self) -> Image:
        """The bbolt image; raises where there is none."""
        ...


class SnapshotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What ``snapshot status`` tells.

    Attributes:
        hash: CRC-32C of all buckets.
        revision: main revision of the last change stored, 0 when there is none.
        total_key: keys that exist at the head.
        total_size: bytes that the pages take: high-water mark times page size.
        version: storage version, "" before 3.6.
    """

    hash: int
    revision: int
    total_key: int
    total_size: int
    version: str


class IntegrityError(EtcdtoolError):
    """The pages are damaged; exit code 1, as etcdutl's.

    Attributes:
        findings: the first of the errors found.
    """

    def __init__(self, findings: list[Finding], count: int) -> None:
        self.findings = findings
        lines = "\n".join(f"{finding.where}: {finding.detail}" for finding in findings)
        super().__init__(f"snapshot file integrity check failed. {count} errors found.\n{lines}")


def status(database: HasImage, *, engine: Engine | None = None) -> SnapshotStatus:
    """Return the status of a snapshot or database file.

    Args:
        database: an opened one.
        engine: how buckets are read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        IntegrityError: the pages are damaged.
        FormatError: a revision key or its record cannot be read.
    """
    engine = engine or chosen_engine()
    image = database.image
    proofs: dict[int, LeafProof] = {}
    problem: FormatError | None = None
    try:
        found = _read(image, engine, proofs)
    except FormatError as error:
        problem = error
    # only now, though what it finds comes first: leaves were proven on the way
    _check_integrity(image, engine, proofs)
    if problem is not None:
        raise problem
    return found


def _read(image: Image, engine: Engine, proofs: dict[int, LeafProof]) -> SnapshotStatus:
    checksum, last, total_key = 0, 0, 0
    for name, bucket in cursor.root_buckets(image).items():
        checksum = crc32c(name, checksum)
        proof = LeafProof(image)
        if name != schema.KEY:
            checksum = _hash_bucket(image, bucket, checksum, engine, proof)
        elif engine == "plain":
            checksum, last, total_key = _read_keys_plainly(image, bucket, checksum)
        else:
            checksum, last, total_key = _read_keys(image, bucket, checksum, proof)
        if engine == "columns":
            proofs[bucket.root] = proof
    return SnapshotStatus(
        hash=checksum,
        revision=last,
        total_key=total_key,
        total_size=image.high_water_mark * image.page_size,
        version=schema.storage_version(read_meta(image)),
    )


def _check_integrity(image: Image, engine: Engine, proofs: dict[int, LeafProof]) -> None:
    shown: list[Finding] = []
    count = 0
    for finding in check(image, engine=engine, proofs=proofs):
        if finding.severity is Severity.ERROR:
            count += 1
            if len(shown) < _SHOWN_FINDINGS_MAX:
                shown.append(finding)
    if count:
        raise IntegrityError(shown, count)


def _hash_bucket(image: Image, bucket: Bucket, checksum: int, engine: Engine, proof: LeafProof) -> int:
    return crc32c_of_runs(image.data, _runs(image, bucket, engine, proof), checksum)


def _runs(image: Image, bucket: Bucket, engine: Engine, proof: LeafProof) -> Iterator[tuple[int, int]]:
    if engine == "columns":
        for block in columns.iter_blocks(image, bucket):
            proof.add(block)
            yield from block.runs()
        return
    for item in cursor.iter_items(image, bucket):
        yield item.offset, item.offset + len(item.key) + len(item.value)


def _read_keys(image: Image, bucket: Bucket, checksum: int, proof: LeafProof) -> tuple[int, int, int]:
    """Return the checksum with bucket ``key`` taken in, the last main revision, and the count of live keys."""
    builder = KeyspaceBuilder(image, expected_rows(image, bucket, "columns"))
    last = 0
    for rows in iter_rows(image, bucket, look=proof.add):
        checksum = crc32c_of_runs(image.data, rows.runs, checksum)
        refuse_unreadable(image.data, rows)
        builder.add(rows)
        last = int(rows.main[-1])
    return checksum, last, builder.finish(Compactions()).live_key_count


def _read_keys_plainly(image: Image, bucket: Bucket, checksum: int) -> tuple[int, int, int]:
    """Do the same the obvious way: one pair after the other, and a set of keys."""
    seen: set[bytes] = set()
    last = 0
    for item in cursor.iter_items(image, bucket):
        checksum = crc32c(item.value, crc32c(item.key, checksum))
        revision = Revision.parse(item.key, offset=item.offset)
        key = KeyValue.parse(item.value, offset=item.offset + len(item.key)).key
        (seen.discard if revision.tombstone else seen.add)(key)
        last = revision.main
    return checksum, last, len(seen)
