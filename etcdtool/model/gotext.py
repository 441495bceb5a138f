r"""Go's way of writing strings and times in JSON, as far as etcd's own data hold them.

* ``encoding/json`` strings: ``<``, ``>``, ``&``, U+2028 and U+2029 are escaped, and each byte that is no UTF-8 becomes
  ``\ufffd``.  Our strings carry such bytes as lone surrogates (``surrogateescape``), one a byte, so the counts agree.
* ``%q``: what cannot be printed is escaped, and each byte that is no UTF-8 becomes ``\x`` and two digits.
* ``time.Time``: RFC 3339 with up to nine digits of a second; year 1 is Go's zero time, which the v2 store uses for
  "never expires".
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from json.encoder import encode_basestring

__all__ = [
    "NANOSECONDS_PER_SECOND",
    "ZERO_TIME_NS",
    "ZERO_TIME_TEXT",
    "format_time",
    "json_string",
    "parse_time",
    "quoted_bytes",
]

NANOSECONDS_PER_SECOND = 1_000_000_000
_SECONDS_PER_DAY = 86_400
_UNIX_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

_SECONDS_MIN = (1 - _UNIX_EPOCH_ORDINAL) * _SECONDS_PER_DAY
_SECONDS_MAX = (date.max.toordinal() + 1 - _UNIX_EPOCH_ORDINAL) * _SECONDS_PER_DAY - 1

ZERO_TIME_TEXT = "0001-01-01T00:00:00Z"
ZERO_TIME_NS = _SECONDS_MIN * NANOSECONDS_PER_SECOND

_HOUR_MAX, _MINUTE_MAX, _ZONE_HOUR_MAX = 23, 59, 24
_FRACTION_DIGITS = 9
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NAMED_BY_QUOTE = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}
_FIRST_ESCAPED_BYTE, _LAST_ESCAPED_BYTE = 0xDC80, 0xDCFF
_ESCAPED_BY_GO = re.compile("[<>&\u2028\u2029\ud800-\udfff]")


def parse_time(text: str) -> int:
    """Return the unix nanoseconds of an RFC 3339 time; raise ValueError where Go would refuse it."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("no RFC 3339 time")
    minute, second_digits, fraction, zone = match.groups()
    second = int(second_digits)
    if second > _MINUTE_MAX:
        raise ValueError("time of day out of range")
    seconds = _seconds_of_minute(minute) + second - _seconds_of_zone(zone)
    nanoseconds = int(fraction[:_FRACTION_DIGITS].ljust(_FRACTION_DIGITS, "0")) if fraction else 0
    if not _SECONDS_MIN <= seconds <= _SECONDS_MAX:  # by its zone
        raise ValueError("time outside of years 1 to 9999")
    return seconds * NANOSECONDS_PER_SECOND + nanoseconds


@lru_cache(maxsize=1024)
def _seconds_of_minute(text: str) -> int:
    hour, minute = int(text[11:13]), int(text[14:16])
    if hour > _HOUR_MAX or minute > _MINUTE_MAX:
        raise ValueError("time of day out of range")
    days = date(int(text[:4]), int(text[5:7]), int(text[8:10])).toordinal() - _UNIX_EPOCH_ORDINAL
    return days * _SECONDS_PER_DAY + hour * 3600 + minute * 60


@lru_cache(maxsize=64)
def _seconds_of_zone(text: str) -> int:
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > _ZONE_HOUR_MAX or minutes > _MINUTE_MAX:
        raise ValueError("time zone out of range")
    return (hours * 3600 + minutes * 60) * (-1 if text[0] == "-" else 1)


def format_time(nanoseconds: int) -> str:
    """Return a time as Go's RFC3339Nano prints it in UTC: no trailing zeros, no fraction when it is zero."""
    seconds, fraction = divmod(nanoseconds, NANOSECONDS_PER_SECOND)
    days, second_of_day = divmod(seconds, _SECONDS_PER_DAY)
    minute_of_day, second = divmod(second_of_day, 60)
    hour, minute = divmod(minute_of_day, 60)
    digits = f".{fraction:09d}".rstrip("0") if fraction else ""
    return f"{date.fromordinal(days + _UNIX_EPOCH_ORDINAL)}T{hour:02d}:{minute:02d}:{second:02d}{digits}Z"


def json_string(text: str) -> str:
    """Return a string as ``encoding/json`` writes it, quotes included."""
    quoted = encode_basestring(text)
    if _ESCAPED_BY_GO.search(quoted):
        return _ESCAPED_BY_GO.sub(_escape, quoted)
    return quoted


def _escape(match: re.Match[str]) -> str:
    code_point = ord(match.group())
    if 0xD800 <= code_point <= 0xDFFF:  # a byte that is no UTF-8
        return "\\ufffd"
    return f"\\u{code_point:04x}"


def quoted_bytes(text: bytes) -> str:
    """Return a byte string as ``%q`` of package ``fmt`` writes it, in double quotes."""
    return f'"{"".join(map(_quote, text.decode("utf-8", "surrogateescape")))}"'


def _quote(letter: str) -> str:
    if letter in _NAMED_BY_QUOTE:
        return _NAMED_BY_QUOTE[letter]
    if letter.isprintable():
        return letter
    code_point = ord(letter)
    if _FIRST_ESCAPED_BYTE <= code_point <= _LAST_ESCAPED_BYTE:  # a byte that is no UTF-8
        return f"\\x{code_point - 0xDC00:02x}"
    if code_point < ord(" ") or code_point == 0x7F:
        return f"\\x{code_point:02x}"
    return f"\\u{code_point:04x}" if code_point <= 0xFFFF else f"\\U{code_point:08x}"
