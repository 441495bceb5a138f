"""A protobuf message whose fields are not known, as a tree of numbers: what is in it, without what it means.

A field's number is its name, a repeated one is a list.  Bytes are shown as text where they read as text, as a message
where they parse as one, else as base64: protobuf does not tell these apart, so a short text may be taken for a message.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

from etcdtool.errors import FormatError
from etcdtool.model.protofields import FIXED32, FIXED64, GROUP_START, VARINT, iter_fields, signed

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["base64_text", "field_tree", "leaf"]

_DEPTH_MAX = 40
_FIELD_NUMBER_MAX = 1000
"""No message of Kubernetes' has so many fields; by chance, bytes parse as one that has."""

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")


def field_tree(fields: Iterable[tuple[int, int, int | bytes]], depth: int = 0) -> dict[str, Any]:
    """Return fields as `iter_fields` yields them, by number.

    Raises:
        FormatError: the bytes that the fields are read from are no message.
    """
    found: dict[str, Any] = {}
    repeated: set[str] = set()
    for number, wire_type, value in fields:
        name = str(number)
        shown = leaf(wire_type, value, depth)
        if name not in found:
            found[name] = shown
        elif name in repeated:
            found[name].append(shown)
        else:
            found[name] = [found[name], shown]
            repeated.add(name)
    return found


def leaf(wire_type: int, value: int | bytes, depth: int = 0) -> Any:
    """Return the value of one field, as far as its bytes tell what it is."""
    if isinstance(value, int):
        return signed(value) if wire_type == VARINT else value
    if wire_type in {FIXED64, FIXED32}:
        return int.from_bytes(value, "little")
    if wire_type == GROUP_START:
        return "a group, which Kubernetes never writes"
    text = _as_text(value)
    # what begins with a line feed is more often the tag of a first field than a text
    message = _as_message(value, depth + 1) if text is None or text.startswith("\n") else None
    if message is not None:
        return message
    return base64_text(value) if text is None else text


def base64_text(data: bytes) -> str:
    """Return bytes as Kubernetes writes them in JSON."""
    return base64.b64encode(data).decode()


def _as_text(value: bytes) -> str | None:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if _UNPRINTABLE.search(text) else text


def _as_message(value: bytes, depth: int) -> dict[str, Any] | None:
    if depth > _DEPTH_MAX:
        return None
    try:
        fields = list(iter_fields(value))
    except FormatError:
        return None
    if any(number > _FIELD_NUMBER_MAX or wire_type == GROUP_START for number, wire_type, _ in fields):
        return None
    return field_tree(fields, depth)
