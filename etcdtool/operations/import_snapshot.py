"""``import``: a snapshot from the JSON lines of an export, read back and proven before it has its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etcdtool.errors import ChecksumError
from etcdtool.formats.digest import TRAILER_SIZE, sha256_of
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.import_records import Records
from etcdtool.operations.repack import prove_pairs
from etcdtool.operations.targets_snapshot import map_staged, write_sealed
from etcdtool.targets import StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from etcdtool.sources.lines import Lines

__all__ = ["Imported", "import_snapshot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was written.

    Attributes:
        target: the snapshot.
        size: its bytes.
        counts: records by type.
        history: whether it holds every revision that the export's source held.
        revision: what a server that starts on it calls its revision.
        exported_revision: up to which the export went; None where it does not say.
        without_lease: keys that hang on a lease which is not there; servers let them be, without a lease.
    """

    target: Path
    size: int
    counts: Mapping[str, int]
    history: bool
    revision: int
    exported_revision: int | None
    without_lease: int


def import_snapshot(
    lines: Lines, target: Path, *, progress: Callable[[int, int], object] = lambda _, __: None
) -> Imported:
    """Write a snapshot of the records of an export.

    With a history every pair is as it was, so that hashes are equal at every revision.  Of live keys alone a store is
    made that is compacted at its newest revision: what was before is not known.

    Raises:
        FormatError: a line is no record, or says what cannot be.
        TargetExistsError: something stands there.
        EtcdtoolError: the disk refuses.
    """
    with StagedFile(target) as stage:
        records = Records(lines, progress)
        write_sealed(stage, records.buckets())
        written = map_staged(stage)
        trailer, computed = bytes(written[-TRAILER_SIZE:]), sha256_of(written[:-TRAILER_SIZE])
        if trailer != computed:
            raise ChecksumError("written snapshot", stored=trailer.hex(), computed=(computed or b"").hex())
        prove_pairs(written[:-TRAILER_SIZE], records.digests, chosen_engine())
        size = len(written)
        stage.commit()
    return Imported(
        target=target,
        size=size,
        counts=dict(records.counts),
        history=records.is_exact,
        revision=records.revision,
        exported_revision=records.header.revision if records.header is not None else None,
        without_lease=records.without_lease,
    )
