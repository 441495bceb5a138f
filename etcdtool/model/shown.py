"""Records as listings show them: keys and sizes, never a password, and values only when they are asked for."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec

from etcdtool.errors import FormatError
from etcdtool.model import schema
from etcdtool.model.exported import Delete, Pair, Put, UserRecord, text_or_bytes
from etcdtool.model.exported_keys import lease_text
from etcdtool.model.exported_pairs import record_of
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.revision import Revision

if TYPE_CHECKING:
    from etcdtool.model.exported import KeyRecord, OtherRecord

__all__ = ["record_of_any", "shown"]


def record_of_any(bucket: bytes, key: bytes, value: bytes) -> KeyRecord | OtherRecord:
    """Return what a pair of any bucket says; a `Pair` where it cannot be read."""
    if bucket != schema.KEY:
        return record_of(bucket, key, value)
    try:
        revision, stored = Revision.parse(key), KeyValue.parse(value)
    except FormatError:
        return record_of(bucket, key, value)
    if revision.tombstone:
        return Delete(**text_or_bytes("key", stored.key), mod_revision=revision.main, sub=revision.sub)
    return Put(
        **text_or_bytes("key", stored.key),
        **text_or_bytes("value", stored.value),
        create_revision=stored.create_revision,
        mod_revision=revision.main,
        sub=revision.sub,
        version=stored.version,
        lease=lease_text(stored.lease) if stored.lease else msgspec.UNSET,
    )


def shown(record: KeyRecord | OtherRecord, *, values: bool = False) -> dict[str, Any]:
    """Return the fields of a record, with its ``type`` first, as JSON has them."""
    fields: dict[str, Any] = msgspec.to_builtins(record)
    if isinstance(record, UserRecord):
        fields["has_password"] = bool(fields.pop("password_hash"))
    elif isinstance(record, (Put, Pair)) and not values:
        size = len(fields.pop("value").encode()) if "value" in fields else len(_decoded(fields.pop("value_b64")))
        fields["value_size"] = size
    return fields


def _decoded(text: str) -> bytes:
    return base64.b64decode(text)
