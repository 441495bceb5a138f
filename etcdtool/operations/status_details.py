"""What ``snapshot status --verbose`` adds: everything about a snapshot that is told without judging it.

Format: docs/formats/mvcc.md; upstream: ``server/storage/schema/{membership,cindex}.go`` @ v3.7.1.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

import msgspec

from etcdtool.checks import container
from etcdtool.formats.bbolt.check import pages_in_use
from etcdtool.formats.bbolt.meta import NO_FREELIST
from etcdtool.model import schema
from etcdtool.model.backend import CLUSTER_VERSION
from etcdtool.model.keyspace import Keyspace, read_bucket, read_meta
from etcdtool.model.membership import Member, parse_member, parse_member_id
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.engine import Engine
    from etcdtool.sources import InputFile

__all__ = ["DescribedDatabase", "PageFigures", "RevisionCounts", "SnapshotDetails", "details"]

_TRAILER_STATES = {
    container.NO_TRAILER.code: "absent",
    container.TRAILER_CUT.code: "cut short",
    container.SHA256_MISMATCH.code: "wrong",
    container.APPENDED.code: "followed by other bytes",
    container.CUT_SHORT.code: "unknown, the file is cut short",
}
"""Finding about the container -> state of the trailer; where none of these is found, it is good."""


class DescribedDatabase(Protocol):
    """An opened file, such as `etcdtool.sources.Database`.

    Attributes:
        name: what to call it.
        kind: what it was taken for.
        file: all its bytes, the trailer included.
        image: the bbolt image; raises where there is none.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  the class says it

    @property
    def kind(self) -> str: ...  # noqa: D102  likewise

    @property
    def file(self) -> InputFile: ...  # noqa: D102  likewise

    @property
    def image(self) -> Image: ...  # noqa: D102  likewise


class RevisionCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Revisions stored in bucket ``key``; the other three add up to ``total``.

    Attributes:
        total: all of them.
        live: those that are a key's value at the head, as etcdutl counts keys.
        historic: older values, which a read in the past or a watch can still get.
        tombstones: deletions.
    """

    total: int
    live: int
    historic: int
    tombstones: int


class PageFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Pages below the high-water mark.

    Attributes:
        size: bytes a page.
        total: how many there are.
        in_use: meta pages, the freelist and every page that a bucket reaches, overflow pages included.
        free: the others; defragmenting gives them back.
        freelist_persisted: whether the free ones are listed in the file; etcd on Linux does not.
    """

    size: int
    total: int
    in_use: int
    free: int
    freelist_persisted: bool


class SnapshotDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What is told beside `etcdtool.operations.status.SnapshotStatus`.

    Attributes:
        kind: what the file was taken for.
        file_size: its bytes, unpacked, the trailer included.
        trailer: good, absent, wrong, cut short, or followed by other bytes.
        current_revision: what a server would call its revision.
        compact_revision: the oldest that can be read, None when nothing was ever compacted.
        compaction_pending: whether a server would first finish a compaction.
        revisions: by what became of them.
        pages: how much of the file is in use.
        schema_version: which version's layout the data follow, told from what is there ("3.5").
        storage_version: what bucket ``meta`` says of that, "" before 3.6.
        cluster_version: what bucket ``cluster`` says, "" where it says nothing.
        consistent_index, term: of the last raft entry applied, None where bucket ``meta`` does not say.
        members: ordered by id.
        removed_member_ids: of members that left, ascending.
    """

    kind: str
    file_size: int
    trailer: str
    current_revision: int
    compact_revision: int | None
    compaction_pending: bool
    revisions: RevisionCounts
    pages: PageFigures
    schema_version: str
    storage_version: str
    cluster_version: str
    consistent_index: int | None
    term: int | None
    members: tuple[Member, ...]
    removed_member_ids: tuple[int, ...]


def details(database: DescribedDatabase, *, engine: Engine | None = None) -> SnapshotDetails:
    """Return what there is to say of a database whose pages are good, see `etcdtool.operations.status.status`.

    Args:
        database: an opened one.
        engine: how buckets are read; what ``ETCDTOOL_ENGINE`` says when not given.

    Raises:
        FormatError: a bucket cannot be walked, or holds what is not of its format.
    """
    engine = engine or chosen_engine()
    image = database.image
    meta = read_meta(image)
    keyspace = Keyspace.read(image, engine=engine)
    members = [parse_member(value) for value in read_bucket(image, schema.MEMBERS).values()]
    removed = [parse_member_id(key.decode("utf-8", "replace")) for key in read_bucket(image, schema.MEMBERS_REMOVED)]
    return SnapshotDetails(
        kind=database.kind,
        file_size=len(database.file.data),
        trailer=_trailer_state(database),
        current_revision=keyspace.current_revision,
        compact_revision=keyspace.compact_revision if keyspace.compact_revision >= 0 else None,
        compaction_pending=keyspace.compactions.pending,
        revisions=_count_revisions(keyspace),
        pages=_page_figures(image, engine),
        schema_version=".".join(map(str, schema.detect_schema_version(meta))),
        storage_version=schema.storage_version(meta),
        cluster_version=read_bucket(image, schema.CLUSTER).get(CLUSTER_VERSION, b"").decode("utf-8", "replace"),
        consistent_index=_number(meta, schema.CONSISTENT_INDEX),
        term=_number(meta, schema.TERM),
        members=tuple(sorted(members, key=lambda member: member.id)),
        removed_member_ids=tuple(sorted(removed)),
    )


def _trailer_state(database: DescribedDatabase) -> str:
    data, image = database.file.data, database.image
    image_size = image.high_water_mark * image.page_size
    digests = _digests(data, container.digest_positions(len(data), image_size))
    found = container.check_container(data, name=database.name, image_size=image_size, digests=digests)
    return next((_TRAILER_STATES[finding.code] for finding in found if finding.code in _TRAILER_STATES), "good")


def _digests(data: memoryview, positions: Sequence[int]) -> dict[int, bytes]:
    digest, start, found = hashlib.sha256(), 0, {}
    for position in positions:
        digest.update(data[start:position])
        found[position], start = digest.digest(), position
    return found


def _count_revisions(keyspace: Keyspace) -> RevisionCounts:
    total, live, tombstones = len(keyspace), keyspace.live_key_count, int(keyspace.tombstone.sum())
    return RevisionCounts(total=total, live=live, historic=total - live - tombstones, tombstones=tombstones)


def _page_figures(image: Image, engine: Engine) -> PageFigures:
    in_use = pages_in_use(image, engine=engine)
    return PageFigures(
        size=image.page_size,
        total=image.high_water_mark,
        in_use=in_use,
        free=image.high_water_mark - in_use,
        freelist_persisted=image.meta.freelist != NO_FREELIST,
    )


def _number(meta: Mapping[bytes, bytes], name: bytes) -> int | None:
    return schema.parse_uint64(meta[name], f"{name.decode()} in bucket meta") if name in meta else None
