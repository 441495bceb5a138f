"""``snapshot salvage``: what can still be read of a damaged database, as a new verified snapshot.

First the tree of the meta in use; what it does not reach, from the other meta's tree and from leaf pages found by
scanning the whole file, where nothing proves it deleted.  A file that is whole comes out with the same content.
How to judge the result: docs/how-to/read-damaged-data.md.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.findings import Severity
from etcdtool.formats.bbolt.loose_pages import Pages, guess_page_size, scan_leaves
from etcdtool.formats.bbolt.salvage import Gap, Remains
from etcdtool.model import schema
from etcdtool.model.keyspace import Compactions
from etcdtool.model.revision import Revision, pack_revision
from etcdtool.operations.salvage_keys import is_lease, is_revision, known_of, revision_of, was_deleted
from etcdtool.operations.salvage_report import BucketReport, SalvageReport
from etcdtool.operations.salvage_roots import Root, form_of, iter_roots, walk_bucket
from etcdtool.operations.targets_snapshot import map_staged, write_sealed
from etcdtool.operations.verify import verify
from etcdtool.targets import StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.lenient import Pair

__all__ = ["DamagedDatabase", "salvage"]

# what a hole in the history looks like; all other errors of these subjects may not be left in what is written
_SUBJECTS_WITHOUT_ERRORS = ("container.", "bbolt.", "revisions.")
_HOLES = {"revisions.sub-gap"}


class _Bytes(Protocol):
    @property
    def data(self) -> memoryview: ...

    def check_unchanged(self) -> None: ...


class DamagedDatabase(Protocol):
    """An opened file, such as `etcdtool.sources.Database`.

    Attributes:
        name: what to call it.
        file: holds ``data``, all its bytes, and tells whether they have changed.
        data: the same without the trailer.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  the class says it

    @property
    def file(self) -> _Bytes: ...  # noqa: D102  the class says it

    @property
    def data(self) -> memoryview: ...  # noqa: D102  the class says it


@dataclass(slots=True, kw_only=True)
class _Bucket:
    """A bucket while it is put together."""

    name: bytes
    form: Callable[[bytes, memoryview], bool]
    remains: Remains
    recovered: dict[bytes, Pair] = field(default_factory=dict)
    doubtful: list[bytes] = field(default_factory=list)
    left_out: int = 0

    def holds_gap(self, key: bytes) -> bool:
        return any(gap.holds(key) for gap in self.remains.gaps)

    def pairs(self, data: memoryview) -> Iterator[Pair]:
        """Yield what the tree gives and what was recovered, in order."""
        tree = self.remains.pairs(data, self.form)
        return heapq.merge(tree, sorted(self.recovered.values())) if self.recovered else tree


@dataclass(frozen=True, slots=True)
class _Written:
    name: str
    file: _Mapped


@dataclass(frozen=True, slots=True)
class _Mapped:
    data: memoryview


def salvage(database: DamagedDatabase, target: Path) -> SalvageReport:
    """Write what can be read of a damaged database to a new snapshot, and verify it.

    Args:
        database: an opened file; it is not changed.
        target: does not exist yet.

    Raises:
        TargetExistsError: it does.
        FormatError: nothing of etcd's can be found in the file.
        EtcdtoolError: the disk is full, or what was written is not good.
    """
    with StagedFile(target) as staged:
        report = SalvageReport(source=database.name, size=len(database.file.data), target=target)
        report.damage = [finding for finding in verify(database).findings if finding.severity is not Severity.NOTE]
        pages = Pages(database.data, guess_page_size(database.data))
        buckets = _gather(pages, report)
        report.page_size = pages.page_size
        counters = {name: _Counter(pages.data, bucket, report) for name, bucket in buckets.items()}
        write_sealed(staged, {name: counter.pairs() for name, counter in counters.items()}, page_size=pages.page_size)
        report.buckets = [counter.report() for counter in counters.values()]
        data = map_staged(staged)
        report.written_size = len(data)
        report.findings = _verified(data, str(target))
        database.file.check_unchanged()
        staged.commit()
    return report


def _verified(data: memoryview, name: str) -> list[Finding]:
    findings = verify(_Written(name, _Mapped(data))).findings
    for finding in findings:
        if (
            finding.severity is Severity.ERROR
            and finding.code.startswith(_SUBJECTS_WITHOUT_ERRORS)
            and finding.code not in _HOLES
        ):
            raise EtcdtoolError(f"what was salvaged is not good: {finding}", hint="Nothing was written.")
    return findings


def _gather(pages: Pages, report: SalvageReport) -> dict[bytes, _Bucket]:
    """Find the buckets, and fill their gaps."""
    roots = iter_roots(pages)
    first = next(roots, None)
    if first is None and not any(scan_leaves(pages, set(), is_revision)):
        raise FormatError(
            "database", "no page of it can be read as etcd's", offset=0, hint="There is nothing to salvage"
        )
    buckets: dict[bytes, _Bucket] = {}
    if first is not None:
        _take_root(pages, first, buckets, report)
        if not first.is_first:
            _distrust(first, buckets)
    is_damaged = first is None or bool(first.gaps) or not first.is_first or not buckets.keys() <= set(schema.BUCKETS)
    missing = [name for name in schema.BUCKETS if name not in buckets] if is_damaged else []
    if missing or any(bucket.remains.gaps for bucket in buckets.values()):
        for root in roots:
            _fill_from(pages, root, buckets, missing, report)
    for name in missing:
        if name not in buckets:
            gap = Gap(b"", None, 0, "the bucket itself cannot be found")
            buckets[name] = _Bucket(name=name, form=form_of(name), remains=Remains(gaps=[gap]))
    taken = {page for bucket in buckets.values() for page in bucket.remains.taken} | (first.taken if first else set())
    report.compact_revision = _compact_revision(pages.data, buckets)
    if schema.KEY in buckets and buckets[schema.KEY].remains.gaps:
        is_certain = schema.META in buckets and not buckets[schema.META].remains.gaps
        _recover_keys(pages, buckets[schema.KEY], taken, report.compact_revision, is_certain=is_certain)
    if schema.LEASE in buckets and buckets[schema.LEASE].remains.gaps:
        _recover_leases(pages, buckets, taken)
    return dict(sorted(buckets.items()))


def _take_root(pages: Pages, root: Root, buckets: dict[bytes, _Bucket], report: SalvageReport) -> None:
    report.roots.append(root.origin)
    report.mended += root.mended
    for name, place in root.places.items():
        form = form_of(name)
        buckets[name] = _Bucket(name=name, form=form, remains=walk_bucket(pages, place, form))


def _distrust(root: Root, buckets: dict[bytes, _Bucket]) -> None:
    """Count everything as a gap where the tree is not that of the last commit: it may have changed since."""
    for bucket in buckets.values():
        bucket.remains.gaps = [Gap(b"", None, 0, f"the newest root is lost; this bucket is that of {root.origin}")]


def _fill_from(
    pages: Pages, root: Root, buckets: dict[bytes, _Bucket], missing: list[bytes], report: SalvageReport
) -> None:
    """Take from an older root what is missing: whole buckets, and pairs of buckets other than ``key`` and ``lease``."""
    used = False
    for name, place in root.places.items():
        form = form_of(name)
        bucket = buckets.get(name)
        if bucket is None and name in missing:
            older = walk_bucket(pages, place, form)
            whole = Gap(b"", None, place.page_id, f"the bucket stands on the root of an older commit, {root.origin}")
            recovered = {pair.key: pair for pair in older.pairs(pages.data, form)}
            buckets[name] = _Bucket(name=name, form=form, remains=Remains(gaps=[whole]), recovered=recovered)
            used = True
        elif bucket is not None and bucket.remains.gaps and name not in {schema.KEY, schema.LEASE}:
            for pair in walk_bucket(pages, place, form).pairs(pages.data, form):
                if bucket.holds_gap(pair.key) and pair.key not in bucket.recovered:
                    bucket.recovered[pair.key] = pair
                    used = True
    if used:
        report.roots.append(root.origin)


def _compact_revision(data: memoryview, buckets: dict[bytes, _Bucket]) -> int:
    if schema.META not in buckets:
        return -1
    meta = {pair.key: bytes(data[pair.start : pair.stop]) for pair in buckets[schema.META].pairs(data)}
    try:
        return Compactions.parse(meta).revision
    except FormatError:
        return -1


def _recover_keys(pages: Pages, bucket: _Bucket, taken: set[int], compact_revision: int, *, is_certain: bool) -> None:
    """Fill gaps of bucket ``key`` with revisions from pages that no tree leads to.

    Where the compact revision is not certain it may be higher, so that any of them may have been deleted.
    """
    data = pages.data
    loose = [pair for _, pairs in scan_leaves(pages, taken, is_revision) for pair in pairs]
    loose += bucket.recovered.values()
    bucket.recovered = {}
    candidates = {pair.key: pair for pair in reversed(loose) if bucket.holds_gap(pair.key)}
    compacted = pack_revision(max(compact_revision, 0) + 1)
    wanted = {
        parsed[1].key
        for pair in candidates.values()
        if pair.key < compacted and (parsed := revision_of(pair.key, data[pair.start : pair.stop])) is not None
    }
    known = known_of(data, loose, wanted=wanted)
    if wanted:
        for key, facts in known_of(data, bucket.remains.pairs(data, is_revision), wanted=wanted).items():
            known.setdefault(key, set()).update(facts)
    ordered = {key: sorted(facts) for key, facts in known.items()}
    for pair in candidates.values():
        parsed = revision_of(pair.key, data[pair.start : pair.stop])
        assert parsed is not None  # the scan gives no others
        verdict = was_deleted(*parsed, ordered, compact_revision, bucket.remains.gaps)
        if verdict:
            bucket.left_out += 1
            continue
        bucket.recovered[pair.key] = pair
        if verdict is None or not is_certain:
            bucket.doubtful.append(pair.key)


def _recover_leases(pages: Pages, buckets: dict[bytes, _Bucket], taken: set[int]) -> None:
    """Fill gaps of bucket ``lease`` with leases that keys hang on; of others nobody knows whether they were revoked."""
    bucket = buckets[schema.LEASE]
    used: set[int] = set()
    if schema.KEY in buckets:
        for pair in buckets[schema.KEY].pairs(pages.data):
            parsed = revision_of(pair.key, pages.data[pair.start : pair.stop])
            if parsed is not None and parsed[1].lease:
                used.add(parsed[1].lease)
    for _, pairs in scan_leaves(pages, taken, is_lease):
        for pair in pairs:
            if int.from_bytes(pair.key, "big", signed=True) in used and bucket.holds_gap(pair.key):
                bucket.recovered.setdefault(pair.key, pair)


class _Counter:
    """Hands the pairs of a bucket to the writer, and sees meanwhile which gaps were filled."""

    def __init__(self, data: memoryview, bucket: _Bucket, report: SalvageReport) -> None:
        self._data = data
        self._bucket = bucket
        self._salvage = report
        self._report = BucketReport(
            name=bucket.name, doubtful=bucket.doubtful, left_out=bucket.left_out, recovered=len(bucket.recovered)
        )
        self._lost: list[Gap] = []
        self._gaps = list(bucket.remains.gaps)
        self._continues = True

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values, in order, no key twice."""
        before = b""
        for pair in self._bucket.pairs(self._data):
            if pair.key == before:
                continue
            self._pass_gaps(before, pair.key)
            before = pair.key
            self._report.pairs += 1
            yield pair.key, bytes(self._data[pair.start : pair.stop])
        self._report.lost += self._gaps
        if self._bucket.name == schema.KEY and before:
            self._salvage.current_revision = Revision.parse(before).main

    def report(self) -> BucketReport:
        """Return what was counted."""
        return self._report

    def _pass_gaps(self, before: bytes, key: bytes) -> None:
        """Judge gaps at a step from one key to the next."""
        while self._gaps:
            gap = self._gaps[0]
            if key < gap.lower:
                return
            # the step leads into the gap, within it, or out of it
            self._continues &= self._is_next(before, key)
            if gap.holds(key):
                return
            (self._report.filled if self._continues else self._report.lost).append(gap)
            self._gaps.pop(0)
            self._continues = True

    def _is_next(self, before: bytes, key: bytes) -> bool:
        """Tell whether no revision can be missing between two keys: above the compact revision, they are dense."""
        if self._bucket.name != schema.KEY or not before:
            return False
        one, other = Revision.parse(before), Revision.parse(key)
        if one.main <= self._salvage.compact_revision:
            return False
        if one.main == other.main:
            return other.sub == one.sub + 1
        return other.main == one.main + 1 and other.sub == 0
