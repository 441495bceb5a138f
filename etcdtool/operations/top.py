"""``top``: what fills a database, by groups of keys, down to the last byte of the file.

The pages are checked first: of a damaged file the sums would be about something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import msgspec

from etcdtool.errors import FormatError
from etcdtool.formats.bbolt import cursor
from etcdtool.formats.bbolt.page_use import file_use
from etcdtool.formats.bbolt.tree_proof import LeafProof
from etcdtool.formats.digest import TRAILER_SIZE
from etcdtool.model import schema
from etcdtool.model.key_groups import GroupBy, KeyRule
from etcdtool.model.weights import Weights
from etcdtool.operations.engine import chosen_engine
from etcdtool.operations.intact import used_pages
from etcdtool.operations.savings import savings
from etcdtool.operations.top_groups import Amounts, Group, HotKey, LargeValue, Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.bbolt.page_use import FileUse
    from etcdtool.formats.engine import Engine
    from etcdtool.operations.savings import Savings

__all__ = ["MeasuredDatabase", "Part", "Top", "TopOptions", "top"]


class MeasuredDatabase(Protocol):
    """An opened file, such as `etcdtool.sources.Database`."""

    @property
    def name(self) -> str: ...  # noqa: D102  the class says it

    @property
    def kind(self) -> str: ...  # noqa: D102  likewise

    @property
    def size(self) -> int: ...  # noqa: D102  likewise

    @property
    def trailer(self) -> bytes | None: ...  # noqa: D102  likewise

    @property
    def image(self) -> Image: ...  # noqa: D102  likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class TopOptions:
    """What is asked for.

    Attributes:
        rule: what makes a group of keys; by lease and by size class, revisions are grouped.
        prefix: only keys that begin so have groups; the others are one.
        sort: `total`, `live`, `historic`, `tombstones`, `overhead`, `keys`, `revisions` or `group`.
        limit: groups that are named, 0 for all.
        largest: values, and keys with many revisions, that are named.
    """

    rule: KeyRule = field(default_factory=lambda: KeyRule(by=GroupBy.PREFIX))
    prefix: bytes = b""
    sort: str = "total"
    limit: int = 20
    largest: int = 5


class Part(msgspec.Struct, frozen=True):
    """Bytes of the file that are no group's."""

    name: str
    size: int


class Top(msgspec.Struct, frozen=True, kw_only=True):
    """What fills a file.  The totals of ``groups``, ``rest`` and ``outside`` and the sizes of ``parts`` add up to it.

    Attributes:
        name, kind: of the source.
        file_size: its bytes, unpacked, the trailer included.
        page_size: in bytes.
        revision, compact_revision: as a server has them; -1: never compacted.
        size_in_use: bytes of the pages that are not free: a server's ``dbSizeInUse`` once it has started.
        groups: the first ones, sorted.
        group_count: how many there are in all.
        rest: what the others amount to.
        outside: what lies outside of the prefix, None without one.
        parts: what no key takes.
        large_values: the largest first.
        hot_keys: those with most revisions first.
        savings: what compacting and defragmenting would win.
    """

    name: str
    kind: str
    file_size: int
    page_size: int
    revision: int
    compact_revision: int
    size_in_use: int
    groups: tuple[Group, ...]
    group_count: int
    rest: Amounts
    outside: Amounts | None
    parts: tuple[Part, ...]
    large_values: tuple[LargeValue, ...]
    hot_keys: tuple[HotKey, ...]
    savings: Savings

    @property
    def accounted(self) -> int:
        """Bytes that have a name here."""
        keys = sum(group.amounts.total for group in self.groups) + self.rest.total
        keys += self.outside.total if self.outside is not None else 0
        return keys + sum(part.size for part in self.parts)


def top(
    database: MeasuredDatabase,
    options: TopOptions | None = None,
    *,
    engine: Engine | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> Top:
    """Tell what fills a database.

    Args:
        database: an opened one.
        options: what is asked for.
        engine: how buckets are read; what ``ETCDTOOL_ENGINE`` says when not given.
        advance: is told the bytes of each block when it is read.

    Raises:
        FormatError: it is damaged.
    """
    options = options or TopOptions()
    engine = engine or chosen_engine()
    image = database.image
    try:
        return _top(database, image, options, engine, advance)
    except FormatError as error:
        raise error.at(database.name) from None


def _top(
    database: MeasuredDatabase, image: Image, options: TopOptions, engine: Engine, advance: Callable[[int], None]
) -> Top:
    proof = LeafProof(image)
    bucket = cursor.root_buckets(image).get(schema.KEY)
    by_lease = options.rule.by is GroupBy.LEASE
    weights = Weights.read(image, leases=by_lease, engine=engine, look=proof.add, advance=advance)
    proofs = {bucket.root: proof} if bucket is not None and bucket.root and engine == "columns" else {}
    pages_used = used_pages(image, database.name, engine=engine, proofs=proofs)
    history = weights.history
    use = file_use(image, pages_used, engine=engine, entry_sizes={schema.KEY: int(history.size.sum(dtype="int64"))})
    saved = savings(image, history, engine=engine)
    shares = Shares.of(weights, options.rule, options.prefix, engine=engine)
    groups, rest = shares.groups(options.sort, options.limit)
    return Top(
        name=database.name,
        kind=database.kind,
        file_size=database.size,
        page_size=image.page_size,
        revision=history.current_revision,
        compact_revision=history.compactions.revision,
        size_in_use=pages_used * image.page_size,
        groups=groups,
        group_count=shares.count,
        rest=rest,
        outside=shares.outside if options.prefix else None,
        parts=tuple(part for part in _parts(database, use, int(weights.overhead.sum(dtype="int64"))) if part.size),
        large_values=shares.large_values(options.largest),
        hot_keys=shares.hot_keys(options.largest),
        savings=saved,
    )


def _parts(database: MeasuredDatabase, use: FileUse, shared: int) -> Iterator[Part]:
    """Name what no key takes; ``shared`` is what of bucket ``key`` is shared out to its entries."""
    yield Part("meta pages", use.metas)
    yield Part("freelist", use.freelist)
    yield Part("free pages", use.free)
    yield Part("list of buckets", use.root.total)
    for name, bucket in use.buckets.items():
        shown = name.decode("utf-8", "backslashreplace")
        if name == schema.KEY:
            yield Part(f"branch pages of bucket {shown}", bucket.branch_size)
            own = bucket.element_size + bucket.header_size + bucket.slack - shared
            yield Part(f"header and empty pages of bucket {shown}", own)
        else:
            yield Part(f"bucket {shown}", bucket.total)
    trailer = TRAILER_SIZE if database.trailer is not None else 0
    yield Part("beyond the high-water mark", database.size - use.total - trailer)
    yield Part("sha256 trailer", trailer)
