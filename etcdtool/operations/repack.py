"""Write the buckets of a database to a new file without its free pages, and prove that the file holds the same.

What `defrag` and `compact` have in common.  Every pair goes by in order: it is taken into a digest, and packed.  The
new file is checked page by page then, and its pairs have to give the same digest.  Pages are proven good by what is
read on the way, so that nothing is read twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt import columns, cursor
from etcdtool.formats.bbolt.check import check
from etcdtool.formats.bbolt.packer import Packer, Spans, joined
from etcdtool.formats.bbolt.page import BUCKET_FLAG, Image
from etcdtool.formats.bbolt.pairs_digest import PairsDigest
from etcdtool.formats.bbolt.tree_proof import LeafProof
from etcdtool.model import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.cursor import Bucket
    from etcdtool.formats.bbolt.writer import Output, Written
    from etcdtool.formats.engine import Engine

__all__ = ["Changes", "Repacking", "prove_pairs"]

_PAGES_PER_BLOCK = 512
_ITEMS_PER_BLOCK = 4096
_HINT = "Nothing was changed. Try another disk; if it happens again, please report it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What the new file has otherwise.

    Attributes:
        kept: of each pair of bucket ``key``, whether it is kept; None: all are.
        meta: pairs that are set in bucket ``meta``.
    """

    kept: NDArray[np.bool_] | None = None
    meta: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class Repacking:
    """One database on its way into a new file.

    Args:
        image: the database.
        engine: how buckets are read.
        advance: is told the bytes of pairs that were packed, and that were read back.
    """

    image: Image
    engine: Engine
    advance: Callable[[int], None]
    _digests: dict[bytes, tuple[int, PairsDigest]] = field(default_factory=dict, init=False)

    def check_and_write(self, out: Output, marks: bytearray) -> tuple[list[Finding], Written | None]:
        """Pack all buckets, and check all pages by what was read; return the errors, and what was written.

        Args:
            out: where to.
            marks: one byte a page, all 0, for `etcdtool.formats.bbolt.check.count_used`.

        Raises:
            FormatError: a bucket cannot be walked, or holds another one, and the check finds nothing wrong with that.
        """
        proofs: dict[int, LeafProof] = {}
        written, problem = None, None
        try:
            written = self.write(out, Changes(), proofs)
        except FormatError as error:
            problem = error
        found = check(self.image, engine=self.engine, proofs=proofs, marks=marks)
        errors = [finding for finding in found if finding.severity is Severity.ERROR]
        if problem is not None and not errors:
            raise problem
        return errors, written

    def write(self, out: Output, changes: Changes, proofs: dict[int, LeafProof] | None = None) -> Written:
        """Pack all buckets.

        Args:
            out: where to.
            changes: what becomes different.
            proofs: gets what was proven of the leaves by root page; None where the pages were checked before.

        Raises:
            FormatError: a bucket cannot be walked, or holds another one.
        """
        packer = Packer(out, self.image.page_size, self.image.let_go)
        buckets = cursor.root_buckets(self.image)
        for name, bucket in buckets.items():
            if name == schema.META and changes.meta:
                continue
            proof = LeafProof(self.image) if proofs is not None else None
            self._pack(packer, bucket, changes.kept if name == schema.KEY else None, proof)
            if proofs is not None and proof is not None and bucket.root:
                proofs[bucket.root] = proof
        if changes.meta:
            self._pack_meta(packer, buckets.get(schema.META), changes.meta)
        return packer.finish()

    def prove(self, data: memoryview, let_go: Callable[[], None] = lambda: None) -> None:
        """Read the new file; see `prove_pairs`."""
        prove_pairs(data, self._digests, self.engine, self.advance, let_go=let_go)

    def _pack(self, packer: Packer, bucket: Bucket, kept: NDArray[np.bool_] | None, proof: LeafProof | None) -> None:
        target = packer.bucket(bucket.name, self.image.data, sequence=bucket.sequence)
        digest = PairsDigest()
        self._digests[bucket.name] = bucket.sequence, digest
        row = 0
        for spans in _blocks(self.image, bucket, self.engine, proof):
            chosen = spans if kept is None else spans.rows(kept[row : row + len(spans)])
            row += len(spans)
            digest.add(self.image.data, chosen)
            target.add(chosen)
            self.advance(int(spans.size.sum()))
        assert kept is None or row == len(kept)
        target.finish()

    def _pack_meta(self, packer: Packer, old: Bucket | None, changed: Mapping[bytes, bytes]) -> None:
        pairs: dict[bytes, bytes] = {}
        sequence = old.sequence if old is not None else 0
        for spans in _blocks(self.image, old, self.engine) if old is not None else ():
            pairs |= spans.pairs(self.image.data)
        data, spans = joined(sorted({**pairs, **changed}.items()))
        digest = PairsDigest()
        digest.add(data, spans)
        self._digests[schema.META] = sequence, digest
        target = packer.bucket(schema.META, data, sequence=sequence)
        target.add(spans)
        target.finish()


def prove_pairs(
    data: memoryview,
    expected: Mapping[bytes, tuple[int, PairsDigest]],
    engine: Engine,
    advance: Callable[[int], object] = lambda _: None,
    *,
    let_go: Callable[[], None] = lambda: None,
) -> None:
    """Read a database that was written, from its first page to its last.

    Args:
        data: the file, without a trailer.
        expected: of each bucket its sequence, and the digest of its pairs.
        engine: how buckets are read.
        advance: is told the bytes of pairs that were read.
        let_go: see `Image`.

    Raises:
        FormatError: it does not hold what it should, by a fault of the disk or of ours.
    """
    image = replace(Image.open(data), let_go=let_go)
    found: dict[bytes, tuple[int, PairsDigest]] = {}
    proofs: dict[int, LeafProof] = {}
    for name, bucket in cursor.root_buckets(image).items():
        digest, proof = PairsDigest(), LeafProof(image)
        for spans in _blocks(image, bucket, engine, proof):
            digest.add(image.data, spans)
            advance(int(spans.size.sum()))
        found[name] = bucket.sequence, digest
        if bucket.root:
            proofs[bucket.root] = proof
    for finding in check(image, engine=engine, proofs=proofs):
        if finding.severity is Severity.ERROR:
            raise FormatError("written database", str(finding), hint=_HINT)
    if found != expected:
        names = [name.decode(errors="replace") for name in found if found[name] != expected.get(name)]
        problem = f"not the same pairs came back of bucket {', '.join(names) or 'that is missing'}"
        raise FormatError("written database", problem, hint=_HINT)


def _blocks(image: Image, bucket: Bucket, engine: Engine, proof: LeafProof | None = None) -> Iterator[Spans]:
    if engine == "plain":
        yield from _blocks_plainly(image, bucket)
        return
    for block in columns.iter_blocks(image, bucket, pages_per_block=_PAGES_PER_BLOCK):
        if (block.flags & BUCKET_FLAG).any():
            _refuse_nested(bucket, int(block.key_start[0]))
        if proof is not None:
            proof.add(block)
        yield Spans.of(block)


def _blocks_plainly(image: Image, bucket: Bucket) -> Iterator[Spans]:
    items = cursor.iter_items(image, bucket)
    while chunk := list(islice(items, _ITEMS_PER_BLOCK)):
        for item in chunk:
            if item.flags & BUCKET_FLAG:
                _refuse_nested(bucket, item.offset)
        rows = [(item.offset, len(item.key), len(item.key) + len(item.value)) for item in chunk]
        yield Spans(*np.array(rows, dtype=np.int64).T)


def _refuse_nested(bucket: Bucket, offset: int) -> None:
    name = bucket.name.decode(errors="replace")
    raise FormatError(
        f"bucket {name}", "holds another bucket", offset=offset, hint="No version of etcd makes such a file"
    )
