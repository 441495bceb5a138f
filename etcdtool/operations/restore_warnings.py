"""What a restore can tell of the old cluster and of the source, before anything goes wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.model import schema
from etcdtool.model.compactions import read_bucket, read_meta
from etcdtool.model.membership import member_id_text, parse_member
from etcdtool.sources import InputFile, locate

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.model.membership import Member
    from etcdtool.operations.restore_events import Events
    from etcdtool.operations.restore_options import Layout
    from etcdtool.sources import Database
    from etcdtool.targets import Owner

__all__ = ["refuse_without_trailer", "tell_of_members", "tell_of_owner", "tell_of_source"]

_NO_TRAILER = "snapshot missing hash but --skip-hash-check=false"


def refuse_without_trailer(database: Database) -> None:
    """Raise when a file's size says that it has no sha256 trailer."""
    if database.trailer is not None:
        return
    if _data_dir_of(database) is not None:
        hint = (
            "The database of a data dir has none: give --skip-hash-check, with the server stopped. What is in the log "
            "and not in the database yet does not come along; a snapshot has it all."
        )
    else:
        hint = "A copy of member/snap/db has none: give --skip-hash-check. A snapshot without it was cut short."
        hint = f"This is what was unpacked. {hint}" if " in " in database.kind else hint
    raise EtcdtoolError(_NO_TRAILER, hint=hint)


def tell_of_source(database: Database, events: Events) -> None:
    """Say what the source is, where it is no plain snapshot file."""
    if " in " in database.kind:
        events.tell("unpacked the source", {"path": database.name, "kind": database.kind})
    folder = _data_dir_of(database)
    if folder is not None:
        facts = {"path": database.name, **_left_in_log(database.image, folder)}
        events.tell("the source is a data dir: what its log holds beyond the database is left out", facts, warning=True)
    elif database.trailer is None:
        events.tell("the source has no sha256: its pages and revisions are checked, not its bytes", warning=True)


def _data_dir_of(database: Database) -> Path | None:
    """Return the folder that holds ``snap/db``, if the database lies in one."""
    path = database.file.path
    return path.parent.parent if (path.name, path.parent.name) == ("db", "snap") else None


def _left_in_log(image: Image, member: Path) -> dict[str, object]:
    from etcdtool.formats import wal  # noqa: PLC0415  most snapshots lie apart from a log

    facts: dict[str, object] = {}
    try:
        applied = schema.parse_uint64(read_meta(image).get(schema.CONSISTENT_INDEX, bytes(8)), "consistent_index")
        facts["consistent-index"] = applied
        parts = locate(member)
        if parts is not None and parts.segments:
            found = wal.scan([wal.Segment.named(path.name, InputFile.open(path).data) for path in parts.segments])
            facts["entries-left-out"] = max(0, min(found.hard_state.commit, found.last_index) - applied)
    except EtcdtoolError:  # the log is not what is restored
        facts["entries-left-out"] = "unknown"
    return facts


def tell_of_members(image: Image, layout: Layout, events: Events) -> None:
    """Name the learners that do not come back, and warn where members of a living cluster could meet the new ones."""
    old = list(_members(image))
    cluster = layout.members[0].cluster
    made = [place.cluster.local for place in layout.members]
    for member in old:
        if member.is_learner:
            events.tell(
                "a learner of the snapshot's cluster is not one in the new cluster"
                if set(member.peer_urls) & {url for one in cluster.members for url in one.peer_urls}
                else "a learner of the snapshot's cluster is left out; add it to the new one with etcdctl member add "
                "--learner",
                {"member-id": member_id_text(member.id), "peer-urls": list(member.peer_urls)},
                warning=True,
            )
    if len(made) < len(cluster.members):
        events.tell(
            "one member of several is made: keep all others stopped, until each has been restored from the same "
            "snapshot",
            {"member": made[0].name, "members": len(cluster.members)},
            warning=True,
        )
    again = [member for member in made if member.id in {one.id for one in old}]
    if again and len(old) > 1:
        events.tell(
            "the new cluster has members with the ids of old ones: an old server that still runs would take them for "
            "its own; stop all of them, or give another --initial-cluster-token",
            {"member-ids": [member_id_text(member.id) for member in again]},
            warning=True,
        )


def tell_of_owner(layout: Layout, owner: Owner, events: Events) -> None:
    """Warn where a folder that stood there belongs to somebody else than what is put into it."""
    for folder in filter(None, (layout.root, layout.wal_root)):
        if owner.uid == -1 or not folder.is_dir():
            continue
        uid = folder.stat().st_uid
        if uid != owner.uid:
            facts = {"folder": str(folder), "uid": uid}
            events.tell(
                "the folder was there before and keeps its owner; a server has to be able to write to it",
                facts,
                warning=True,
            )


def _members(image: Image) -> list[Member]:
    members = []
    for value in read_bucket(image, schema.MEMBERS).values():
        try:
            members.append(parse_member(value))
        except FormatError:  # they are written anew
            continue
    return members
