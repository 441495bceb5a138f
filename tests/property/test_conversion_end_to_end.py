"""From a v2 store in a ``.snap`` to the records of a v3 snapshot: what went in comes out, whatever it is.

What is expected is kept beside the store, in a dictionary, by the few rules of v2 that matter here: a set makes a node
anew, an update keeps its created index, what lies in a directory goes when the directory goes.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcdtool.errors import AnswerIsNoError
from etcdtool.formats.bbolt.cursor import iter_items, root_buckets
from etcdtool.formats.raft import ConfState
from etcdtool.formats.snap import pack_snap_file
from etcdtool.model.conversion import Directories
from etcdtool.model.conversion_plan import Revisions
from etcdtool.model.keyvalue import KeyValue
from etcdtool.model.lease import Lease
from etcdtool.model.revision import Revision
from etcdtool.model.store_v2 import PERMANENT, Store, V2Error
from etcdtool.operations.conversion_chain import TtlPolicy
from etcdtool.operations.convert import ConvertOptions, convert
from etcdtool.operations.read_v2 import ReadOptions, read_v2
from etcdtool.sources import open_database

if TYPE_CHECKING:
    from etcdtool.operations.conversion_report import ConversionReport

SECOND = 1_000_000_000
AS_OF = 1_800_000_000 * SECOND

# files and directories seldom share a name, or most steps would fail
folders = st.lists(st.sampled_from(["a", "a.b", "_h"]), max_size=2).map(lambda found: "".join(f"/{n}" for n in found))
leaves = st.sampled_from(["/x", "/é", "/_y", "/a-b", "/日本"])
paths = st.builds(str.__add__, folders, leaves)
places = folders.filter(bool) | paths
values = st.text(max_size=6) | st.sampled_from(["", "x", '{"a": "<&>"}', "v" * 5000])
lives = st.sampled_from([None, None, 1, SECOND, 90 * SECOND + 1, 10**9 * SECOND])
steps = st.one_of(
    st.tuples(st.sampled_from(["set", "set", "update"]), paths, values, lives),
    st.tuples(st.just("directory"), places, values, lives),
    st.tuples(st.sampled_from(["set", "delete"]), places, values, lives),
)


@dataclass
class Expected:
    """One node as it must be: indexes, value (None: a directory), its own expiry."""

    value: str | None
    created: int
    modified: int
    expires: int | None


@dataclass
class World:
    """A store and what must be in it."""

    store: Store = field(default_factory=Store)
    nodes: dict[str, Expected] = field(default_factory=dict)

    def step(self, action: str, path: str, value: str, life: int | None) -> None:
        expires = None if life is None else AS_OF + life
        instant = PERMANENT if expires is None else expires
        index = self.store.current_index + 1
        is_file = path in self.nodes and self.nodes[path].value is not None
        try:
            if action == "set":
                self.store.set(f"/1{path}", value=value, expires=instant)
            elif action == "update" and is_file:
                self.store.update(f"/1{path}", value=value, expires=instant)
            elif action == "directory":
                self.store.create(f"/1{path}", directory=True, expires=instant)
            elif action == "delete":
                self.store.delete(f"/1{path}", recursive=True)
            else:
                return
        except V2Error:
            return
        self._remember(action, path, None if action == "directory" else value, index, expires)

    def _remember(self, action: str, path: str, value: str | None, index: int, expires: int | None) -> None:
        if action == "delete":
            self.nodes = {name: node for name, node in self.nodes.items() if not f"{name}/".startswith(f"{path}/")}
            return
        for above in above_of(path):
            self.nodes.setdefault(above, Expected(None, index, index, None))
        created = self.nodes[path].created if action == "update" else index
        self.nodes[path] = Expected(value, created, index, expires)

    @property
    def files(self) -> dict[str, Expected]:
        return {path: node for path, node in self.nodes.items() if node.value is not None}

    def expires(self, path: str) -> int | None:
        """Give when a node goes: its own time or that of a directory above it."""
        times = [self.nodes[part].expires for part in (*above_of(path), path)]
        return min((time for time in times if time is not None), default=None)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    world = World()
    for step in draw(st.lists(steps, max_size=2) | st.lists(steps, min_size=15, max_size=40)):
        world.step(*step)
    return world


def above_of(path: str) -> list[str]:
    return [path[:at] for at in range(1, len(path)) if path[at] == "/"]


@dataclass
class Converted:
    """A snapshot as the plain readers see it."""

    records: list[tuple[Revision, KeyValue]]
    ttl_of: dict[int, int]
    data: bytes
    report: ConversionReport

    @property
    def by_key(self) -> dict[str, KeyValue]:
        return {pair.key.decode(): pair for _, pair in self.records}


def converted(world: World, options: ConvertOptions) -> Converted:
    packed = pack_snap_file(world.store.dump_json(), index=9, term=2, conf_state=ConfState(voters=(1,)))
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "v2.snap"), Path(folder, "v3.db")
        source.write_bytes(packed)
        with read_v2([source], ReadOptions(as_of=AS_OF)) as data:
            report = convert(data, target, options)
        assert source.read_bytes() == packed
        with open_database(target) as database:
            buckets = root_buckets(database.image)
            items = list(iter_items(database.image, buckets[b"key"]))
            records = [(Revision.parse(item.key), KeyValue.parse(item.value)) for item in items]
            leases = [Lease.parse(item.key, item.value) for item in iter_items(database.image, buckets[b"lease"])]
        return Converted(records, {lease.id: lease.ttl_seconds for lease in leases}, target.read_bytes(), report)


def check_counts(report: ConversionReport, world: World) -> None:
    counts = report.counts()
    assert counts["nodes"] == len(world.nodes)
    assert counts["nodes"] == counts["converted"] + sum(counts["skipped"].values())
    assert counts["adds_up"] is True
    assert report.exit_code == 0


@given(worlds())
def test_what_went_in_comes_out(world: World) -> None:
    if not world.nodes:
        with pytest.raises(AnswerIsNoError):
            converted(world, ConvertOptions())
        return
    done = converted(world, ConvertOptions(converters=["keys"]))
    check_counts(done.report, world)
    assert done.by_key.keys() == world.files.keys()
    assert len(done.records) == len(world.files)
    for revision, pair in done.records:
        path = pair.key.decode()
        node = world.nodes[path]
        assert pair.value.decode() == node.value
        assert (pair.create_revision, pair.mod_revision) == (node.created, node.modified)
        assert revision == Revision(node.modified, 0), "each index changed one file"
        assert pair.version == (1 if node.created == node.modified else 2)
        expires = world.expires(path)
        ttl = done.ttl_of[pair.lease] if pair.lease else None
        assert ttl == (None if expires is None else min(9_000_000_000, -((AS_OF - expires) // SECOND)))
    assert len(done.ttl_of) == sum(pair.lease != 0 for _, pair in done.records), "one lease a key"


@given(worlds(), st.sampled_from(Directories))
def test_dense_revisions_keep_the_order(world: World, directories: Directories) -> None:
    if not world.files:
        return
    options = ConvertOptions(converters=["keys"], directories=directories)
    dense_options = ConvertOptions(converters=["keys"], directories=directories, revisions=Revisions.DENSE)
    by_index, dense = converted(world, options), converted(world, dense_options)
    check_counts(dense.report, world)
    assert [pair.key for _, pair in dense.records] == [pair.key for _, pair in by_index.records]
    assert [pair.value for _, pair in dense.records] == [pair.value for _, pair in by_index.records]
    places = [(revision.main, revision.sub, pair.key) for revision, pair in dense.records]
    assert places == sorted(places, key=lambda place: (place[0], place[2])), "puts of one index are in path order"
    assert len({place[:2] for place in places}) == len(places)
    rank: dict[int, int] = {}
    for (before, old), (after, new) in zip(by_index.records, dense.records, strict=True):
        assert (after.sub, new.version, new.lease) == (before.sub, old.version, old.lease)
        assert after.main == new.mod_revision
        for index, revision in ((old.create_revision, new.create_revision), (old.mod_revision, new.mod_revision)):
            assert rank.setdefault(index, revision) == revision
    assert [rank[index] for index in sorted(rank)] == list(range(2, len(rank) + 2))


@given(worlds(), st.sampled_from(Revisions), st.sampled_from([TtlPolicy.LEASE, TtlPolicy.PERMANENT, TtlPolicy.DROP]))
def test_two_runs_give_the_same_bytes(world: World, revisions: Revisions, ttl: TtlPolicy) -> None:
    if not world.nodes:
        return
    options = ConvertOptions(revisions=revisions, ttl=ttl)
    first, second = converted(world, options), converted(world, options)
    assert first.data == second.data
    check_counts(first.report, world)
    with_ttl = {path for path in world.files if world.expires(path) is not None}
    gone = with_ttl if ttl is TtlPolicy.DROP else set()
    assert first.by_key.keys() == world.files.keys() - gone
    assert bool(first.ttl_of) == (ttl is TtlPolicy.LEASE and bool(with_ttl))


@given(worlds(), places)
def test_a_prefix_takes_what_is_below_it_and_counts_the_rest(world: World, prefix: str) -> None:
    if not world.nodes:
        return
    options = ConvertOptions(converters=["keys"], prefix=prefix.encode(), add_prefix=b"/new")
    inside = {path for path in world.nodes if f"{path}/".startswith(f"{prefix}/")}
    if not inside:
        with pytest.raises(AnswerIsNoError, match="below"):
            converted(world, options)
        return
    done = converted(world, options)
    check_counts(done.report, world)
    assert done.by_key.keys() == {f"/new{path}" for path in inside & world.files.keys()}
    assert done.report.counts()["skipped"].get("outside --prefix", 0) == len(world.nodes) - len(inside)
