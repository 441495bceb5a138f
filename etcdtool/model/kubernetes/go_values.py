"""Types of Kubernetes that write their JSON themselves: times, quantities, numbers or texts, JSON within protobuf.

Upstream: ``apimachinery/pkg/apis/meta/v1/{time,micro_time,duration,helpers}.go``, ``pkg/util/intstr``,
``pkg/api/resource``, ``pkg/runtime/extension.go`` @ Kubernetes 1.37.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from etcdtool.errors import FormatError
from etcdtool.model.kubernetes.field_tree import base64_text
from etcdtool.model.protofields import LENGTH, VARINT, iter_fields, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SPECIAL", "parse_json"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO_TIME_SECONDS = -62_135_596_800
_SECONDS_MAX = 253_402_300_799
_NS_PER_US, _NS_PER_SECOND = 1000, 1_000_000_000
_UNITS = ((60 * 60 * _NS_PER_SECOND, "h"), (60 * _NS_PER_SECOND, "m"))
_JSON_DEPTH_MAX = 150
"""The schemas of the biggest CustomResourceDefinitions are half as deep."""
_INT32_BITS, _INT32_SIGN = (1 << 32) - 1, 1 << 31
_INT_OR_STRING_TEXT = 1


def parse_json(data: bytes) -> Any:
    """Return a JSON document.

    Raises:
        FormatError: it is none, holds numbers that nothing can hold, or nests deeper than can be read.
    """
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError("JSON", str(error).rstrip(".").lower()[:200]) from None
    if data.count(b"{") + data.count(b"[") > _JSON_DEPTH_MAX and _is_deep(document):
        raise FormatError("JSON", f"it nests deeper than {_JSON_DEPTH_MAX} levels")
    return document


def _is_deep(document: Any) -> bool:
    """Tell whether a document is deeper than what follows can walk by recursion."""
    level = [document]
    for _ in range(_JSON_DEPTH_MAX):
        inner = [node.values() if isinstance(node, dict) else node for node in level if isinstance(node, dict | list)]
        level = [child for children in inner for child in children]
    return any(isinstance(node, dict | list) for node in level)


def _numbers(data: bytes) -> dict[int, int]:
    """Return the varints of a message by number; the last of each counts."""
    return {number: signed(value) for number, kind, value in iter_fields(data) if kind == VARINT and type(value) is int}


def _bytes(data: bytes, wanted: int) -> bytes | None:
    found = None
    for number, kind, value in iter_fields(data):
        if number == wanted and kind == LENGTH and isinstance(value, bytes):
            found = value
    return found


def _int32(value: int) -> int:
    value &= _INT32_BITS
    return value - (1 << 32) if value & _INT32_SIGN else value


def _calendar(seconds: int) -> str | None:
    """Return a time to the second, None for Go's zero time."""
    if seconds == _ZERO_TIME_SECONDS:
        return None
    if not _ZERO_TIME_SECONDS < seconds <= _SECONDS_MAX:
        raise FormatError("time", f"{seconds} seconds after 1970 is in no year of four digits")
    # isoformat, as strftime writes years before 1000 with fewer digits
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def _time(data: bytes) -> str | None:
    if not data:
        return None
    text = _calendar(_numbers(data).get(1, 0))
    return f"{text}Z" if text is not None else None


def _micro_time(data: bytes) -> str | None:
    if not data:
        return None
    numbers = _numbers(data)
    # below zero Go counts forward from the second before
    more, micros = divmod(_int32(numbers.get(2, 0)) // _NS_PER_US, _NS_PER_SECOND // _NS_PER_US)
    text = _calendar(numbers.get(1, 0) + more)
    return f"{text}.{micros:06}Z" if text is not None else None


def _duration(data: bytes) -> str:
    nanoseconds = _numbers(data).get(1, 0)
    sign, rest = ("-" if nanoseconds < 0 else ""), abs(nanoseconds)
    if rest == 0:
        return "0s"
    if rest < _NS_PER_SECOND:
        unit, scale = next((name, size) for name, size in (("ms", 1_000_000), ("µs", 1000), ("ns", 1)) if rest >= size)
        return f"{sign}{_decimal(rest, scale)}{unit}"
    text = ""
    for size, name in _UNITS:
        count, rest = divmod(rest, size)
        if count or text:
            text += f"{count}{name}"
    return f"{sign}{text}{_decimal(rest, _NS_PER_SECOND)}s"


def _decimal(value: int, scale: int) -> str:
    whole, rest = divmod(value, scale)
    fraction = f"{rest:0{len(str(scale)) - 1}}".rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def _int_or_string(data: bytes) -> int | str:
    numbers = _numbers(data)
    if numbers.get(1, 0) == _INT_OR_STRING_TEXT:
        return (_bytes(data, 3) or b"").decode("utf-8", "replace")
    return _int32(numbers.get(2, 0))


def _quantity(data: bytes) -> str:
    return (_bytes(data, 1) or b"0").decode("utf-8", "replace")


def _json_within(data: bytes) -> Any:
    raw = _bytes(data, 1)
    return parse_json(raw) if raw else None


def _json_or_base64(data: bytes) -> Any:
    try:
        return _json_within(data)
    except FormatError:
        return base64_text(_bytes(data, 1) or b"")


_META = "k8s.io.apimachinery.pkg.apis.meta.v1."
_RESOURCE = "k8s.io.apimachinery.pkg.api.resource."

SPECIAL: Mapping[str, Callable[[bytes], Any]] = {
    f"{_META}Time": _time,
    f"{_META}MicroTime": _micro_time,
    f"{_META}Duration": _duration,
    f"{_META}FieldsV1": _json_or_base64,
    f"{_RESOURCE}Quantity": _quantity,
    f"{_RESOURCE}QuantityValue": _quantity,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _json_or_base64,
    "k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1.JSON": _json_or_base64,
    "etcdtool.wire.kubernetes.Time": _time,
    "etcdtool.wire.kubernetes.FieldsV1": _json_or_base64,
}
"""Full name of a message -> its JSON from its bytes; none at all are the zero of the type.

They raise FormatError where the bytes are no such message.
"""
