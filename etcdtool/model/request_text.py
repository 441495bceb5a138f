"""Requests of the raft log as text and as JSON, whatever fields they have.

The text is that of ``etcd-dump-logs``: gogo/protobuf's compact form.  Fields that no version knows are named by their
number.  Passwords and tokens are never shown, values only when they are asked for.
Upstream: ``tools/etcd-dump-logs/main.go`` @ v3.6.14, ``proto/text.go`` of gogo/protobuf v1.3.2.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from etcdtool.model.exported import text_or_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    FieldDescriptor = Any  # of which of its two implementations depends on the installation

__all__ = ["message_json", "message_text", "quoted_bytes"]

_SECRETS = frozenset(("password", "hashedPassword", "simple_token"))
_VALUES = frozenset(("value",))
_ESCAPES = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x22: '\\"', 0x5C: "\\\\"}
_PLAIN = re.compile(rb"[ !#-\[\]-~]*")
_FIRST_PRINTABLE, _LAST_PRINTABLE = 0x20, 0x7E
_OF_BYTES = [
    _ESCAPES.get(byte, chr(byte) if _FIRST_PRINTABLE <= byte <= _LAST_PRINTABLE else f"\\{byte:03o}")
    for byte in range(256)
]
_LENGTH, _GROUP = 2, 3
_REPEATED = 3
_SHOWN_DEPTH_MAX = 32


def quoted_bytes(content: bytes) -> str:
    """Return bytes in double quotes as Go's text form has them: printable ASCII as it is, the rest octal."""
    if _PLAIN.fullmatch(content):
        return f'"{content.decode()}"'
    return f'"{"".join([_OF_BYTES[byte] for byte in content])}"'


def message_text(message: Message, *, values: bool = False) -> str:
    """Return a message in one line: ``put:<key:"a" value:"b" > ``."""
    parts: list[str] = []
    for field, found in _set_fields(message):
        listed = found if _is_repeated(field) else (found,)
        parts.extend(f"{field.name}:{_text(field, one, values=values)} " for one in listed)
    parts.extend(f"{number}:{text} " for number, text in _unknown_texts(message))
    return "".join(parts)


def _text(field: FieldDescriptor, value: Any, *, values: bool) -> str:
    if isinstance(value, bytes):
        if field.name in _SECRETS:
            return '"<value removed>"'
        return quoted_bytes(value) if values or field.name not in _VALUES else f"<{len(value)} bytes>"
    if field.message_type is not None:
        return f"<{message_text(value, values=values)}>"
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else str(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def message_json(message: Message, *, values: bool = False) -> dict[str, Any]:
    """Return a message with upstream's names.

    Bytes are text, or bytes under the name with ``_b64``; fields that no version knows are in ``unknown``.
    """
    found: dict[str, Any] = {}
    for field, value in _set_fields(message):
        if _is_repeated(field):
            found[field.name] = [_json(field, one, values=values) for one in value]
        elif isinstance(value, bytes) and field.name not in _SECRETS and (values or field.name not in _VALUES):
            found |= text_or_bytes(field.name, value)
        elif isinstance(value, bytes) and field.name in _VALUES:
            found[f"{field.name}_size"] = len(value)
        else:
            found[field.name] = _json(field, value, values=values)
    unknown = {str(number): text for number, text in _unknown_texts(message)}
    return found | {"unknown": unknown} if unknown else found


def _json(field: FieldDescriptor, value: Any, *, values: bool) -> Any:
    if field.message_type is not None:
        return message_json(value, values=values)
    if isinstance(value, bytes):
        return None if field.name in _SECRETS else value.decode("utf-8", "backslashreplace")
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    return value


def _set_fields(message: Message) -> list[tuple[FieldDescriptor, Any]]:
    """Return the fields that are set, in the order in which upstream declares them, as gogo/protobuf prints them."""
    fields = list(message.ListFields())
    return fields if len(fields) == 1 else sorted(fields, key=_declared)


def _declared(one: tuple[FieldDescriptor, Any]) -> int:
    return int(one[0].index)


def _is_repeated(field: FieldDescriptor) -> bool:
    # before protobuf 6.31 there is no such attribute, and in 7 there is no label
    repeated = getattr(field, "is_repeated", None)
    return bool(field.label == _REPEATED if repeated is None else repeated)


@cache
def _unknown_field_set() -> Callable[[Message], Any]:
    from google.protobuf.unknown_fields import UnknownFieldSet  # noqa: PLC0415  loads slowly, as all of protobuf

    return UnknownFieldSet


def _unknown_texts(message: Message) -> list[tuple[int, str]]:
    fields = _unknown_field_set()(message)
    return _set_texts(fields, 0) if len(fields) else []


def _set_texts(fields: Any, depth: int) -> list[tuple[int, str]]:
    found = []
    for field in fields:
        if field.wire_type == _LENGTH:
            text = f"<{len(field.data)} bytes>"  # what it is nobody knows, and it may be a value
        elif field.wire_type == _GROUP:
            inner = _set_texts(field.data, depth + 1) if depth < _SHOWN_DEPTH_MAX else []
            text = f"<{''.join(f'{number}:{one} ' for number, one in inner)}>"
        else:
            text = str(field.data)
        found.append((field.field_number, text))
    return found
