"""Whatever the tree: each node is answered exactly once, and registrations stay readable for a v3 client."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from support.nodes import file, tree

from etcdtool.converters._peer_urls import canonical_peer_url, parse_registration
from etcdtool.converters.discovery import DiscoveryConverter
from etcdtool.errors import FormatError, UsageError
from etcdtool.model.conversion import AFTER_ALL, ConversionContext, Directories, Put, Skipped
from etcdtool.operations.converters import load_chain

if TYPE_CHECKING:
    from etcdtool.model.conversion import Node

names = st.one_of(
    st.sampled_from([b"_etcd", b"registry", b"_config", b"size", b"members", b"_state", b"a", b"1", b"0a", b"A"]),
    st.binary(min_size=1, max_size=4).filter(lambda name: b"/" not in name and name not in {b".", b".."}),
)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: b"/" + b"/".join(parts))
registry_paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: b"/_etcd/registry/" + b"/".join(parts))
hosts = st.sampled_from(["h", "H", "[::1]", "10.0.0.1", "b:d"])
urls = st.builds("{}://{}:{}".format, st.sampled_from(["http", "https", "HTTP", "ftp"]), hosts, st.integers(0, 3))
pairs = st.builds("{}={}".format, st.sampled_from(["m", "n", "", " m"]), urls)
values = st.one_of(st.lists(pairs, max_size=3).map(lambda some: ",".join(some).encode()), st.binary(max_size=8))
expiries = st.none() | st.integers(1, 9)


@st.composite
def trees(draw: st.DrawFn) -> list[Node]:
    """Draw trees as v2 keeps them: no path is a file and a directory, and indexes count up."""
    drawn = draw(st.lists(st.tuples(st.one_of(paths, registry_paths), values, expiries), max_size=25))
    kept: dict[bytes, Node] = {}
    for path, value, expires in drawn:
        above = {path[: i or None] for i, byte in enumerate(path) if byte == 0x2F and i}
        if path in kept or above & kept.keys() or any(other.startswith(path + b"/") for other in kept):
            continue
        kept[path] = file(path, value, created=len(kept) + 1, expires=expires)
    return tree(kept.values())


contexts = st.builds(
    ConversionContext,
    directories=st.sampled_from(Directories),
    add_prefix=st.sampled_from([b"", b"/new"]),
    expired=st.just([]) | st.lists(st.builds(file, registry_paths, values), max_size=3),
)


@given(trees(), contexts)
def test_nodes_equal_claimed_equal_answered(nodes: list[Node], context: ConversionContext) -> None:
    chain = load_chain()
    left, answered = nodes, Counter[bytes]()
    for converter in chain:
        claimed = [node for node in left if converter.claims(node)]
        left = [node for node in left if not converter.claims(node)]
        outcomes = [o for o in converter.convert(claimed, context) if isinstance(o, Put | Skipped)]
        assert {o.node.path for o in outcomes} == {node.path for node in claimed}
        answered.update(o.node.path for o in outcomes)
    assert left == []
    assert answered == Counter(node.path for node in nodes)


@given(trees(), contexts)
def test_no_two_puts_of_the_chain_share_a_key(nodes: list[Node], context: ConversionContext) -> None:
    plain = [node for node in nodes if not DiscoveryConverter().claims(node)]
    registered = [node for node in nodes if DiscoveryConverter().claims(node)]
    discovery, keys = load_chain()
    puts = [o for o in discovery.convert(registered, context) if isinstance(o, Put)]
    puts += [o for o in keys.convert(plain, context) if isinstance(o, Put)]
    assert len({put.key for put in puts}) == len(puts)


@given(trees())
def test_a_v3_client_can_read_every_registration_and_its_turn(nodes: list[Node]) -> None:
    registered = [node for node in nodes if DiscoveryConverter().claims(node)]
    outcomes = DiscoveryConverter().convert(registered, ConversionContext())
    puts = [outcome for outcome in outcomes if isinstance(outcome, Put)]
    for put in puts:
        folder, _, last = put.key.rpartition(b"/")
        if put.created_index == AFTER_ALL:
            assert put.key.endswith(b"/_config/size")
        else:
            assert folder.endswith(b"/members")
            assert 0 <= int(last, 16) < 1 << 64
            assert b"=" in put.value
            assert (put.created_index, put.expires) == (put.node.created_index, put.node.expires)
    ends = [put.created_index == AFTER_ALL for put in puts]
    assert ends == sorted(ends)


@given(trees(), st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=2))
def test_any_new_token_names_give_a_result_or_our_error(nodes: list[Node], tokens: dict[str, str]) -> None:
    registered = [node for node in nodes if DiscoveryConverter().claims(node)]
    context = ConversionContext(tokens=tokens)
    try:
        puts = [o for o in DiscoveryConverter().convert(registered, context) if isinstance(o, Put)]
    except UsageError:
        return
    assert all(put.key.startswith(b"/_etcd/registry/") for put in puts)


@given(st.binary(max_size=40))
def test_any_value_is_a_registration_or_our_error(value: bytes) -> None:
    try:
        _, found = parse_registration(value)
    except FormatError:
        return
    assert found == tuple(sorted(found))


@given(st.one_of(st.text(max_size=20), urls, st.builds("http://{}:1".format, st.text(max_size=8))))
def test_a_canonical_url_stays_as_it_is(text: str) -> None:
    try:
        url = canonical_peer_url(text)
    except FormatError:
        return
    assert url.isascii()
    assert canonical_peer_url(url) == url
