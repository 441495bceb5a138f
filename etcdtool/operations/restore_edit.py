"""What a restore changes in the database: members, raft's place in its new log, marks, and the schema's version.

All else stays as it is in the snapshot, the old cluster's ``confState`` included, which a server renews at its first
start.
Upstream: ``saveDB``, ``modifyLatestRevision``, ``saveWALAndSnap``, ``updateCIndex`` in
``etcdutl/snapshot/v3_snapshot.go`` @ v3.7.1.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from etcdtool.errors import EtcdtoolError
from etcdtool.formats.bbolt.transaction import Transaction
from etcdtool.model import schema
from etcdtool.model.compactions import Compactions, current_revision
from etcdtool.model.membership import member_id_text
from etcdtool.model.revision import MAIN_MAX, Revision, pack_revision
from etcdtool.operations.restore_changes import Counts
from etcdtool.operations.restore_choices import clear_alarms, disable_auth, drop_lease_orphans, tell_of_alarms
from etcdtool.operations.restore_log import TERM
from etcdtool.operations.restore_version import version_text

if TYPE_CHECKING:
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.bbolt.transaction import Edit
    from etcdtool.model.bootstrap import Bootstrap
    from etcdtool.model.schema import Version
    from etcdtool.operations.restore_changes import Changes
    from etcdtool.operations.restore_events import Events

__all__ = ["edit_database"]

CLUSTER_VERSION = b"clusterVersion"
DOWNGRADE = b"downgrade"
_U64 = struct.Struct(">Q")
_FIRST_WITH_TERM = (3, 5)
_FIRST_WITH_STORAGE_VERSION = (3, 6)
_CLUSTER_VERSION = re.compile(rb"(\d{1,9})\.(\d{1,9})\.\d{1,9}")


def edit_database(
    image: Image, cluster: Bootstrap, version: Version, changes: Changes, events: Events
) -> tuple[Edit, Counts]:
    """Return what turns a snapshot's database into that of a member of a new cluster.

    Args:
        image: of the snapshot.
        cluster: the new one.
        version: that the data are for.
        changes: what else is changed.
        events: is told what is done.

    Returns:
        What to write, and what that changes.

    Raises:
        EtcdtoolError: the revision cannot be bumped so far, or there is none; or as `drop_lease_orphans`.
        FormatError: a page is off.
    """
    transaction = Transaction(image)
    events.tell("Trimming membership information from the backend...")
    for bucket in (schema.MEMBERS, schema.MEMBERS_REMOVED):
        transaction.create_bucket(bucket)
        transaction.clear(bucket)
    for bucket in (schema.CLUSTER, schema.META):
        transaction.create_bucket(bucket)
    counts = _choices(image, transaction, changes, events)
    if changes.bump_revision:
        counts.new_revision = _bump(transaction, changes.bump_revision, events)
        counts.compacted = True
        counts.appended += 1
    for member in cluster.members:
        value = member.as_json().encode("utf-8", "surrogateescape")
        transaction.put(schema.MEMBERS, member_id_text(member.id).encode(), value)
    _bring_down(transaction, version)
    transaction.put(schema.META, schema.CONSISTENT_INDEX, _U64.pack(len(cluster.members)))
    if version >= _FIRST_WITH_TERM:
        transaction.put(schema.META, schema.TERM, _U64.pack(TERM))
    return transaction.commit(), counts


def _choices(image: Image, transaction: Transaction, changes: Changes, events: Events) -> Counts:
    counts = Counts(revision=_latest(transaction))
    if changes.clear_alarms:
        counts.alarms = clear_alarms(transaction, events)
    else:
        tell_of_alarms(transaction, events)
    if changes.disable_auth:
        counts.auth = disable_auth(transaction, events)
    if changes.drop_lease_orphans:
        counts.lease_orphans = counts.appended = drop_lease_orphans(image, transaction, events)
    counts.new_revision = _latest(transaction)
    return counts


def _latest(transaction: Transaction) -> int:
    """Return what a server calls the revision, 0 where there is none.

    Servers before 3.4.34 and 3.5.16 compact a deletion at the last revision away: it is known from the mark only then.
    """
    if not transaction.has_bucket(schema.KEY):
        return 0
    last = next((Revision.parse(key).main for key, _ in transaction.items(schema.KEY, backwards=True)), 0)
    compactions = Compactions.parse(_meta(transaction))
    return current_revision(compactions, last) if last or compactions != Compactions() else 0


def _meta(transaction: Transaction) -> dict[bytes, bytes]:
    return {key: bytes(value) for key, value in transaction.items(schema.META)}


def _bump(transaction: Transaction, amount: int, events: Events) -> int:
    if not transaction.has_bucket(schema.KEY):
        raise EtcdtoolError("the snapshot has no bucket key, so that there is no revision to bump")
    latest = _latest(transaction)
    bumped = latest + amount
    if bumped >= MAIN_MAX:  # a server needs one more for its next write, or goes down at it
        raise EtcdtoolError(
            f"--bump-revision {amount} takes revision {latest} to or beyond the largest there is, {MAIN_MAX}",
            hint="A billion is more than a cluster writes between two backups.",
        )
    events.tell(
        "bumping latest revision",
        {"latest-revision": latest, "bump-amount": amount, "new-latest-revision": bumped},
    )
    transaction.put(schema.KEY, pack_revision(bumped, 0), b"")
    events.tell("marking revision compacted", {"revision": bumped})
    transaction.put(schema.META, schema.SCHEDULED_COMPACT_REV, pack_revision(bumped, 0))
    return bumped


def _bring_down(transaction: Transaction, version: Version) -> None:
    """Take back what says that the data are a later version's; no data differ between 3.4 and 3.7 but these."""
    meta = _meta(transaction)
    if version < schema.detect_schema_version(meta):
        if version >= _FIRST_WITH_STORAGE_VERSION:
            transaction.put(schema.META, schema.STORAGE_VERSION, f"{version_text(version)}.0".encode())
        else:
            transaction.delete(schema.META, schema.STORAGE_VERSION)
        if version < _FIRST_WITH_TERM:
            transaction.delete(schema.META, schema.TERM)
            transaction.delete(schema.META, schema.CONF_STATE)
    agreed = _CLUSTER_VERSION.fullmatch(transaction.get(schema.CLUSTER, CLUSTER_VERSION) or b"")
    if agreed is not None and (int(agreed[1]), int(agreed[2])) > version:
        transaction.put(schema.CLUSTER, CLUSTER_VERSION, f"{version_text(version)}.0".encode())
        transaction.delete(schema.CLUSTER, DOWNGRADE)
