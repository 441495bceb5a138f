"""The discovery converter against registries of real members, and one broken registry for each finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.nodes import directory, file, from_answers, tree

from etcdtool.converters.discovery import DiscoveryConverter
from etcdtool.errors import UsageError
from etcdtool.model.conversion import AFTER_ALL, ConversionContext, Converter, Finding, Put, Skipped

if TYPE_CHECKING:
    from etcdtool.model.conversion import Node

ROOT = "/_etcd/registry"
FULL3 = "290d5efc5be1541a6c0a0e8db0d6754c"


class Answer:
    """What the converter said, sorted."""

    def __init__(self, nodes: list[Node], converter: DiscoveryConverter | None = None, **choices: Any) -> None:
        outcomes = list((converter or DiscoveryConverter()).convert(nodes, ConversionContext(**choices)))
        self.puts = [outcome for outcome in outcomes if isinstance(outcome, Put)]
        self.values = {put.key.decode(): put.value.decode() for put in self.puts}
        self.skipped = {o.node.path.decode(): o.reason for o in outcomes if isinstance(o, Skipped)}
        self.findings = [outcome for outcome in outcomes if isinstance(outcome, Finding)]
        self.codes = [finding.code for finding in self.findings]

    def finding(self, code: str) -> Finding:
        (finding,) = [finding for finding in self.findings if finding.code == code]
        return finding


def registry(token: str, *members: tuple[str, str], size: str | None = "3") -> list[Node]:
    """Make a token; the members register in the order given."""
    files = [file(f"{ROOT}/{token}/{key}", value, created=10 + n) for n, (key, value) in enumerate(members)]
    if size is not None:
        files.append(file(f"{ROOT}/{token}/_config/size", size))
    return tree(files) if files else [directory(f"{ROOT}/{token}", children=0)]


def member(name: str, port: int = 1) -> str:
    return f"{name}=http://{name}:{port}"


def recorded_v2() -> list[Node]:
    expected = samples.expected("discovery-v2/3.4")
    return from_answers(expected["registry"], *expected["registry_config"].values())


def test_it_is_a_converter() -> None:
    assert isinstance(DiscoveryConverter(), Converter)


@pytest.mark.parametrize(
    ("node", "claimed"),
    [
        (directory("/_etcd"), True),
        (directory(ROOT), True),
        (directory(f"{ROOT}/t"), True),
        (file(f"{ROOT}/t/_config/size"), True),
        (file("/_etcd"), False),
        (file(ROOT), False),
        (file("/_etcd/other"), False),
        (directory("/_etcd/other"), False),
        (directory("/_et"), False),
        (file(f"{ROOT}x/t"), False),
    ],
)
def test_it_claims_the_registry_and_nothing_else(node: Node, claimed: bool) -> None:
    assert DiscoveryConverter().claims(node) is claimed


def test_what_real_v3_members_wrote_comes_out_of_a_v2_registry_of_the_same_members() -> None:
    recorded = samples.expected("discovery-v3")["registry"]["kvs"]
    files = []
    for kv in recorded:
        token, _, rest = kv["key_utf8"].removeprefix(ROOT + "/").rpartition("/")
        index = int(kv["create_revision"])
        if rest == "size":
            files.append(file(kv["key_utf8"], kv["value_utf8"], created=index))
        else:
            # the v2 client registers directly under the token, with an id of its own
            token = token.removesuffix("/members")
            files.append(file(f"{ROOT}/{token}/{999 - index:x}", kv["value_utf8"], created=index))
    answer = Answer(tree(files))
    assert answer.values == {kv["key_utf8"]: kv["value_utf8"] for kv in recorded}
    members = [put for put in answer.puts if put.created_index != AFTER_ALL]
    assert {put.key.decode(): put.created_index for put in members} == {
        kv["key_utf8"]: int(kv["create_revision"]) for kv in recorded if "/members/" in kv["key_utf8"]
    }


def test_the_recorded_v2_registry_becomes_v3_records_in_order() -> None:
    answer = Answer(recorded_v2())
    prefix = f"{ROOT}/{FULL3}"
    full = sorted(
        (put for put in answer.puts if put.key.startswith(f"{prefix}/members/".encode())), key=lambda p: p.created_index
    )
    assert [put.value for put in full] == [
        b"full1=http://127.0.0.1:23007",
        b"full0=http://127.0.0.1:23005",
        b"full2=http://127.0.0.1:23009",
    ]
    assert [(put.created_index, put.modified_index) for put in full] == [(15, 15), (16, 16), (17, 17)]
    assert answer.values[f"{prefix}/_config/size"] == "3"
    assert len(answer.puts) == 16  # 9 members, 7 sizes


def test_all_sizes_come_behind_all_members() -> None:
    marks = [put.created_index == AFTER_ALL for put in Answer(recorded_v2()).puts]
    assert marks == [False] * 9 + [True] * 7


def test_ids_of_v2_are_not_kept() -> None:
    old = {node.path.rpartition(b"/")[2] for node in recorded_v2() if b"=" in node.value}
    assert not old & {put.key.rpartition(b"/")[2] for put in Answer(recorded_v2()).puts}


def test_every_node_of_the_recorded_registry_is_answered() -> None:
    nodes = recorded_v2()
    answer = Answer(nodes)
    assert sorted([*(put.node.path.decode() for put in answer.puts), *answer.skipped]) == [
        n.path.decode() for n in nodes
    ]
    assert answer.skipped[f"{ROOT}/4801cdf4991f1ffc2dde87159802f0c1/ttlmachine"] == "value is not name=url"


def test_creation_decides_not_the_id_and_more_than_twelve_members_fit() -> None:
    names = [f"m{n}" for n in range(15)]
    nodes = registry("t", *((f"{99 - n:x}", member(name)) for n, name in enumerate(names)), size="15")
    puts = [put for put in Answer(nodes).puts if put.created_index != AFTER_ALL]
    assert [put.value.decode() for put in sorted(puts, key=lambda put: put.created_index)] == [member(n) for n in names]
    assert Answer(nodes).codes == ["discovery.finished"]


def test_a_value_and_an_expiry_are_kept_to_the_byte() -> None:
    nodes = [file(f"{ROOT}/t/1", " a=HTTP://A:1 ,", expires=77)]
    (put,) = Answer(nodes).puts
    assert (put.value, put.expires) == (b" a=HTTP://A:1 ,", 77)


def test_a_finished_cluster_is_told_with_both_ids() -> None:
    finding = Answer([node for node in recorded_v2() if FULL3.encode() in node.path]).finding("discovery.finished")
    assert finding.where == f"{ROOT}/{FULL3}"
    for old, new in (("e8ac7c8125c36478", "c237d5bdac2c2366"), ("a7c6c5b9c6e809ce", "b23089064d91819e")):
        assert f"{old} -> {new}" in finding.detail


def test_a_waiting_cluster_is_told() -> None:
    finding = Answer(registry("t", ("1", member("a")))).finding("discovery.waiting")
    assert finding.detail.startswith("1 of 3 members registered")


def test_a_token_can_get_another_name_and_ids_follow_it() -> None:
    nodes = registry("old", ("1", "full2=http://127.0.0.1:23046"))
    answer = Answer(nodes, tokens={"old": "f" * 32})
    assert f"{ROOT}/{'f' * 32}/members/93a44da75855027" in answer.values
    assert f"{ROOT}/{'f' * 32}/_config/size" in answer.values
    assert "discovery.token-renamed" in answer.codes


def test_a_new_name_is_joined_as_the_client_does_and_hashed_as_given() -> None:
    nodes = registry("old", ("1", member("a")))
    plain = Answer(nodes, tokens={"old": "x/y"}).values
    crooked = Answer(nodes, tokens={"old": "/x//y/"}).values
    assert {key.rpartition("/")[0] for key in plain} == {key.rpartition("/")[0] for key in crooked}
    assert plain.keys() != crooked.keys()


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ({"none": "x"}, "no discovery token 'none'"),
        ({"a": "b"}, "would both become 'b'"),
        ({"a": "x", "b": "x/"}, "would both become"),
        ({"a": ".."}, "is no discovery token"),
        ({"a": "../registry2/x"}, "is no discovery token"),
        ({"a": ""}, "is no discovery token"),
        ({"a": "\ud800"}, "cannot be written as bytes"),
    ],
)
def test_new_names_that_cannot_be_are_refused(tokens: dict[str, str], message: str) -> None:
    nodes = registry("a", ("1", member("a"))) + registry("b", ("1", member("b")))
    with pytest.raises(UsageError, match=message):
        Answer(nodes, tokens=tokens)


def test_two_tokens_can_swap_their_names() -> None:
    nodes = registry("a", size="1") + registry("b", size="2")
    values = Answer(nodes, tokens={"a": "b", "b": "a"}).values
    assert values == {f"{ROOT}/a/_config/size": "2", f"{ROOT}/b/_config/size": "1"}


def test_tokens_may_hold_slashes_and_lie_in_each_other() -> None:
    nodes = tree(
        [
            *registry("x/y z", ("1", member("a"))),
            *registry("x/y z/w", ("1", member("a"))),
            file(f"{ROOT}/x/y z/w/deeper/still", "v"),
        ]
    )
    tokens = DiscoveryConverter().describe(nodes, ConversionContext())
    assert [(token.token, [m.name for m in token.members]) for token in tokens] == [
        (b"x/y z", ["a"]),
        (b"x/y z/w", ["a"]),
    ]
    answer = Answer(nodes)
    assert answer.skipped[f"{ROOT}/x"] == "directory"
    assert answer.skipped[f"{ROOT}/x/y z/w/deeper/still"] == "not part of a registry"


def test_a_token_that_is_no_text_stays_as_it_is() -> None:
    nodes = [file(ROOT.encode() + b"/\xff/_config/size", "1"), file(ROOT.encode() + b"/\xff/1", member("a"))]
    keys = [put.key for put in Answer_bytes(nodes)]
    assert keys[-1] == ROOT.encode() + b"/\xff/_config/size"
    renamed = [put.key for put in Answer_bytes(nodes, tokens={"\udcff": "new"})]
    assert renamed[-1] == ROOT.encode() + b"/new/_config/size"


def Answer_bytes(nodes: list[Node], **choices: Any) -> list[Put]:  # noqa: N802  beside Answer, which decodes
    return [o for o in DiscoveryConverter().convert(nodes, ConversionContext(**choices)) if isinstance(o, Put)]


def test_a_subclass_reads_a_registry_that_stood_elsewhere() -> None:
    class Elsewhere(DiscoveryConverter):
        root = b"/discovery"

    nodes = tree([file("/discovery/t/_config/size", "1"), file("/discovery/t/1", member("a"))])
    assert all(Elsewhere().claims(node) for node in nodes)
    assert set(Answer(nodes, Elsewhere()).values) == {
        f"{ROOT}/t/_config/size",
        f"{ROOT}/t/members/{next(iter(Elsewhere().describe(nodes, ConversionContext()))).members[0].v3_id}",
    }


# one broken registry for each finding


def test_size_missing() -> None:
    answer = Answer(registry("t", ("1", member("a")), size=None))
    assert answer.codes == ["discovery.size-missing"]
    assert len(answer.puts) == 1


def test_size_missing_tells_expired_and_left_out() -> None:
    nodes = registry("t", ("1", member("a")), size=None)
    size = file(f"{ROOT}/t/_config/size", "3")
    assert "has expired" in Answer(nodes, expired=[size]).finding("discovery.size-missing").detail
    assert "--prefix" in Answer(nodes, outside=[size]).finding("discovery.size-missing").detail


@pytest.mark.parametrize(
    "size", ["", "0", "000", "-1", "abc", "3 ", "3\n", "1_0", "9223372036854775808", "9" * 5000, "٣"]
)
def test_size_bad(size: str) -> None:
    answer = Answer(registry("t", ("1", member("a")), size=size))
    assert answer.codes == ["discovery.size-bad"]
    assert answer.values[f"{ROOT}/t/_config/size"] == size
    assert ("no limit" in answer.findings[0].detail) is (size in {"0", "000"})


@pytest.mark.parametrize("size", ["3", "+3", "003", "9223372036854775807"])
def test_sizes_that_a_v3_client_reads(size: str) -> None:
    assert Answer(registry("t", size=size)).codes == []


def test_over_full() -> None:
    answer = Answer(registry("t", ("1", member("a")), ("2", member("b")), ("3", member("c")), size="2"))
    assert answer.codes == ["discovery.over-full", "discovery.finished"]
    assert answer.finding("discovery.over-full").detail.endswith("too late came c (3)")
    assert len(answer.puts) == 4


def test_value_bad() -> None:
    answer = Answer(registry("t", ("1", "a=http://a:1/path"), ("2", member("b"))))
    finding = answer.finding("discovery.value-bad")
    assert (finding.where, finding.detail) == (f"{ROOT}/t/1", "a peer url must not contain a path")
    assert answer.skipped[f"{ROOT}/t/1"] == "value is not name=url"


def test_duplicate_id_for_one_member_that_registered_twice() -> None:
    answer = Answer(registry("t", ("9", "a=http://h:1"), ("1", "b=http://h:1")))
    assert answer.finding("discovery.duplicate-id").where == f"{ROOT}/t/1"
    assert answer.skipped[f"{ROOT}/t/1"] == "same peer urls as an earlier registration"
    assert "a=http://h:1" in answer.values.values()


def test_duplicate_id_for_two_spellings_of_one_number() -> None:
    answer = Answer(registry("t", ("0a", member("a")), ("A", member("b"))))
    assert answer.finding("discovery.duplicate-id").detail == "0a and A are one id, a"
    assert len(answer.puts) == 3


def test_duplicate_name() -> None:
    answer = Answer(registry("t", ("1", "a=http://h:1"), ("2", "a=http://h:2")))
    assert answer.finding("discovery.duplicate-name").detail.startswith("1, 2 all register as 'a'")


def test_registration_expired() -> None:
    nodes = registry("t", ("1", member("a")))
    answer = Answer(nodes, expired=[file(f"{ROOT}/t/2", member("b")), file(f"{ROOT}/gone/1", member("c"))])
    assert [f.where for f in answer.findings if f.code == "discovery.registration-expired"] == [
        f"{ROOT}/gone",
        f"{ROOT}/t",
    ]
    assert "discovery.size-missing" not in answer.codes


def test_hidden_keys_that_expired_were_no_registrations() -> None:
    assert Answer(registry("t"), expired=[file(f"{ROOT}/t/_state", "started")]).codes == []


def test_unexpected_node() -> None:
    nodes = tree([*registry("t", ("1", member("a"))), file(f"{ROOT}/t/deep/x"), file(f"{ROOT}/loose")])
    answer = Answer(nodes)
    assert [f.where for f in answer.findings if f.code == "discovery.unexpected-node"] == [ROOT, f"{ROOT}/t"]
    assert answer.skipped[f"{ROOT}/loose"] == "not part of a registry"
    assert answer.skipped[f"{ROOT}/t/deep"] == "not part of a registry"


def test_hidden_keys_of_a_token_are_skipped_without_a_word_of_warning() -> None:
    nodes = tree([*registry("t"), file(f"{ROOT}/t/_state", "started"), file(f"{ROOT}/t/_config/other", "1")])
    answer = Answer(nodes)
    assert answer.skipped[f"{ROOT}/t/_state"] == "not read by discovery"
    assert answer.skipped[f"{ROOT}/t/_config/other"] == "not read by discovery"
    assert answer.codes == []


def test_token_overlap() -> None:
    nodes = tree([*registry("t"), *registry("t/members2", ("1", member("a")))])
    assert Answer(nodes).finding("discovery.token-overlap").where == f"{ROOT}/t"


@pytest.mark.parametrize(
    ("members", "size", "state"),
    [
        (0, "3", "unused"),
        (2, "3", "waiting 2 of 3"),
        (3, "3", "complete"),
        (4, "3", "over-full"),
        (1, None, "size missing"),
        (1, "x", "bad size"),
    ],
)
def test_states(members: int, size: str | None, state: str) -> None:
    nodes = registry("t", *((str(n), member(f"m{n}")) for n in range(members)), size=size)
    (token,) = DiscoveryConverter().describe(nodes, ConversionContext())
    assert (token.state, len(token.members)) == (state, members)


def test_a_path_of_many_parts_takes_no_time() -> None:
    deep = b"/".join([b"a"] * 300_000)
    answer = Answer_bytes(
        [file(ROOT.encode() + b"/t/" + deep), file(ROOT.encode() + b"/" + deep + b"/_config/size", b"1")]
    )
    assert len(answer) == 1
