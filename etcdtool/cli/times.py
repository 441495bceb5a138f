"""Times of the command line: ``--as-of`` in, RFC 3339 in UTC out; unix nanoseconds in between, without floats."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from etcdtool.errors import UsageError

__all__ = ["parse_time", "rfc3339"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS = 1_000_000_000
_RFC3339 = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[Tt ](?P<clock>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9}))?"
    r"(?P<zone>[Zz]|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
_HINT = "Write it as 2026-11-21T02:25:02Z, as 2026-11-21 (midnight UTC) or as unix seconds."


def parse_time(text: str) -> int:
    """Return unix nanoseconds of an RFC 3339 time (UTC where no zone is given), of a date, or of unix seconds.

    Raises:
        UsageError: the text is none of these.
    """
    text = text.strip()
    if re.fullmatch(r"\d{1,11}", text, re.ASCII):
        return int(text) * _SECOND_NS
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no time", hint=_HINT)
    try:
        moment = datetime.fromisoformat(f"{match['date']} {match['clock'] or '00:00'}")
        since = moment.replace(tzinfo=_zone(match["zone"])) - _EPOCH
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is no time: {error}", hint=_HINT) from error
    return (since.days * 86_400 + since.seconds) * _SECOND_NS + int((match["fraction"] or "").ljust(9, "0"))


def _zone(text: str | None) -> timezone:
    if text is None or text in "Zz":
        return UTC
    offset = timedelta(hours=int(text[1:3]), minutes=int(text[4:6]))
    return timezone(-offset if text[0] == "-" else offset)


def rfc3339(unix_ns: int) -> str:
    """Return a time as etcd's v2 API shows it: RFC 3339 in UTC, the fraction without trailing zeros."""
    seconds, nanoseconds = divmod(unix_ns, _SECOND_NS)
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    try:
        moment = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:  # beyond year 9999, where Go's clock still counts
        return f"{seconds}{fraction} s since 1970"
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z".rjust(20, "0")
