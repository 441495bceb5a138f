"""The store's JSON: what is recovered from it, what is refused, what is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from support import samples

from etcdtool.errors import FormatError
from etcdtool.formats.snap import parse_snap_file
from etcdtool.model.gotext import ZERO_TIME_NS, format_time, json_string, parse_time
from etcdtool.model.store_v2 import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def store_json(children: str) -> bytes:
    return (
        f'{{"Root":{{"Path":"/","Children":{{"1":{{"Path":"/1","Children":{children}}}}}}},"CurrentIndex":9}}'.encode()
    )


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0001-01-01T00:00:00Z", ZERO_TIME_NS),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T02:00:00+02:00", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2027-01-10T02:24:59.096796729Z", 1799547899096796729),
        ("2027-01-09T21:24:59.0967967299-05:00", 1799547899096796729),
        ("2027-01-10T02:24:59.5Z", 1799547899500000000),
        ("9999-12-31T23:59:59Z", 253402300799 * 10**9),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds
    assert parse_time(format_time(nanoseconds)) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2027",
        "2027-13-01T00:00:00Z",
        "2027-01-10T24:00:00Z",
        "2027-01-10T02:60:00Z",
        "2027-01-10T02:00:60Z",
        "2027-01-10T02:24:59",
        "0000-01-01T00:00:00Z",
        "2027-01-10T02:24:59+25:00",
        "9999-12-31T23:59:59-01:00",
        "0001-01-01T00:00:00+01:00",
        "٢٠٢٧-01-10T02:24:59Z",
    ],
)
def test_times_that_go_refuses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|year|month|day"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('a"\\\n', '"a\\"\\\\\\n"'),
        ("<&>", '"\\u003c\\u0026\\u003e"'),
        ("\u2028", '"\\u2028"'),
        ("\udcff\udc80x", '"\\ufffd\\ufffdx"'),
        ("é\ufffd\x7f", '"é\ufffd\x7f"'),
    ],
)
def test_strings_are_written_as_go_writes_them(text: str, written: str) -> None:
    assert json_string(text) == written


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "truncated"),
        (b"[]", "object"),
        (b'{"Root":null}', "Root"),
        (b'{"Root":{"Children":{"1":null}}}', "Children"),
        (b'{"Root":{"Children":{"1":{}}}}', "/1 is no directory"),
        (b'{"Root":{"Children":{"0":{"Children":null}}}}', "/0 is no directory"),
        (b'{"Root":{"ExpireTime":"2030-01-01T00:00:00Z"}}', "root has an expiry"),
        (b'{"CurrentIndex":-1}', "CurrentIndex"),
        (b'{"CurrentIndex":18446744073709551615}', "CurrentIndex"),
        (b'{"CurrentIndex":' + b"9" * 5000 + b"}", "CurrentIndex"),
        (b'{"CurrentIndex":1.5}', "CurrentIndex"),
        (store_json('{"a":{"Value":1}}'), "Value"),
        (store_json('{"a":{"ExpireTime":"soon"}}'), "ExpireTime"),
        (store_json('{"a":{"ExpireTime":[[]]}}'), "ExpireTime"),
        (store_json('{"a":{"CreatedIndex":9223372036854775808}}'), "CreatedIndex"),
        (store_json('{"a":{"Value":"\\ud800"}}'), "v2 store"),
        (store_json('{"a":{"Value":"x"}}').replace(b'"x"', b'"\xff"'), "utf-8"),
        (b'{"Root":' + b'{"Children":{"a":' * 100_000, "nested too deep"),
        (b'{"X":' + b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_store_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        Store.recover(data)


def test_absent_fields_are_gos_zero_values() -> None:
    store = Store.recover(store_json('{"f":{},"d":{"Children":{}}}'))
    file, directory = store.find("/1/f"), store.find("/1/d")
    assert file is not None
    assert directory is not None
    assert (file.value, file.created_index, file.expires, file.children) == ("", 0, ZERO_TIME_NS, None)
    assert directory.children == {}
    assert store.find("/0") is not None
    assert store.current_index == 9


def test_names_decide_where_a_node_is() -> None:
    store = Store.recover(store_json('{"by-name":{"Path":"/1/by-path","Value":"x"}}'))
    assert store.find("/1/by-name") is not None
    assert store.find("/1/by-path") is None


def test_nodes_that_share_a_name_are_counted() -> None:
    twice = '{"\\ufffd":{"Path":"/1/\\ufffd","Value":"1"},"\\ufffd":{"Path":"/1/\\ufffd","Value":"\\"Path\\":\\"x\\""}}'
    store = Store.recover(store_json(twice))
    assert store.duplicates == 1
    assert list(store.replaced_characters()) == ["/1/\ufffd"]
    store.set("/1/\ufffd", value="written anew")
    assert list(store.replaced_characters()) == []


def snaps_in(data_dir: Path) -> list[bytes]:
    files = sorted((data_dir / "member/snap").glob("*.snap"))
    return [bytes(parse_snap_file(memoryview(file.read_bytes())).data) for file in files]


@pytest.mark.parametrize(
    "name",
    [f"v2-rich/{version}/data-killed.tar.gz" for version in ("2.3", "3.2", "3.4")]
    + ["v2-auth/3.4/data.tar.gz", "v2-cluster/3.4/data-c1.tar.gz"],
)
def test_dump_is_what_the_server_wrote(name: str, sample: Callable[[str], Path]) -> None:
    snaps = snaps_in(sample(name))
    assert snaps
    for data in snaps:
        dumped, written = json.loads(Store.recover(data).dump_json()), json.loads(data)
        assert list(dumped) == list(written)
        assert list(dumped["Stats"]) == list(written["Stats"])
        assert list(dumped["WatcherHub"]["EventHistory"]) == list(written["WatcherHub"]["EventHistory"])
        for part in ("Root", "CurrentIndex", "CurrentVersion"):
            assert dumped[part] == written[part], part
        # the server's byte that was no UTF-8 is an escape in its first .snap, the character itself ever after
        root = data[data.index(b'"Root":') : data.index(b',"WatcherHub":')].replace(b"\\ufffd", b"\xef\xbf\xbd")
        assert root in Store.recover(data).dump_json()


def test_samples_hold_each_kind_of_node() -> None:
    """Without these the test above would say little."""
    data = snaps_in(samples.unpack("v2-rich/3.4/data-killed.tar.gz"))[-1]
    assert b'"Children":{}' in data
    assert b"\\ufffd" in data
    assert b'"ExpireTime":"202' in data
