"""The chain: who claims what, what happens to TTLs and expired nodes, and that every node is accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from support.nodes import directory, file, tree

from etcdtool.converters.discovery import DiscoveryConverter
from etcdtool.converters.keys import KeysConverter
from etcdtool.errors import AnswerIsNoError
from etcdtool.findings import Finding, Severity
from etcdtool.model.conversion import ConversionContext, Directories, Node, Put, Skipped
from etcdtool.model.conversion_plan import ConversionError, Revisions, make_plan
from etcdtool.model.ports import WrittenRecord
from etcdtool.operations.conversion_chain import ChainResult, Selection, TtlPolicy, run_chain
from etcdtool.operations.conversion_proof import prove

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECOND = 1_000_000_000
NOW = 1_800_000_000 * SECOND


def put_of(node: Node, key: bytes = b"") -> Put:
    return Put(
        node=node,
        key=key or node.path,
        value=node.value,
        created_index=node.created_index,
        modified_index=node.modified_index,
        expires=node.expires,
    )


class Fake:
    """A converter that claims what lies below a prefix and answers as it is told to."""

    summary = "for tests"

    def __init__(
        self, answer: Callable[[Sequence[Node]], Iterator[Any]], *, name: str = "fake", below: bytes = b"/"
    ) -> None:
        self.name = name
        self.below = below
        self.answer = answer
        self.context = ConversionContext()

    def claims(self, node: Node) -> bool:
        return node.path.startswith(self.below)

    def convert(self, nodes: Sequence[Node], context: ConversionContext) -> Iterator[Any]:
        self.context = context
        return self.answer(nodes)


def put_each(nodes: Sequence[Node]) -> Iterator[Any]:
    return (put_of(node) for node in nodes)


def run(nodes: Sequence[Node], *converters: Any, prefix: bytes = b"", **selected: Any) -> ChainResult:
    context = ConversionContext(as_of=NOW, directories=selected.pop("directories", Directories.SKIP))
    return run_chain(nodes, converters or (KeysConverter(),), Selection(prefix=prefix, context=context, **selected))


NODES = tree([file("/a", b"1"), file("/d/b", b"2", expires=NOW + SECOND), file("/d/_h", b"3"), file("/dx", b"4")])


class TestAccounting:
    def test_every_node_is_converted_or_skipped(self) -> None:
        result = run([*NODES, directory("/empty", children=0)])
        assert result.node_count == 6
        assert result.converted_count == 4
        assert result.converted_by == {"keys": 4}
        assert result.skipped_by_reason() == {"directory": ["/d"], "empty directory": ["/empty"]}

    def test_the_first_that_claims_gets_the_node(self) -> None:
        result = run(NODES, Fake(put_each, below=b"/d"), KeysConverter())
        assert result.converted_by == {"fake": 4, "keys": 1}

    def test_what_nobody_claims_is_named(self) -> None:
        result = run(NODES, Fake(put_each, below=b"/d/"))
        assert result.skipped_by_reason() == {"claimed by no converter": ["/a", "/d", "/dx"]}

    def test_several_puts_of_one_node_count_once(self) -> None:
        def twice(nodes: Sequence[Node]) -> Iterator[Any]:
            for node in nodes:
                yield put_of(node)
                yield put_of(node, node.path + b"/copy")

        result = run(NODES, Fake(twice))
        assert (result.converted_count, len(result.puts)) == (len(NODES), 2 * len(NODES))

    def test_no_answer(self) -> None:
        with pytest.raises(ConversionError, match=r"fake gave no answer for 2 of the 5 nodes .* first of them /d/b"):
            run(NODES, Fake(lambda nodes: put_each([node for node in nodes if node.path not in {b"/d/b", b"/dx"}])))

    @pytest.mark.parametrize(
        ("answers", "words"),
        [
            (lambda node: [put_of(node), Skipped(node=node, reason="r")], "answered /a twice"),
            (lambda node: [Skipped(node=node, reason="r"), put_of(node)], "answered /a twice"),
            (lambda node: [Skipped(node=node, reason="r"), Skipped(node=node, reason="s")], "answered /a twice"),
            (lambda node: [put_of(file("/never/seen"))], "gave no answer for 5"),
            (lambda node: [put_of(node), put_of(file("/never/seen"))], "answered /never/seen, which it did not claim"),
            (lambda node: [put_of(node), Skipped(node=file(node.path + b"/x"), reason="r")], "did not claim"),
        ],
    )
    def test_answers_that_contradict_each_other(self, answers: Callable[[Node], list[Any]], words: str) -> None:
        def answer(nodes: Sequence[Node]) -> Iterator[Any]:
            for node in nodes:
                yield from answers(node)

        with pytest.raises(ConversionError, match=words):
            run(NODES, Fake(answer))

    def test_a_node_of_anothers(self) -> None:
        stolen = put_of(NODES[0])
        with pytest.raises(ConversionError, match="answered /a, which it did not claim"):
            run(NODES, Fake(lambda nodes: iter([*put_each(nodes), stolen]), below=b"/d"), KeysConverter())

    def test_findings_come_through(self) -> None:
        finding = Finding(code="fake.x", severity=Severity.NOTE, where="/a", detail="look")
        result = run(NODES, Fake(lambda nodes: iter([finding, *put_each(nodes)])))
        assert result.findings == [finding]

    @pytest.mark.parametrize("nonsense", [None, 7, "put", ("/a", b"1")])
    def test_answers_of_another_kind(self, nonsense: object) -> None:
        with pytest.raises(ConversionError, match="converter fake yielded"):
            run(NODES, Fake(lambda nodes: iter([*put_each(nodes), nonsense])))

    def test_a_converter_that_fails(self) -> None:
        def fail(nodes: Sequence[Node]) -> Iterator[Any]:
            yield put_of(nodes[0])
            raise KeyError("missing")

        with pytest.raises(ConversionError, match=r"converter fake failed: KeyError: 'missing'"):
            run(NODES, Fake(fail))

    def test_claims_that_fail(self) -> None:
        fake = Fake(put_each)
        fake.claims = lambda node: 1 // 0  # type: ignore[assignment, return-value]
        with pytest.raises(ConversionError, match="converter fake failed: ZeroDivisionError"):
            run(NODES, fake)


class TestPrefix:
    @pytest.mark.parametrize("prefix", [b"/d", b"/d/"])
    def test_a_folder_and_what_is_in_it(self, prefix: bytes) -> None:
        result = run(NODES, prefix=prefix)
        assert [put.key for put in result.puts] == [b"/d/_h", b"/d/b"]
        assert result.skipped_by_reason() == {"outside --prefix": ["/a", "/dx"], "directory": ["/d"]}

    def test_one_key(self) -> None:
        assert [put.key for put in run(NODES, prefix=b"/a").puts] == [b"/a"]

    @pytest.mark.parametrize("prefix", [b"", b"/"])
    def test_everything(self, prefix: bytes) -> None:
        assert len(run(NODES, prefix=prefix).puts) == 4

    def test_the_converter_is_told_what_is_outside(self) -> None:
        fake = Fake(put_each)
        run(NODES, fake, prefix=b"/d")
        assert [node.path for node in fake.context.outside] == [b"/a", b"/dx"]


class TestTtl:
    nodes = (file("/now", b"1", expires=NOW + 1), file("/far", b"2", expires=NOW + 9 * SECOND), file("/never", b"3"))

    def test_lease(self) -> None:
        result = run(self.nodes, ttl=TtlPolicy.LEASE)
        assert {put.key: put.expires for put in result.puts} == {node.path: node.expires for node in self.nodes}

    def test_permanent(self) -> None:
        result = run(self.nodes, ttl=TtlPolicy.PERMANENT)
        assert {put.expires for put in result.puts} == {None}
        assert result.converted_count == 3

    def test_drop(self) -> None:
        result = run(self.nodes, ttl=TtlPolicy.DROP)
        assert [put.key for put in result.puts] == [b"/never"]
        assert result.skipped_by_reason() == {"has a TTL (--ttl drop)": ["/now", "/far"]}

    def test_fail(self) -> None:
        with pytest.raises(AnswerIsNoError, match=r"2 nodes have a TTL, and --ttl fail was given: /now, /far"):
            run(self.nodes, ttl=TtlPolicy.FAIL)
        assert run(self.nodes[2:], ttl=TtlPolicy.FAIL).converted_count == 1

    def test_fail_asks_about_what_is_converted_only(self) -> None:
        assert run(self.nodes, ttl=TtlPolicy.FAIL, prefix=b"/never").converted_count == 1


class TestExpired:
    nodes = (file("/gone", b"1", expires=NOW), file("/past", b"2", expires=NOW - SECOND), file("/here", b"3"))

    @pytest.mark.parametrize("ttl", TtlPolicy)
    def test_they_are_asked_about(self, ttl: TtlPolicy) -> None:
        with pytest.raises(AnswerIsNoError, match=r"2 nodes have expired by the as-of time: /gone, /past") as caught:
            run(self.nodes, ttl=ttl)
        assert "--drop-expired" in caught.value.hint
        assert caught.value.exit_code == 3

    @pytest.mark.parametrize("ttl", TtlPolicy)
    def test_and_left_out_when_the_user_says_so(self, ttl: TtlPolicy) -> None:
        fake = Fake(put_each)
        result = run(self.nodes, fake, ttl=ttl, drop_expired=True)
        assert [put.key for put in result.puts] == [b"/here"]
        assert result.skipped_by_reason() == {"expired": ["/gone", "/past"]}
        assert [node.path for node in fake.context.expired] == [b"/gone", b"/past"]

    def test_many_are_counted_and_some_named(self) -> None:
        nodes = [file(f"/{number}", b"", expires=1) for number in range(8)]
        with pytest.raises(AnswerIsNoError, match=r"8 nodes have .*: /0, /1, /2, /3, /4 and 3 more"):
            run(nodes)

    def test_nobody_is_asked_about_what_is_outside_the_prefix(self) -> None:
        assert run(self.nodes, prefix=b"/here").converted_count == 1


def test_directories_as_markers_get_subs_of_their_index() -> None:
    nodes = [directory("/d", created=5), file("/d/b", b"2", created=5)]
    result = run(nodes, directories=Directories.MARKER)
    made = make_plan(result.puts, current_index=9, as_of=NOW, revisions=Revisions.INDEX, compact_mark=True)
    assert [(r.put.key, r.main, r.sub) for r in made.records] == [(b"/d/", 5, 0), (b"/d/b", 5, 1)]


def test_the_usual_chain_leaves_nothing_unclaimed() -> None:
    nodes = tree([file("/_etcd/registry/t/_config/size", b"1"), file("/_etcd/other", b"x"), file("/k", b"y")])
    result = run(nodes, DiscoveryConverter(), KeysConverter())
    assert "claimed by no converter" not in result.skipped_by_reason()


class TestProof:
    """What is read back differs from what was to be written: the target must not get its name."""

    def proven(self, change: Callable[[list[WrittenRecord]], object]) -> object:
        result = run(NODES)
        made = make_plan(result.puts, current_index=9, as_of=NOW, revisions=Revisions.INDEX, compact_mark=True)
        ttl_of = dict(made.leases)
        written = [
            WrittenRecord(
                r.main,
                r.sub,
                r.put.key,
                r.put.value,
                r.create_revision,
                r.main,
                r.version,
                r.lease,
                ttl_of.get(r.lease, 0),
            )
            for r in made.records
        ]
        change(written)
        return prove(result, made, iter(written))

    def test_the_same(self) -> None:
        proof = self.proven(lambda written: None)
        assert proof is not None
        assert proof.as_json() == {  # type: ignore[attr-defined]
            "records_compared": 4,
            "nodes_compared": 4,
            "values_as_in_source": 4,
            "values_changed": 0,
            "leases_compared": 1,
        }

    @pytest.mark.parametrize("name", WrittenRecord.__struct_fields__)
    def test_any_field(self, name: str) -> None:
        def change(written: list[WrittenRecord]) -> None:
            old = getattr(written[1], name)
            written[1] = msgspec.structs.replace(written[1], **{name: old + (b"x" if isinstance(old, bytes) else 1)})

        with pytest.raises(ConversionError, match="reads back from the target differently"):
            self.proven(change)

    def test_too_few_or_too_many(self) -> None:
        for change in (lambda written: written.pop(), lambda written: written.append(written[0])):
            with pytest.raises(ConversionError, match="another number of records"):
                self.proven(change)
