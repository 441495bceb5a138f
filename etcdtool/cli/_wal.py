"""Entries and records of the log as lines and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from etcdtool.cli.text import hex_id, printable_bytes, safe_json
from etcdtool.errors import FormatError
from etcdtool.formats import wire
from etcdtool.formats.raft import EntryType
from etcdtool.formats.wal import RecordType
from etcdtool.formats.wal.records import parse_entry
from etcdtool.model.request_text import message_json, message_text, quoted_bytes

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from etcdtool.formats.wal.every_record import LogRecord
    from etcdtool.model.v2_request import V2Request
    from etcdtool.operations.stream_decoder import Decoded
    from etcdtool.operations.wal_dump import DumpedEntry

__all__ = ["decoded_cells", "decoded_json", "entry_json", "entry_line", "json_line", "record_json", "record_line"]

_TYPES = {EntryType.NORMAL: "norm", EntryType.CONF_CHANGE: "conf", EntryType.CONF_CHANGE_V2: "conf2"}
_CHANGES = {
    0: "ConfChangeAddNode",
    1: "ConfChangeRemoveNode",
    2: "ConfChangeUpdateNode",
    3: "ConfChangeAddLearnerNode",
}
_RAW = {RecordType.METADATA: "Metadata", RecordType.STATE: "HardState", RecordType.SNAPSHOT: "Snapshot"}
_NO_STATUS = "decoder output format is not right, print output anyway"
_MORE_BARS = "(*WARNING: data might contain deliminator used by etcd-dump-logs)"
_SECOND_NS = 1_000_000_000
_DEFAULTS_OF_V2: dict[str, object] = {
    "method": "",
    "path": "",
    "value": "",
    "dir": False,
    "prev_value": "",
    "prev_index": 0,
    "prev_exist": None,
    "expiration": 0,
    "recursive": False,
    "sorted": False,
    "quorum": False,
    "time": 0,
    "refresh": None,
}


def json_line(document: object) -> str:
    """Return JSON in one line; what could drive a terminal is escaped."""
    return safe_json(msgspec.json.encode(document).decode())


def entry_line(entry: DumpedEntry, *, values: bool, as_hex: bool) -> str:
    """Return an entry as ``etcd-dump-logs`` prints it: term, index, type and what is asked for, between tabs."""
    cells = [
        f"{entry.term:4}",
        f"{entry.index:10}",
        _TYPES.get(EntryType(entry.type), "???") if _known(entry) else "???",
    ]
    cells.append(_said(entry, values=values))
    return "\t".join([*cells, entry.data.hex()] if as_hex else cells)


def _known(entry: DumpedEntry) -> bool:
    return entry.type in set(EntryType)


def _said(entry: DumpedEntry, *, values: bool) -> str:
    if entry.problem:
        return f"??? {len(entry.data)} bytes: {entry.problem}"
    if entry.v2 is not None:
        return _v2_text(entry.v2, values=values)
    if entry.message is None:
        return ""
    if entry.type == EntryType.CONF_CHANGE:
        return _change_text(entry.message)
    return message_text(entry.message, values=values).rstrip()


def _change_text(message: Any) -> str:
    name = _CHANGES.get(message.type, str(message.type))
    context = f" context={quoted_bytes(message.context)}" if message.context else ""
    return f"method={name} id={hex_id(message.node_id)}{context}"


def _v2_text(request: V2Request, *, values: bool) -> str:
    parts = []
    for name, value in _v2_fields(request, values=values).items():
        if isinstance(value, bool):
            parts.append(f"{name}={str(value).lower()}")
        else:
            parts.append(f"{name}={value}")
    return " ".join(parts)


def _v2_fields(request: V2Request, *, values: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"method": request.method}
    if request.method == "SYNC":
        return fields | {"time": _time(request.time)}
    fields["path"] = _quoted(request.path)
    if request.method not in {"QGET", "DELETE"} or request.value:
        fields["val"] = _quoted(request.value) if values else f"<{len(_bytes(request.value))} bytes>"
    for name in ("dir", "prev_index", "prev_exist", "recursive", "sorted", "quorum", "refresh"):
        value = getattr(request, name)
        if value != _DEFAULTS_OF_V2[name]:
            fields[name] = value
    if request.prev_value:
        fields["prev_value"] = _quoted(request.prev_value) if values else f"<{len(_bytes(request.prev_value))} bytes>"
    if request.expiration:
        fields["expiration"] = _time(request.expiration)
    return fields


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _quoted(text: str) -> str:
    return quoted_bytes(_bytes(text))


def _time(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _SECOND_NS)
    try:
        shown = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return f"{nanoseconds}ns"
    fraction = f".{rest:09}".rstrip("0").rstrip(".")
    return f'"{shown}{fraction} +0000 UTC"'


def entry_json(entry: DumpedEntry, *, values: bool, as_hex: bool) -> dict[str, Any]:
    """Return an entry as a line of JSON has it."""
    found: dict[str, Any] = {
        "index": entry.index,
        "term": entry.term,
        "type": _TYPES[EntryType(entry.type)] if _known(entry) else entry.type,
        "kind": entry.kind,
        "committed": entry.committed,
        "file": entry.segment,
        "offset": entry.offset,
        "size": len(entry.data),
    }
    if not entry.proven:
        found["proven"] = False
    if entry.v2 is not None:
        found["request"] = _v2_json(entry.v2, values=values)
    elif entry.message is not None:
        found["request"] = message_json(entry.message, values=values)
        if entry.type == EntryType.CONF_CHANGE:
            number = found["request"].get("type", 0)
            found["request"]["type"] = _CHANGES.get(number, number)
    if entry.problem:
        found["problem"] = entry.problem
    if as_hex:
        found["hex"] = entry.data.hex()
    return found


def decoded_cells(decoded: Decoded | None) -> str:
    """Return what a decoder said as ``etcd-dump-logs`` prints it, with a tab before each of its two columns."""
    if decoded is None:
        return ""
    if decoded.status is None:
        return f"\t{_NO_STATUS}\t{printable_bytes(decoded.data)}"
    warning = _MORE_BARS if b"|" in decoded.data else ""
    return f"\t{printable_bytes(decoded.status)}{warning}\t{printable_bytes(decoded.data.replace(b'|', b''))}"


def decoded_json(decoded: Decoded | None) -> dict[str, Any]:
    """Return what a decoder said as a line of JSON has it, nothing left out."""
    if decoded is None:
        return {}
    from etcdtool.model.exported import text_or_bytes  # noqa: PLC0415  few ask for it

    status = {"status": None} if decoded.status is None else text_or_bytes("status", decoded.status)
    return {"decoder": status | text_or_bytes("decoded", decoded.data)}


def _v2_json(request: V2Request, *, values: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, default in _DEFAULTS_OF_V2.items():
        value = getattr(request, name)
        if value == default:
            continue
        if name in {"value", "prev_value"} and not values:
            found[f"{name}_size"] = len(_bytes(value))
        elif isinstance(value, str):
            found |= _text_or_bytes(name, value)
        else:
            found[name] = value
    return found


def _text_or_bytes(name: str, text: str) -> dict[str, Any]:
    from etcdtool.model.exported import text_or_bytes  # noqa: PLC0415  v2 alone needs it

    return text_or_bytes(name, _bytes(text))


def record_line(record: LogRecord, name: str, *, values: bool) -> str:
    """Return a record as ``etcd-dump-logs -raw`` prints it, with its place in front."""
    mark = "" if record.proven else " (not proven by a checksum)"
    return f"{name}:{record.offset:#x}\t{_record_text(record, values=values)}{mark}"


def _record_text(record: LogRecord, *, values: bool) -> str:
    data = bytes(record.data)
    if record.type == RecordType.CRC:
        return f"CRC: {record.crc}"
    try:
        if record.type == RecordType.ENTRY:
            return _raw_entry(record, values=values)
        if record.type in _RAW:
            return f"{_RAW[RecordType(record.type)]}: {message_text(_parsed(record.type, data)).rstrip()}"
    except (wire.DecodeError, FormatError):
        return f"Type {record.type}: {len(data)} bytes that do not parse"
    return f"Type {record.type}: {len(data)} bytes"


def _parsed(record_type: int, data: bytes) -> Message:
    if record_type == RecordType.METADATA:
        return wire.etcdserver_pb2.Metadata.FromString(data)
    if record_type == RecordType.STATE:
        return wire.raft_pb2.HardState.FromString(data)
    return wire.wal_pb2.Snapshot.FromString(data)


def _raw_entry(record: LogRecord, *, values: bool) -> str:
    header = parse_entry(record.data, 0, len(record.data))
    stored = header.data if header.data is not None else bytes(record.data[header.data_start : header.data_stop])
    kind = f" Type:{header.type}" if header.type else ""
    if not stored:
        content = ""
    elif values:
        content = f" Data:{quoted_bytes(stored)}"
    else:
        content = f" Data:<{len(stored)} bytes>"
    return f"Entry: Term:{header.term} Index:{header.index}{kind}{content}"


def record_json(record: LogRecord, name: str, *, values: bool) -> dict[str, Any]:
    """Return a record as a line of JSON has it."""
    known = record.type in set(RecordType)
    found = {
        "file": name,
        "offset": record.offset,
        "record": record.number,
        "type": RecordType(record.type).name.lower() if known else record.type,
        "crc": record.crc,
        "size": len(record.data),
        "proven": record.proven,
        "text": _record_text(record, values=False),
    }
    return found | {"hex": record.data.hex()} if values else found
