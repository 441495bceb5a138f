"""Bytes, times, sizes and ids as people read them; nothing that comes out of here can drive a terminal.

Sizes follow ``humanize.Bytes`` of go-humanize v1.0.1, which etcdutl prints with: SI units, one digit below ten.
"""

from __future__ import annotations

import json
import math
import re

__all__ = [
    "UNSAFE_BUT_NEWLINE",
    "hex_id",
    "human_size",
    "json_text",
    "printable",
    "printable_bytes",
    "quoted",
    "safe_json",
]

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_LEAST_SCALED_SIZE = 10

# C0 and C1 controls, DEL, marks that reorder or break lines, and halves of surrogate pairs
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
UNSAFE_BUT_NEWLINE = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
"""What could drive a terminal, or break a line where nobody sees it."""
_FIRST_ESCAPED_BYTE, _LAST_ESCAPED_BYTE = 0xDC80, 0xDCFF


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if _FIRST_ESCAPED_BYTE <= code <= _LAST_ESCAPED_BYTE:  # one byte that was no UTF-8, by surrogateescape
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def printable(text: str, *, newlines: bool = False) -> str:
    r"""Return ``text`` with controls and undecodable bytes as ``\x1b``; line feeds pass with ``newlines``."""
    return (UNSAFE_BUT_NEWLINE if newlines else _UNSAFE).sub(_escape, text)


def printable_bytes(data: bytes) -> str:
    """Return a key for people: its text, bytes that are no UTF-8 escaped."""
    return printable(data.decode("utf-8", "surrogateescape"))


def quoted(text: str) -> str:
    """Return ``text`` in double quotes, as ``-w fields`` prints it."""
    return f'"{printable(text.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34)))}"'


def json_text(document: object, *, indent: int | None = None) -> str:
    """Return JSON in one line, or indented; what could drive a terminal is escaped the JSON way."""
    separators = (",", ": ") if indent else (",", ":")
    return safe_json(json.dumps(document, ensure_ascii=False, separators=separators, indent=indent))


def safe_json(text: str) -> str:
    """Return JSON text with what could drive a terminal escaped the JSON way; it means the same."""
    return UNSAFE_BUT_NEWLINE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def hex_id(number: int) -> str:
    """Return a member or cluster id the way etcd prints it: hex, no padding."""
    return f"{number:x}"


def human_size(size: int) -> str:
    """Return a size in bytes the way etcdutl prints it: ``586 kB``, ``3.2 MB``."""
    if size < _LEAST_SCALED_SIZE:
        return f"{size} B"
    exponent = math.floor(math.log(size) / math.log(1000))
    value = math.floor(size / math.pow(1000, exponent) * 10 + 0.5) / 10
    return f"{value:.{1 if value < _LEAST_SCALED_SIZE else 0}f} {_SIZE_UNITS[exponent]}"
