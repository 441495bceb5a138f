"""An object from its protobuf, as Go writes the same object as JSON.

The order of things is Go's: a field that comes twice counts last, a message that comes twice is merged.  What the
schema does not know stays, under its number; what cannot be read stays too, as `field_tree` shows it.  Nothing raises.
Upstream: ``encoding/json``; ``k8s.io/api/*/generated.pb.go`` @ Kubernetes 1.37.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etcdtool.errors import FormatError
from etcdtool.model.kubernetes.field_tree import base64_text, field_tree, leaf
from etcdtool.model.kubernetes.go_values import SPECIAL
from etcdtool.model.kubernetes.schema import Field, Message, Schemas, Shape, Written
from etcdtool.model.protofields import FIXED32, FIXED64, LENGTH, VARINT, iter_fields, read_varint, signed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ProtobufObject"]

_DEPTH_MAX = 30
_TYPE_DOUBLE, _TYPE_FLOAT, _TYPE_INT64, _TYPE_UINT64, _TYPE_INT32 = 1, 2, 3, 4, 5
_TYPE_BOOL, _TYPE_STRING, _TYPE_MESSAGE, _TYPE_BYTES, _TYPE_UINT32, _TYPE_ENUM = 8, 9, 11, 12, 13, 14
_WIRE_TYPES = {
    _TYPE_DOUBLE: FIXED64,
    _TYPE_FLOAT: FIXED32,
    _TYPE_STRING: LENGTH,
    _TYPE_MESSAGE: LENGTH,
    _TYPE_BYTES: LENGTH,
}
_BITS32, _SIGN32 = (1 << 32) - 1, 1 << 31

_Wire = tuple[int, int, "int | bytes"]


def _int32(value: int) -> int:
    value &= _BITS32
    return value - (1 << 32) if value & _SIGN32 else value


_NUMBERS: dict[int, Callable[[int], int | bool]] = {
    _TYPE_INT64: signed,
    _TYPE_UINT64: int,
    _TYPE_INT32: _int32,
    _TYPE_ENUM: _int32,
    _TYPE_UINT32: lambda value: value & _BITS32,
    _TYPE_BOOL: bool,
}


@dataclass(slots=True)
class ProtobufObject:
    """What a message holds.

    Attributes:
        document: as Go's JSON has it.
        unknown: paths of fields that are shown by number.
        unreadable: paths of fields whose bytes do not follow the schema.
    """

    document: dict[str, Any] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, data: bytes, message: Message, schemas: Schemas) -> ProtobufObject:
        """Read a message; whatever its bytes are, something comes back."""
        found = cls()
        reader = _Reader(schemas, found)
        try:
            found.document = reader.message(data, message, "", 0)
        except FormatError:
            found.unreadable.append("")
            found.document = {"bytes": base64_text(data)}
        return found


@dataclass(frozen=True, slots=True)
class _Reader:
    schemas: Schemas
    found: ProtobufObject

    def message(self, data: bytes, message: Message, path: str, depth: int) -> dict[str, Any]:
        """Return a message by the names of its fields; raises FormatError where Go would refuse the whole of it."""
        values: dict[int, list[_Wire]] = {}
        for item in iter_fields(data):
            values.setdefault(item[0], []).append(item)
        result: dict[str, Any] = {}
        for number in message.never_absent:
            if number not in values:
                self._field(message.fields[number], [], result, path, depth)
        for number, items in values.items():
            own = message.fields.get(number)
            if own is not None:
                self._field(own, items, result, path, depth)
            else:
                self.found.unknown.append(f"{path}{number}")
                result |= field_tree(items)
        return result

    def _field(self, own: Field, items: list[_Wire], result: dict[str, Any], path: str, depth: int) -> None:
        if own.written is Written.NEVER:
            return
        wanted = _WIRE_TYPES.get(own.type, VARINT)
        if any(item[1] != wanted for item in items) and (
            odd := [item for item in items if item[1] != wanted and not _is_packed(own, item)]
        ):
            self.found.unreadable.append(f"{path}{own.name}")
            result[str(own.number)] = field_tree(odd)[str(own.number)]
            items = [item for item in items if item not in odd]
        place = f"{path}{own.name}"
        if own.shape is Shape.LIST:
            self._put_all(own, result, self._list(own, items, place, depth))
        elif own.shape is Shape.MAP:
            self._put_all(own, result, self._map(own, items, place, depth))
        elif own.type == _TYPE_MESSAGE:
            self._put_message(own, items, result, path, depth)
        else:
            _put_scalar(own, self._scalar(own.type, items[-1][2]) if items else None, result)

    def _put_all(self, own: Field, result: dict[str, Any], found: list[Any] | dict[str, Any]) -> None:
        if found:
            result[own.name] = found
        elif own.written in {Written.ALWAYS, Written.NULL}:
            result[own.name] = None

    def _list(self, own: Field, items: list[_Wire], place: str, depth: int) -> list[Any]:
        found: list[Any] = []
        for _, wire_type, value in items:
            if own.type == _TYPE_MESSAGE:
                found.append(self._child(own.message_name, _as_bytes(value), f"{place}[{len(found)}]", depth))
            elif wire_type == LENGTH and own.type not in _WIRE_TYPES:
                found += [_NUMBERS[own.type](one) for one in self._packed(_as_bytes(value), place)]
            else:
                found.append(self._scalar(own.type, value))
        return found

    def _packed(self, data: bytes, place: str) -> list[int]:
        found, position = [], 0
        try:
            while position < len(data):
                value, position = read_varint(data, position)
                found.append(value)
        except FormatError:
            self.found.unreadable.append(place)
        return found

    def _map(self, own: Field, items: list[_Wire], place: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _, _, entry in items:
            key, value = "", None
            try:
                for number, _, half in iter_fields(_as_bytes(entry)):
                    if number == 1:
                        key = str(self._scalar(_TYPE_STRING, half)) if isinstance(half, bytes) else str(half)
                    elif number == 2:
                        value = half
            except FormatError:
                self.found.unreadable.append(place)
            if own.type == _TYPE_MESSAGE:
                found[key] = self._child(own.message_name, _as_bytes(value), f"{place}.{key}", depth)
            else:
                zero: int | bytes = b"" if own.type in _WIRE_TYPES else 0
                found[key] = self._scalar(own.type, zero if value is None else value)
        return found

    def _put_message(self, own: Field, items: list[_Wire], result: dict[str, Any], path: str, depth: int) -> None:
        data = b"".join(_as_bytes(item[2]) for item in items)
        if own.written is Written.INLINE:
            inner = self._child(own.message_name, data, path.removesuffix("."), depth)
            if isinstance(inner, dict):
                result |= inner
            else:
                result[own.name] = inner
        elif items or own.written is Written.ALWAYS:
            found = self._child(own.message_name, data, f"{path}{own.name}", depth)
            if found is not None or own.written is not Written.IF_TIME:
                result[own.name] = found
        elif own.written is Written.NULL:
            result[own.name] = None

    def _child(self, name: str, data: bytes, place: str, depth: int) -> Any:
        special = SPECIAL.get(name)
        try:
            if special is not None:
                return special(data)
            message = self.schemas.message(name)
            if message is None or depth >= _DEPTH_MAX:
                self.found.unknown.append(place)
                return leaf(LENGTH, data)
            found = self.message(data, message, f"{place}." if place else "", depth + 1)
        except FormatError:
            self.found.unreadable.append(place)
            return leaf(LENGTH, data)
        return found.get("items") or [] if message.is_list else found

    def _scalar(self, type_: int, value: int | bytes) -> Any:
        if type_ == _TYPE_STRING:
            return _as_bytes(value).decode("utf-8", "replace")
        if type_ == _TYPE_BYTES:
            return base64_text(_as_bytes(value))
        if type_ in {_TYPE_DOUBLE, _TYPE_FLOAT}:
            return struct.unpack("<d" if type_ == _TYPE_DOUBLE else "<f", _as_bytes(value))[0]
        convert = _NUMBERS.get(type_)
        return convert(value) if convert is not None and isinstance(value, int) else leaf(LENGTH, value)


def _put_scalar(own: Field, value: Any, result: dict[str, Any]) -> None:
    if value is None:
        if own.written is Written.ALWAYS:
            result[own.name] = _ZERO.get(own.type, 0)
        elif own.written is Written.NULL:
            result[own.name] = None
    elif value or own.written in {Written.ALWAYS, Written.NULL, Written.IF_PRESENT}:
        result[own.name] = value


_ZERO: dict[int, Any] = {_TYPE_STRING: "", _TYPE_BYTES: None, _TYPE_BOOL: False}


def _is_packed(own: Field, item: _Wire) -> bool:
    return own.shape is Shape.LIST and item[1] == LENGTH and own.type not in _WIRE_TYPES


def _as_bytes(value: int | bytes | None) -> bytes:
    return value if isinstance(value, bytes) else b""
