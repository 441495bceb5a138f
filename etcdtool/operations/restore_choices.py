"""What a restore changes in the database only when it is told to: alarms, authentication, keys whose lease is gone.

Each is what a server does when it is asked for the same: ``alarm disarm`` takes the alarm's entry away, ``auth
disable`` turns the switch and raises the revision of the store of users, and a lease that ends deletes its keys in one
transaction, in their order.
Upstream: ``v3alarm/alarms.go``, ``auth/store.go``, ``lease/lessor.go`` (``Revoke``) under ``server`` @ v3.7.1.
"""

from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

from etcdtool.checks import leases as lease_checks
from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.formats.bbolt.cursor import root_buckets
from etcdtool.model import schema
from etcdtool.model.auth import AUTH_ENABLED, AUTH_REVISION
from etcdtool.model.backend import Alarm
from etcdtool.model.keyspace import Compactions, KeyspaceBuilder, iter_rows, read_meta
from etcdtool.model.keyvalue_encoding import encode_key_value
from etcdtool.model.leases import iter_leases
from etcdtool.model.revision import MAIN_MAX, Revision
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from etcdtool.formats.bbolt.page import Image
    from etcdtool.formats.bbolt.transaction import Transaction
    from etcdtool.operations.restore_events import Events

__all__ = ["clear_alarms", "disable_auth", "drop_lease_orphans", "tell_of_alarms"]

_U64 = struct.Struct(">Q")
_DISABLED, _ENABLED = b"\0", b"\1"


def clear_alarms(transaction: Transaction, events: Events) -> int:
    """Take every alarm away; return how many stood."""
    if not transaction.has_bucket(schema.ALARM):
        return 0
    kinds = _kinds_of_alarms(transaction)
    cleared = transaction.clear(schema.ALARM)
    events.tell("cleared alarms", {"alarms": cleared, **kinds})
    return cleared


def tell_of_alarms(transaction: Transaction, events: Events) -> None:
    """Warn of alarms that stand afterwards: nobody expects a new cluster that takes no writes."""
    if transaction.has_bucket(schema.ALARM) and (kinds := _kinds_of_alarms(transaction)):
        events.tell(
            "alarms of the old cluster stand in the new one, which refuses writes until etcdctl alarm disarm; "
            "--clear-alarms takes them away",
            kinds,
            warning=True,
        )


def _kinds_of_alarms(transaction: Transaction) -> dict[str, object]:
    kinds = Counter(_alarm_name(key, value) for key, value in transaction.items(schema.ALARM))
    return dict(sorted(kinds.items()))


def disable_auth(transaction: Transaction, events: Events) -> bool:
    """Switch authentication off; return whether it was on."""
    stored = transaction.get(schema.AUTH, AUTH_ENABLED) if transaction.has_bucket(schema.AUTH) else None
    was_on = stored == _ENABLED  # servers take every other value for off
    if was_on:
        transaction.put(schema.AUTH, AUTH_ENABLED, _DISABLED)
        revision = transaction.get(schema.AUTH, AUTH_REVISION)
        if revision is not None:
            # servers compare it with the one that a client logged in at
            number = schema.parse_uint64(revision, "authRevision")
            transaction.put(schema.AUTH, AUTH_REVISION, _U64.pack((number + 1) % (1 << 64)))
    kept = {
        "users-kept": _size(transaction, schema.AUTH_USERS),
        "roles-kept": _size(transaction, schema.AUTH_ROLES),
    }
    events.tell("disabled authentication" if was_on else "authentication was not enabled", kept)
    return was_on


def drop_lease_orphans(image: Image, transaction: Transaction, events: Events) -> int:
    """Delete the live keys whose lease does not exist, as the end of that lease should have done.

    All in one transaction at the revision after the last one, in the order of the keys.

    Returns:
        How many there were.

    Raises:
        EtcdtoolError: there is no revision left, or a lease cannot be read, so that nobody knows which ones exist.
    """
    keys, current = _orphans(image)
    if keys and current >= MAIN_MAX:
        raise EtcdtoolError(f"no revision is left after {current} to delete keys at")
    for sub, key in enumerate(keys):
        revision = bytes(Revision(current + 1, sub, tombstone=True))
        transaction.put(schema.KEY, revision, encode_key_value(key, 0, 0, 0, b""))
    facts: dict[str, object] = {"keys": len(keys)}
    if keys:
        facts |= {"revision": current + 1, "first-key": keys[0].decode("utf-8", "backslashreplace")}
    events.tell("dropped keys of leases that do not exist", facts)
    return len(keys)


def _orphans(image: Image) -> tuple[list[bytes], int]:
    """Return the keys in order, and the store's revision."""
    engine = chosen_engine()
    buckets = root_buckets(image)
    check = lease_checks.LeaseCheck()
    if schema.LEASE in buckets:
        for leases in iter_leases(image, buckets[schema.LEASE], engine=engine):
            for row, problem in leases.problems.items():
                raise FormatError("bucket lease", problem, offset=int(leases.offset[row]), hint=_HINT_LEASES)
            list(check.findings(leases))
    builder = KeyspaceBuilder(image)
    if schema.KEY in buckets:
        for rows in iter_rows(image, buckets[schema.KEY], engine=engine):
            builder.add(rows)
            check.add(rows)
    keyspace = builder.finish(Compactions.parse(read_meta(image)))
    return sorted(keyspace.key_of(row) for row in check.orphan_rows(keyspace).tolist()), keyspace.current_revision


_HINT_LEASES = "Which keys have no lease cannot be told then; leave --drop-lease-orphans out"


def _alarm_name(key: bytes, value: bytes | memoryview) -> str:
    try:
        return Alarm.parse(key, value).name
    except FormatError:
        return "unreadable"


def _size(transaction: Transaction, bucket: bytes) -> int:
    return sum(1 for _ in transaction.items(bucket)) if transaction.has_bucket(bucket) else 0
