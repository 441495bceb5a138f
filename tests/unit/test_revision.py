"""Revision keys: the bytes real servers write, and every way they can be wrong."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdtool.errors import FormatError
from etcdtool.model.revision import MAIN_MAX, Revision, pack_revision

numbers = st.integers(0, MAIN_MAX)
revisions = st.builds(Revision, numbers, numbers, st.booleans())


@given(revisions)
def test_revision_round_trips(revision: Revision) -> None:
    assert Revision.parse(bytes(revision)) == revision


@given(revisions, revisions)
def test_revisions_order_as_their_bytes(one: Revision, other: Revision) -> None:
    assert (one < other) == (bytes(one) < bytes(other))


@given(st.binary(max_size=24))
def test_any_bytes_give_a_revision_or_our_error(key: bytes) -> None:
    with suppress(FormatError):
        assert bytes(Revision.parse(key))[:17] == key[:17]


def test_bytes_are_upstream_s() -> None:
    assert bytes(Revision(2, 1)) == bytes.fromhex("0000000000000002 5f 0000000000000001")
    assert bytes(Revision(0x0102030405060708, 0, tombstone=True)) == bytes.fromhex(
        "01020304050607085f000000000000000074"
    )
    assert pack_revision(40000) == bytes(Revision(40000))


def test_eighteen_bytes_with_another_mark_are_no_tombstone() -> None:
    assert Revision.parse(pack_revision(7, 3) + b"x") == Revision(7, 3)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (b"", "invalid revision length: 0"),
        (pack_revision(1)[:16], "invalid revision length: 16"),
        (pack_revision(1) + b"tt", "invalid revision length: 19"),
        (pack_revision(1).replace(b"_", b"-"), "invalid separator b'-'"),
        (b"\x80" + pack_revision(1)[1:], "negative revision"),
        (pack_revision(1)[:9] + b"\xff" + bytes(7), "negative revision"),
    ],
)
def test_malformed_keys_name_their_fault_and_offset(key: bytes, problem: str) -> None:
    with pytest.raises(FormatError, match=problem) as caught:
        Revision.parse(key, offset=0x1234)
    assert caught.value.offset == 0x1234


@pytest.mark.parametrize(("main", "sub"), [(-1, 0), (0, -1), (1 << 63, 0), (0, 1 << 63)])
def test_pack_refuses_what_is_no_int64(main: int, sub: int) -> None:
    with pytest.raises(ValueError, match="outside int64"):
        pack_revision(main, sub)
