"""A request of the v2 API as it stands in the raft log: ``etcdserverpb.Request``.

``etcdserver/etcdserverpb/etcdserver.proto`` @ v3.4.45.  Go writes all fields that are not nullable, always and in
order, so nearly every request has the same head (id, method) and the same shape of tail (all after the value): two
regular expressions match them, and what a tail said is remembered, since most are the same.  Anything else takes the
way field by field, which knows nothing of order and says the same (a property test compares them, and both with the
generated parser).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from etcdtool.errors import FormatError
from etcdtool.model.protofields import LENGTH, VARINT, iter_fields, signed

__all__ = ["METHODS", "V2Request", "parse_canonical_v2_request", "parse_v2_request"]

METHODS = ("POST", "PUT", "DELETE", "QGET", "SYNC")

_PATH, _VALUE, _PREVIOUS_VALUE = 3, 4, 6
_VALUE_TAG = _VALUE << 3 | LENGTH
_TAIL_SIZE_MAX = 256
_U64_MAX = (1 << 64) - 1

# id, method, tag of path: 08 <varint> 12 <size> <method> 1a; a group for each method, in their order
_HEAD = re.compile(
    rb"\x08[\x80-\xff]{0,9}[\x00-\x7f]\x12(?:\x04(POST)|\x03(PUT)|\x06(DELETE)|\x04(QGET)|\x04(SYNC))\x1a"
)
_VARINT = rb"([\x80-\xff]{0,9}[\x00-\x7f])"
_FLAG = rb"([\x00\x01])"
# dir, no previous value, prev_index, prev_exist, expiration, wait, since,
# recursive, sorted, quorum, time, stream, refresh
_TAIL = re.compile(
    rb"\x28%b\x32\x00\x38%b(?:\x40%b)?\x48%b\x50[\x00\x01]\x58[\x80-\xff]{0,9}[\x00-\x7f]"
    rb"\x60%b\x68%b\x70%b\x78%b\x80\x01[\x00\x01](?:\x88\x01%b)?"
    % (_FLAG, _VARINT, _FLAG, _VARINT, _FLAG, _FLAG, _FLAG, _VARINT, _FLAG),
    re.DOTALL,
)
_FLAGS = {b"\x00": False, b"\x01": True, None: None}


class V2Request(msgspec.Struct, frozen=True, gc=False):
    """One request.

    Attributes:
        method: POST, PUT, DELETE, QGET, SYNC, or something no server knows.
        path: with the namespace: ``/1/foo``.
        value: "" when none was given.
        dir, recursive, sorted, quorum: as the client asked.
        prev_value, prev_index: "" and 0 compare nothing.
        prev_exist: None when not given.
        expiration: unix nanoseconds, 0 for none.
        time: unix nanoseconds, of a SYNC.
        refresh: None when not given.
    """

    method: str = ""
    path: str = ""
    value: str = ""
    dir: bool = False
    prev_value: str = ""
    prev_index: int = 0
    prev_exist: bool | None = None
    expiration: int = 0
    recursive: bool = False
    sorted: bool = False
    quorum: bool = False
    time: int = 0
    refresh: bool | None = None


_TEXT, _BOOL, _UNSIGNED, _SIGNED, _IGNORED = range(5)

_FIELDS: dict[int, tuple[str, int]] = {
    1: ("ID", _IGNORED),
    2: ("method", _TEXT),
    _PATH: ("path", _TEXT),
    _VALUE: ("value", _TEXT),
    5: ("dir", _BOOL),
    _PREVIOUS_VALUE: ("prev_value", _TEXT),
    7: ("prev_index", _UNSIGNED),
    8: ("prev_exist", _BOOL),
    9: ("expiration", _SIGNED),
    10: ("wait", _IGNORED),
    11: ("since", _IGNORED),
    12: ("recursive", _BOOL),
    13: ("sorted", _BOOL),
    14: ("quorum", _BOOL),
    15: ("time", _SIGNED),
    16: ("stream", _IGNORED),
    17: ("refresh", _BOOL),
}
_TAIL_NAMES = V2Request.__struct_fields__[_VALUE - 1 :]


def parse_v2_request(data: bytes) -> V2Request:
    """Read a request field by field.

    Raises:
        FormatError: where Go's parser refuses the message.
    """
    return V2Request(**_parse_fields(data))  # type: ignore[arg-type]


def parse_canonical_v2_request(data: bytes) -> V2Request | None:
    """Read a request in the form that every server writes; None when it has another form or an unknown method."""
    head = _HEAD.match(data)
    if head is None:
        return None
    size_at = head.end()
    try:
        size, start = data[size_at], size_at + 1
        if size >= 0x80:
            size, start = _two_bytes(size, data[start]), start + 1
        value_tag_at = start + size
        if data[value_tag_at] != _VALUE_TAG:
            return None
        value_size, value_start = data[value_tag_at + 1], value_tag_at + 2
        if value_size >= 0x80:
            value_size, value_start = _two_bytes(value_size, data[value_start]), value_start + 1
    except (IndexError, ValueError):
        return None
    stop = value_start + value_size
    tail = _parse_tail(data[stop:]) if 0 <= len(data) - stop <= _TAIL_SIZE_MAX else None
    if tail is None:
        return None
    return V2Request(
        METHODS[(head.lastindex or 1) - 1],
        data[start:value_tag_at].decode("utf-8", "surrogateescape"),
        data[value_start:stop].decode("utf-8", "surrogateescape"),
        *tail,
    )


def _two_bytes(low: int, high: int) -> int:
    if high >= 0x80:
        raise ValueError  # 16 kB and more: the value is worth the slow way
    return low & 0x7F | high << 7


def _number(varint: bytes) -> int:
    value = 0
    for byte in reversed(varint):
        value = value << 7 | byte & 0x7F
    return value & _U64_MAX


@lru_cache(maxsize=64)
def _parse_tail(tail: bytes) -> tuple[Any, ...] | None:
    """Return all that stands behind the value, as `V2Request` has it; None where the slow way must look at it."""
    match = _TAIL.fullmatch(tail)
    if match is not None:
        directory, index, exist, expiration, recursive, is_sorted, quorum, time, refresh = match.groups()
        return (
            *(_FLAGS[directory], "", _number(index), _FLAGS[exist], signed(_number(expiration))),
            *(_FLAGS[recursive], _FLAGS[is_sorted], _FLAGS[quorum], signed(_number(time)), _FLAGS[refresh]),
        )
    try:
        fields = _parse_fields(tail)
    except FormatError:
        return None
    if not fields.keys() <= _ALLOWED_IN_TAIL:
        return None
    defaults = V2Request()
    return tuple(fields.get(name, getattr(defaults, name)) for name in _TAIL_NAMES)


_ALLOWED_IN_TAIL = frozenset(_TAIL_NAMES)


def _parse_fields(data: bytes) -> dict[str, object]:
    fields: dict[str, object] = {}
    for number, wire_type, content in iter_fields(data):
        known = _FIELDS.get(number)
        if known is None:
            continue
        name, kind = known
        if wire_type != (LENGTH if kind == _TEXT else VARINT):
            raise FormatError("v2 request", f"field {name} has wire type {wire_type}")
        if kind == _TEXT:
            assert isinstance(content, bytes)
            fields[name] = str(content, "utf-8", "surrogateescape")
        elif kind == _BOOL:
            fields[name] = content != 0
        elif kind != _IGNORED:
            assert isinstance(content, int)
            fields[name] = signed(content) if kind == _SIGNED else content
    return fields
