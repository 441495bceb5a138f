"""From puts to records: revisions, subs, versions, leases."""

from __future__ import annotations

import hashlib
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.nodes import file

from etcdtool.model import conversion_plan
from etcdtool.model.conversion import AFTER_ALL, Put
from etcdtool.model.conversion_plan import (
    MAX_LEASE_TTL_SECONDS,
    ConversionError,
    Plan,
    Revisions,
    make_plan,
)

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND


def put(
    key: str, created: int = 5, modified: int = 0, *, path: str = "", expires: int | None = None, value: bytes = b"v"
) -> Put:
    node = file(path or key, value, created=max(created, 1), modified=max(modified, 1), expires=expires)
    return Put(
        node=node,
        key=key.encode(),
        value=value,
        created_index=created,
        modified_index=modified or created,
        expires=expires,
    )


def plan(*puts: Put, index: int = 100, dense: bool = False, mark: bool = True) -> Plan:
    revisions = Revisions.DENSE if dense else Revisions.INDEX
    return make_plan(puts, current_index=index, as_of=NOW, revisions=revisions, compact_mark=mark)


def rows(made: Plan) -> list[tuple[str, int, int, int, int]]:
    return [(r.put.key.decode(), r.main, r.sub, r.create_revision, r.version) for r in made.records]


def test_indexes_are_revisions_as_they_are() -> None:
    made = plan(put("/b", 7, 9), put("/a", 8))
    assert rows(made) == [("/a", 8, 0, 8, 1), ("/b", 9, 0, 7, 2)]
    assert (made.head, made.compact_revision) == (9, 9)
    assert plan(put("/a", 8), mark=False).compact_revision == 0


def test_no_puts_make_an_empty_plan() -> None:
    made = plan()
    assert (list(made.records), list(made.leases), made.head, made.compact_revision) == ([], [], 0, 0)


def test_puts_of_one_index_are_told_apart_by_sub_in_path_order() -> None:
    """A directory's marker has its own index; a node made together with its directories shares theirs."""
    made = plan(put("/a/b/c", 5), put("/a/", 5, path="/a"), put("/z", 6), put("/a/b/", 5, path="/a/b"))
    assert rows(made) == [("/a/", 5, 0, 5, 1), ("/a/b/", 5, 1, 5, 1), ("/a/b/c", 5, 2, 5, 1), ("/z", 6, 0, 6, 1)]


def test_what_comes_after_all_keeps_its_order_behind_the_store() -> None:
    puts = put("/z/size", AFTER_ALL), put("/a", 5), put("/b/size", AFTER_ALL)
    assert rows(plan(*puts, index=100)) == [
        ("/a", 5, 0, 5, 1),
        ("/z/size", 101, 0, 101, 1),
        ("/b/size", 102, 0, 102, 1),
    ]
    # even where the store says that it stands before its own keys, as a dump does that knows no more
    assert [row[1] for row in rows(plan(*puts, index=0))] == [5, 6, 7]


def test_dense_revisions_have_no_gaps_and_keep_every_order() -> None:
    made = plan(put("/b", 70, 900), put("/a", 80), put("/c", 70, 80), put("/s", AFTER_ALL), index=2000, dense=True)
    assert rows(made) == [("/a", 3, 0, 3, 1), ("/c", 3, 1, 2, 2), ("/b", 4, 0, 2, 2), ("/s", 5, 0, 5, 1)]
    assert made.head == 5


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), max_size=30), st.booleans())
def test_any_history(pairs: list[tuple[int, int]], dense: bool) -> None:
    puts = [put(f"/{number}", created, created + more) for number, (created, more) in enumerate(pairs)]
    made = plan(*puts, index=200, dense=dense)
    places = [(record.main, record.sub) for record in made.records]
    assert places == sorted(set(places))
    assert len(places) == len(puts)
    for record in made.records:
        assert 0 < record.create_revision <= record.main <= made.head
        assert (record.version == 1) == (record.create_revision == record.main)
        assert (record.create_revision == record.main) == (record.put.created_index == record.put.modified_index)
    by_main = [record.put.modified_index for record in made.records]
    assert by_main == sorted(by_main)
    if dense:
        used = {record.main for record in made.records} | {record.create_revision for record in made.records}
        assert used == set(range(2, 2 + len(used)))


def test_two_puts_of_one_key_are_refused_by_both_names() -> None:
    with pytest.raises(ConversionError, match="/one and /two would both become the key /k"):
        plan(put("/k", 5, path="/one"), put("/other", 6), put("/k", 7, path="/two"))


@pytest.mark.parametrize(("created", "modified"), [(0, 5), (9, 5), (-3, 5), (5, 1 << 63), (AFTER_ALL, 5)])
def test_an_index_that_is_no_revision(created: int, modified: int) -> None:
    with pytest.raises(ConversionError, match="which cannot be revisions"):
        plan(put("/k", created, modified))


def test_the_end_of_all_revisions() -> None:
    last = (1 << 63) - 1
    assert plan(put("/k", last)).head == last
    with pytest.raises(ConversionError, match="out of range"):
        plan(put("/k", last), put("/s", AFTER_ALL))
    assert plan(put("/k", last), dense=True).head == 2


class TestLeases:
    @pytest.mark.parametrize(
        ("left", "seconds"),
        [(1, 1), (SECOND - 1, 1), (SECOND, 1), (SECOND + 1, 2), (90 * SECOND, 90), (0, 1), (-5 * SECOND, 1)],
    )
    def test_whole_seconds_rounded_up_as_v2_shows_a_ttl(self, left: int, seconds: int) -> None:
        made = plan(put("/k", expires=NOW + left))
        ((lease, ttl),) = made.leases
        assert ttl == seconds
        assert made.records[0].lease == lease != 0

    def test_one_a_key_and_none_for_permanent_ones(self) -> None:
        made = plan(put("/a", 5, expires=NOW + SECOND), put("/b", 6), put("/c", 7, expires=NOW + SECOND))
        by_key = {record.put.key: record.lease for record in made.records}
        assert by_key[b"/b"] == 0
        assert sorted(made.leases) == sorted([(by_key[b"/a"], 1), (by_key[b"/c"], 1)])
        assert [lease for lease, _ in made.leases] == sorted(lease for lease, _ in made.leases)

    def test_ids_come_from_the_key_alone(self) -> None:
        first = plan(put("/a", 5, expires=NOW + SECOND))
        second = plan(put("/a", 9, expires=NOW + 77 * SECOND), put("/b", 6, expires=NOW + SECOND))
        assert first.records[0].lease in {record.lease for record in second.records}
        digest = hashlib.sha256(b"etcdtool lease\0/a").digest()
        assert first.records[0].lease == int.from_bytes(digest[:8], "big") & ((1 << 63) - 1)

    def test_ids_that_collide_are_told_apart_and_never_zero(self) -> None:
        class Same:
            def __init__(self, _: bytes) -> None:
                pass

            def digest(self) -> bytes:
                return b"\xff" * 32

        puts = [put(f"/{number}", number + 1, expires=NOW + number * SECOND) for number in range(1, 5)]
        with mock.patch.object(conversion_plan.hashlib, "sha256", Same):
            made = plan(*puts)
        leases = [record.lease for record in made.records]
        assert leases == [(1 << 63) - 1, 1, 2, 3]  # 0 is no lease
        ttl_of = dict(made.leases)
        assert [ttl_of[lease] for lease in leases] == [1, 2, 3, 4]

    def test_more_than_a_lease_can_have(self) -> None:
        made = plan(put("/k", expires=NOW + (MAX_LEASE_TTL_SECONDS + 5) * SECOND))
        assert [ttl for _, ttl in made.leases] == [MAX_LEASE_TTL_SECONDS]
        assert [finding.code for finding in made.findings] == ["convert.ttl-capped"]
