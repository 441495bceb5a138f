"""Text, times and sizes of the command line against what Go prints."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdtool.cli import text, times
from etcdtool.cli.printers import Table, draw
from etcdtool.errors import UsageError

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# printed by github.com/dustin/go-humanize v1.0.1
HUMANIZED = {
    0: "0 B",
    9: "9 B",
    10: "10 B",
    999: "999 B",
    1000: "1.0 kB",
    1049: "1.0 kB",
    1050: "1.1 kB",
    9949: "9.9 kB",
    9950: "10 kB",
    20480: "20 kB",
    99500: "100 kB",
    585728: "586 kB",
    999999: "1000 kB",
    1000000: "1.0 MB",
    1122304: "1.1 MB",
    99950000: "100 MB",
    1 << 40: "1.1 TB",
    (1 << 64) - 1: "18 EB",
}

# printed by github.com/olekukonko/tablewriter v1.1.4 as etcdutl 3.7 sets it up
STATUS_TABLE = """\
┌──────┬──────────────┬────────────┬────────────┬──────────────┐
│ HASH │   REVISION   │ TOTAL KEYS │ TOTAL SIZE │   VERSION    │
├──────┼──────────────┼────────────┼────────────┼──────────────┤
│    a │ 123456789012 │          3 │     820 kB │ 3.10.0-alpha │
└──────┴──────────────┴────────────┴────────────┴──────────────┘"""


@pytest.mark.parametrize(("size", "shown"), HUMANIZED.items())
def test_sizes_are_those_of_etcdutl(size: int, shown: str) -> None:
    assert text.human_size(size) == shown


def test_tables_are_those_of_etcdutl() -> None:
    headers = ["hash", "revision", "total keys", "total size", "version"]
    assert draw(Table(headers=headers, rows=[["a", "123456789012", "3", "820 kB", "3.10.0-alpha"]])) == STATUS_TABLE


def test_a_table_without_rows_has_its_head() -> None:
    assert draw(Table(headers=["key"], rows=[])).splitlines()[1] == "│ KEY │"


@given(st.binary())
def test_keys_never_drive_a_terminal(key: bytes) -> None:
    assert not CONTROLS.search(text.printable_bytes(key))
    text.printable_bytes(key).encode()


@given(st.text(st.characters()))
def test_quoted_text_never_drives_a_terminal(word: str) -> None:
    assert not CONTROLS.search(text.quoted(word))


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_is_safe_and_reads_back(document: object) -> None:
    line = text.json_text(document)
    assert not CONTROLS.search(line)
    assert json.loads(line) == document


def test_bytes_that_are_no_text_are_escaped() -> None:
    assert text.printable_bytes(b"/a/\xff\x1b[2J\n\xe2\x80\xae") == "/a/\\xff\\x1b[2J\\x0a\\u202e"


@pytest.mark.parametrize(
    ("given_text", "unix_ns"),
    [
        ("2026-11-21T02:25:02Z", 1795227902_000000000),
        ("2026-11-21T02:25:02.000000001Z", 1795227902_000000001),
        ("2026-11-21T04:55:02+02:30", 1795227902_000000000),
        ("2026-11-21 02:25", 1795227900_000000000),
        ("2026-11-21", 1795219200_000000000),
        ("1795227902", 1795227902_000000000),
        ("0", 0),
        ("1969-12-31T23:59:59.5Z", -500_000000),
    ],
)
def test_times_are_read(given_text: str, unix_ns: int) -> None:
    assert times.parse_time(given_text) == unix_ns


@pytest.mark.parametrize(
    "given_text", ["", "soon", "2026-13-01", "2026-11-21T25:00:00Z", "-5", "1e9", "2026-11-21T", "٣"]
)
def test_what_is_no_time_is_a_usage_error(given_text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        times.parse_time(given_text)


@given(st.integers(min_value=0, max_value=253402300799_999999999))
def test_times_round_trip(unix_ns: int) -> None:
    assert times.parse_time(times.rfc3339(unix_ns)) == unix_ns


def test_times_beyond_the_calendar_are_shown() -> None:
    assert times.rfc3339(10**21) == "1000000000000 s since 1970"
    assert times.rfc3339(-62135596800 * 10**9) == "0001-01-01T00:00:00Z"
