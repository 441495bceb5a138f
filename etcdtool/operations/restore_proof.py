"""Read back what a restore has written, before it gets its name."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from etcdtool.errors import FormatError
from etcdtool.findings import Severity
from etcdtool.formats import wal
from etcdtool.formats.bbolt.cursor import iter_items, root_bucket, root_buckets
from etcdtool.formats.bbolt.page import Image
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.formats.bbolt.tree_check import TreeCheck, check_inline
from etcdtool.formats.raft import HardState
from etcdtool.formats.snap import parse_snap_file
from etcdtool.model import schema
from etcdtool.model.auth import parse_enabled
from etcdtool.model.keyspace import read_bucket, read_meta
from etcdtool.model.membership import parse_member
from etcdtool.model.revision import Revision
from etcdtool.operations.restore_log import TERM
from etcdtool.sources import InputFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from etcdtool.findings import Finding
    from etcdtool.model.bootstrap import Bootstrap
    from etcdtool.model.schema import Version
    from etcdtool.operations.restore_changes import Counts

__all__ = ["prove"]

_FIRST_WITH_TERM = (3, 5)


def prove(
    database: Path,
    snap: Path,
    log: Path,
    *,
    cluster: Bootstrap,
    version: Version,
    counts: Counts,
    record_size: int,
) -> None:
    """Check that three written files say what they should; of the log, ``record_size`` bytes are records.

    Raises:
        FormatError: one of them does not, by a fault of the disk or of ours.
    """
    _prove_database(database, cluster, version, counts)
    _prove_snap(snap, cluster)
    _prove_log(log, cluster, record_size)


def _prove_database(path: Path, cluster: Bootstrap, version: Version, counts: Counts) -> None:
    image = Image.open(InputFile.open(path).data)
    _refuse_errors("restored database", _check_edited(image, counts))
    members = root_buckets(image)[schema.MEMBERS]
    found = {item.key: parse_member(item.value) for item in iter_items(image, members)}
    _require("restored database", "members", {f"{one.id:x}".encode(): one for one in cluster.members}, found)
    meta = read_meta(image)
    commit = schema.parse_uint64(meta[schema.CONSISTENT_INDEX], "consistent_index")
    _require("restored database", "consistent index", len(cluster.members), commit)
    if version >= _FIRST_WITH_TERM:
        _require("restored database", "term", TERM, schema.parse_uint64(meta[schema.TERM], "term"))
    if counts.alarms:
        _require("restored database", "alarms", {}, read_bucket(image, schema.ALARM))
    if counts.auth:
        _require("restored database", "authentication", False, parse_enabled(read_bucket(image, schema.AUTH)))


def _check_edited(image: Image, counts: Counts) -> Iterator[Finding]:
    """Check the trees that a restore writes to; all other pages lie where they were verified."""
    marks = bytearray(image.page_limit)
    yield from TreeCheck(image, root_bucket(image), marks, [], is_root=True).findings()
    buckets = root_buckets(image)
    for name in (schema.ALARM, schema.AUTH, schema.CLUSTER, schema.MEMBERS, schema.MEMBERS_REMOVED, schema.META):
        if name not in buckets:
            continue
        bucket = buckets[name]
        if bucket.inline is not None:
            yield from check_inline(bucket, bucket.inline)
        else:
            yield from TreeCheck(image, bucket, marks, []).findings()
    if schema.KEY in buckets:
        # what was added are the last ones, so this reads every page that was written for them
        for key, _ in islice(Transaction(image).items(schema.KEY, backwards=True), counts.appended + 1):
            Revision.parse(key)


def _prove_snap(path: Path, cluster: Bootstrap) -> None:
    file = parse_snap_file(InputFile.open(path).data)
    _require("restored .snap file", "place", (len(cluster.members), TERM), (file.index, file.term))
    _require("restored .snap file", "voters", _ids(cluster), file.conf_state.voters)


def _prove_log(path: Path, cluster: Bootstrap, record_size: int) -> None:
    data = InputFile.open(path).data
    _require("restored log", "size", wal.SEGMENT_SIZE, len(data))
    # what is allocated in advance has never been anything but zeros, and reading it takes longer than all the rest
    found = wal.scan([wal.Segment.named(wal.segment_name(0, 0), data[:record_size])])
    _refuse_errors("restored log", found.findings)
    _require("restored log", "ids", (cluster.local.id, cluster.cluster_id), (found.node_id, found.cluster_id))
    _require("restored log", "state", HardState(TERM, _ids(cluster)[0], len(cluster.members)), found.hard_state)
    _require("restored log", "last entry", len(cluster.members), found.last_index)


def _ids(cluster: Bootstrap) -> tuple[int, ...]:
    return tuple(member.id for member in cluster.members)


def _require(what: str, name: str, wanted: object, found: object) -> None:
    if wanted != found:
        raise FormatError(what, f"{name} came back as {found}, not {wanted}", hint=_HINT)


def _refuse_errors(what: str, findings: Iterable[Finding]) -> None:
    for finding in findings:
        if finding.severity is Severity.ERROR:
            raise FormatError(what, str(finding), hint=_HINT)


_HINT = "Nothing was left behind. Try another disk; if it happens again, please report it"
