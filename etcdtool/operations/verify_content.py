"""The part of ``verify`` that knows etcd: every bucket, every revision, and how they fit together.

Small buckets are read by the plain cursor; ``key`` and ``lease``, which may be large, in blocks of columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etcdtool.checks.alarms import check_alarms
from etcdtool.checks.auth import check_auth
from etcdtool.checks.buckets import check_buckets
from etcdtool.checks.generations import check_generations
from etcdtool.checks.leases import LeaseCheck
from etcdtool.checks.members import check_cluster, check_members
from etcdtool.checks.meta import check_meta
from etcdtool.checks.revisions import NOT_CHECKED, RowCheck, check_compaction_marks
from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.tree_proof import LeafProof
from etcdtool.model import schema
from etcdtool.model.keyspace import Compactions, KeyspaceBuilder, expected_rows, iter_rows, read_meta
from etcdtool.model.leases import iter_leases
from etcdtool.model.revision import MAIN_MAX
from etcdtool.operations.limiter import Limiter, limited

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from etcdtool.findings import Finding
    from etcdtool.formats.bbolt.cursor import Bucket, Item
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.model.keyspace import Keyspace

__all__ = ["ContentCheck"]


@dataclass(slots=True, kw_only=True)
class ContentCheck:
    """Checks of what a database holds.

    Attributes:
        image: the database.
        engine: how large buckets are read.
        advance: is called with the position in the file that was reached.
        quick: whether bucket ``key`` is left out.
        inspect: more checks of the key space, made when it can be read.
        proofs: root page -> what was proven of the leaves of a bucket on the way, filled by `findings`.
    """

    image: Image
    engine: Engine
    advance: Callable[[int], None]
    quick: bool = False
    inspect: Callable[[Keyspace], Iterator[Finding]] | None = None
    proofs: dict[int, LeafProof] = field(default_factory=dict)

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with the buckets, then with the revisions, then with the history of the keys."""
        try:
            buckets = cursor.root_buckets(self.image)
            meta = read_meta(self.image)
        except FormatError:
            yield NOT_CHECKED.finding("the root bucket and bucket meta", "a page of theirs cannot be read")
            return
        yield from check_buckets(buckets)
        yield from check_compaction_marks(meta)
        yield from limited(self._small_buckets(buckets))
        leases = yield from self._leases(buckets)
        if schema.KEY in buckets and not self.quick:
            yield from self._keys(buckets[schema.KEY], meta, leases)

    def _small_buckets(self, buckets: dict[bytes, Bucket]) -> Iterator[Finding]:
        items: dict[bytes, list[Item]] = {}
        for name in schema.BUCKETS:
            items[name] = []
            if name in buckets and name not in {schema.KEY, schema.LEASE}:
                try:
                    items[name] = list(cursor.iter_items(self.image, buckets[name]))
                except FormatError:
                    yield NOT_CHECKED.finding(f"bucket {name.decode()}", "a page of its tree cannot be read")
        yield from check_auth(items[schema.AUTH], items[schema.AUTH_USERS], items[schema.AUTH_ROLES])
        members = yield from check_members(items[schema.MEMBERS], items[schema.MEMBERS_REMOVED])
        cluster_version = yield from check_cluster(items[schema.CLUSTER])
        yield from check_meta(items[schema.META], members=members, cluster_version=cluster_version)
        yield from check_alarms(items[schema.ALARM])

    def _leases(self, buckets: dict[bytes, Bucket]) -> Generator[Finding, None, LeaseCheck | None]:
        check = LeaseCheck()
        limiter = Limiter()
        found: list[Finding] = []
        if schema.LEASE in buckets:
            bucket, proof = buckets[schema.LEASE], LeafProof(self.image)
            try:
                for leases in iter_leases(self.image, bucket, engine=self.engine, look=proof.add):
                    found.extend(limiter.pass_on(check.findings(leases)))
            except FormatError:
                yield NOT_CHECKED.finding("bucket lease", "a page of its tree cannot be read")
                return None
            if self.engine == "columns":
                self.proofs[bucket.root] = proof
        yield from found
        yield from limiter.summary()
        return check

    def _keys(self, bucket: Bucket, meta: dict[bytes, bytes], leases: LeaseCheck | None) -> Iterator[Finding]:
        compactions = _compactions(meta)
        check = RowCheck(self.image.data, compactions.revision if compactions else MAIN_MAX)
        limiter = Limiter()
        found: list[Finding] = []
        proof = LeafProof(self.image)
        try:
            builder = KeyspaceBuilder(self.image, expected_rows(self.image, bucket, self.engine))
            for rows in iter_rows(self.image, bucket, engine=self.engine, look=proof.add):
                found.extend(limiter.pass_on(check.findings(rows)))
                builder.add(rows)
                if leases is not None:
                    leases.add(rows)
                self.advance(int(rows.message_end[-1]))
        except FormatError:
            # how far a reader came before a bad page depends on the reader: what it saw until then is left out
            yield NOT_CHECKED.finding("bucket key", "a page of its tree cannot be read")
            return
        if self.engine == "columns":
            self.proofs[bucket.root] = proof
        yield from found
        yield from limiter.summary()
        if compactions is None:
            return
        keyspace = builder.finish(compactions)
        yield from limited(check_generations(keyspace))
        if leases is not None:
            yield from leases.orphans(keyspace)
        if self.inspect is not None:
            yield from self.inspect(keyspace)


def _compactions(meta: dict[bytes, bytes]) -> Compactions | None:
    try:
        return Compactions.parse(meta)
    except FormatError:
        return None
