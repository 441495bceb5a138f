"""The keys converter against what the real ``etcdctl migrate`` 3.4 made of the same store, and by hand."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.nodes import directory, file, from_answers

from etcdtool.converters.keys import KeysConverter
from etcdtool.errors import UsageError
from etcdtool.model.conversion import ConversionContext, Converter, Directories, Put, Skipped

if TYPE_CHECKING:
    from etcdtool.model.conversion import Node

MARKERS = Directories.MARKER


def keys(*nodes: Node, **choices: Any) -> dict[bytes, str | bytes]:
    """Give per node path the key it became, or the reason why it became none."""
    found: dict[bytes, str | bytes] = {}
    for outcome in KeysConverter().convert(nodes, ConversionContext(**choices)):
        assert isinstance(outcome, Put | Skipped)
        found[outcome.node.path] = outcome.key if isinstance(outcome, Put) else outcome.reason
    return found


def test_it_is_a_converter_that_claims_everything() -> None:
    assert isinstance(KeysConverter(), Converter)
    assert KeysConverter().claims(file("/a"))
    assert KeysConverter().claims(directory("/_hidden"))


def test_keys_values_and_indexes_are_those_of_the_real_migrate() -> None:
    nodes = from_answers(samples.load("v2-rich/3.4/keys.json.gz"))
    real = samples.load("v2-migrated/3.4/v3-range.json.gz")["kvs"]
    puts = [o for o in KeysConverter().convert(nodes, ConversionContext()) if isinstance(o, Put)]
    ours = {put.key: (put.value, put.created_index, put.modified_index) for put in puts}
    theirs = {
        base64.b64decode(kv["key"]): (
            base64.b64decode(kv.get("value", "")),
            int(kv["create_revision"]),
            int(kv["mod_revision"]),
        )
        for kv in real
    }
    assert len(theirs) > 300
    assert ours == theirs


def test_a_put_keeps_the_expiry_of_its_node() -> None:
    (put,) = KeysConverter().convert([file("/a", "x", expires=99)], ConversionContext())
    assert isinstance(put, Put)
    assert put.expires == 99


def test_hidden_keys_come_along() -> None:
    assert keys(file("/_hidden/a/_b")) == {b"/_hidden/a/_b": b"/_hidden/a/_b"}


def test_bytes_that_are_no_text_stay() -> None:
    assert keys(file(b"/\xff", b"\x00\xfe")) == {b"/\xff": b"/\xff"}


def test_directories_are_skipped_and_empty_ones_say_so() -> None:
    assert keys(directory("/a"), directory("/b", children=0)) == {b"/a": "directory", b"/b": "empty directory"}


def test_a_marker_is_the_path_with_a_slash_and_no_value() -> None:
    (put,) = KeysConverter().convert([directory("/a", created=7)], ConversionContext(directories=MARKERS))
    assert isinstance(put, Put)
    assert (put.key, put.value, put.created_index) == (b"/a/", b"", 7)


@pytest.mark.parametrize(
    ("strip", "add", "key"),
    [
        (b"/app", b"", b"/x"),
        (b"/app/", b"", b"x"),
        (b"/", b"", b"app/x"),
        (b"", b"/new", b"/new/app/x"),
        (b"/app", b"/new", b"/new/x"),
        (b"/app/x", b"/new", b"/new"),
    ],
)
def test_prefixes_are_stripped_and_added(strip: bytes, add: bytes, key: bytes) -> None:
    assert keys(file("/app/x"), strip_prefix=strip, add_prefix=add) == {b"/app/x": key}


@pytest.mark.parametrize("path", ["/application", "/ap", "/other/app/x"])
def test_a_key_outside_the_stripped_prefix_is_refused_by_name(path: str) -> None:
    with pytest.raises(UsageError, match=f"{path} lies outside --strip-prefix /app"):
        keys(file("/app/x"), file(path), strip_prefix=b"/app")


def test_the_refusal_comes_before_any_outcome_and_counts() -> None:
    outcomes = KeysConverter().convert(
        [file("/app/x"), file("/b"), file("/c")], ConversionContext(strip_prefix=b"/app")
    )
    with pytest.raises(UsageError, match="/b and 1 more lie outside"):
        next(outcomes)


def test_a_key_of_which_nothing_is_left_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="nothing is left of the key /app "):
        keys(file("/app"), strip_prefix=b"/app")


def test_directories_do_not_stand_in_the_way_of_the_stripped_prefix() -> None:
    nodes = directory("/a"), directory("/a/b"), directory("/a/b/c"), file("/a/b/c/x")
    assert keys(*nodes, strip_prefix=b"/a/b") == {
        b"/a": "directory",
        b"/a/b": "directory",
        b"/a/b/c": "directory",
        b"/a/b/c/x": b"/c/x",
    }
    assert keys(*nodes, strip_prefix=b"/a/b/", directories=MARKERS) == {
        b"/a": "directory above --strip-prefix",
        b"/a/b": "directory that is --strip-prefix itself",
        b"/a/b/c": b"c/",
        b"/a/b/c/x": b"c/x",
    }


def test_a_marker_outside_the_stripped_prefix_is_refused() -> None:
    with pytest.raises(UsageError, match="/other lies outside"):
        keys(directory("/other"), strip_prefix=b"/app", directories=MARKERS)
