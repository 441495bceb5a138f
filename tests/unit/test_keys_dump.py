"""JSON answers of the v2 API as a source: one, several together, hidden ones asked for by name, and bad ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import samples
from support.cli import invoke

from etcdtool.errors import FormatError
from etcdtool.model.keys_dump import merge, parse_dump
from etcdtool.operations.read_v2 import ReadOptions, V2Data, read_v2

if TYPE_CHECKING:
    from pathlib import Path


def saved(folder: Path, *answers: Any) -> list[Path]:
    """Write answers as curl would."""
    paths = []
    for number, answer in enumerate(answers):
        path = folder / f"{number}.json"
        path.write_text(json.dumps(answer) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def rows(data: V2Data) -> list[tuple[Any, ...]]:
    return [
        (node.path, node.value, node.is_directory, node.created_index, node.modified_index, own)
        for node, own in data.rows()
    ]


def node(key: str, value: str | None = "x", *, index: int = 7, **more: Any) -> dict[str, Any]:
    made = {"key": key, "createdIndex": index, "modifiedIndex": index, **more}
    return made if value is None else {**made, "value": value}


def answer(*nodes: dict[str, Any]) -> dict[str, Any]:
    return {"action": "get", "node": {"dir": True, "nodes": list(nodes)}}


def merged(*answers: Any) -> dict[str, Any]:
    dumps = [parse_dump(memoryview(json.dumps(made).encode()), f"{number}") for number, made in enumerate(answers)]
    root, _ = merge(dumps)
    assert root.children is not None
    found = root.children["1"].children
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["v2-auth/3.4", "v2-only-wal/3.4", "v2-only-wal/2.3"])
def test_with_the_hidden_nodes_by_name_a_dump_is_the_store(name: str, tmp_path: Path) -> None:
    live = samples.expected(name)["live"]
    answers = [live["keys"], *(hidden for hidden in live["hidden"] if hidden["status"] == 200)]
    paths = saved(tmp_path, *(given["response"] for given in answers))
    with read_v2([samples.unpack(f"{name}/data.tar.gz")], ReadOptions()) as stored:
        whole = rows(stored)
    with read_v2(paths, ReadOptions()) as data:
        found = rows(data)
        assert not data.complete
        assert [finding.code for finding in data.report.findings] == ["v2.completeness-unknown"]
        assert data.raft_index == 0
    assert found
    # a directory that no answer tells of (it is hidden, and its child was asked for) has no index
    told = [row for row in found if row[3]]
    assert set(told) <= set(whole)
    missing = {row[0] for row in whole} - {row[0] for row in told}
    assert all(b"/_" in path for path in missing)


def test_the_registry_from_its_dumps_is_the_registry_of_the_data_dir(tmp_path: Path) -> None:
    recorded = samples.expected("discovery-v2/3.4")
    answers = [
        recorded["registry"],
        *recorded["registry_per_token"].values(),
        *recorded["registry_config"].values(),
    ]
    paths = saved(tmp_path, *(given["response"] for given in answers))
    with read_v2([samples.unpack("discovery-v2/3.4/data.tar.gz")], ReadOptions()) as stored:
        registry = [row for row in rows(stored) if row[0].startswith(b"/_etcd/registry/")]
    with read_v2(paths, ReadOptions()) as data:
        found = [row for row in rows(data) if row[0].startswith(b"/_etcd/registry/")]
    assert found == registry
    source = samples.unpack("discovery-v2/3.4/data.tar.gz")
    options = ("--as-of", recorded["live"]["asked_at"], "--prefix", "/_etcd/registry", "-o", "-")
    from_dumps = invoke("convert", *paths, *options)
    from_data = invoke("convert", source, *options)
    assert (from_dumps.exit_code, from_data.exit_code) == (0, 0), from_dumps.stderr
    # sizes stand behind every v2 index, and only the data dir knows what the index of the store was
    changing = {"mod_revision", "create_revision"}
    keys_only = [
        [
            {name: field for name, field in record.items() if name not in changing}
            for record in map(json.loads, done.stdout.splitlines())
            if record["type"] == "put"
        ]
        for done in (from_dumps, from_data)
    ]
    assert keys_only[0] == keys_only[1]
    assert "completeness" in from_dumps.stderr
    tokens = [
        json.loads(invoke("convert", *given, "--list-tokens", "-w", "json").stdout) for given in (paths, [source])
    ]
    assert tokens[0] == tokens[1]


def test_without_its_config_a_token_is_told_to_lack_a_size(tmp_path: Path) -> None:
    recorded = samples.expected("discovery-v2/3.4")
    paths = saved(tmp_path, recorded["registry_per_token"]["full3"]["response"])
    done = invoke("convert", *paths, "--list-tokens")
    assert "size missing" in done.stdout


class TestMerge:
    def test_the_same_node_twice(self) -> None:
        assert set(merged(answer(node("/a")), answer(node("/a"), node("/b")))) == {"a", "b"}

    @pytest.mark.parametrize(
        "other",
        [
            node("/a", "y"),
            node("/a", index=8),
            node("/a", None, dir=True),
            node("/a", expiration="2027-01-01T00:00:00Z"),
            {**node("/a"), "createdIndex": 3},
        ],
    )
    @pytest.mark.parametrize("swapped", [False, True])
    def test_two_answers_that_differ(self, other: dict[str, Any], swapped: bool, tmp_path: Path) -> None:
        pair = [answer(node("/a")), answer(other)]
        with pytest.raises(FormatError, match="/a is told differently in another dump") as caught:
            merged(*reversed(pair) if swapped else pair)
        assert "of one moment" in caught.value.hint
        assert invoke("v2", "export", *saved(tmp_path, *pair)).exit_code == 10

    def test_a_hidden_node_asked_for_by_name_finds_its_directory_either_way(self) -> None:
        directory = answer(node("/d", None, dir=True, index=3, nodes=[node("/d/k")]))
        hidden = {"action": "get", "node": node("/d/_h", "secret", index=9)}
        for pair in ((directory, hidden), (hidden, directory)):
            found = merged(*pair)["d"]
            assert (found.modified_index, sorted(found.children)) == (3, ["_h", "k"])

    def test_a_key_where_another_dump_has_a_directory(self) -> None:
        with pytest.raises(FormatError, match="is a key elsewhere"):
            merged(answer(node("/d")), {"node": node("/d/_h")})

    @pytest.mark.parametrize(
        "child",
        [node("/elsewhere/k"), node("/d"), node("/"), {"value": "nameless", "createdIndex": 1}, node("/d/../e")],
    )
    def test_a_node_that_is_not_below_the_one_that_holds_it(self, child: dict[str, Any]) -> None:
        with pytest.raises(FormatError, match="is listed below /d"):
            merged(answer(node("/d", None, dir=True, nodes=[child])))

    def test_a_child_without_a_name(self) -> None:
        with pytest.raises(FormatError, match="/ is listed below /"):
            merged(answer({"value": "nameless", "createdIndex": 1, "modifiedIndex": 1}))

    def test_values(self) -> None:
        found = merged(answer(node("/null", None), node("/empty", ""), node("/text", "\u0000\U0001f600\ufffd")))
        assert {name: given.value for name, given in found.items()} == {
            "null": "",
            "empty": "",
            "text": "\u0000\U0001f600\ufffd",
        }

    def test_too_deep(self) -> None:
        assert merged({"node": node("/d" * 900)})
        with pytest.raises(FormatError, match="more than 1000 directories deep"):
            merged({"node": node("/d" * 1002)})


class TestBadDumps:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ('{"errorCode":100,"message":"Key not found","cause":"/a","index":7}', "error 100: Key not found"),
            ('{"action":"get"}', "has no member node"),
            ("{}", "has no member node"),
            ("[]", "Expected `object`"),
            ('{"node": 7}', "Expected `object"),
            ('{"node":{"key":"/a","createdIndex":-1,"modifiedIndex":1}}', "Expected `int` >= 0"),
            ('{"node":{"key":"/a","createdIndex":1.5,"modifiedIndex":1}}', "Expected `int`"),
            ('{"node":{"key":"/a","value":"x"}}', "has no createdIndex or modifiedIndex"),
            ('{"node":{"key":"/a","createdIndex":99999999999999999999999,"modifiedIndex":1}}', "int"),
            ('{"node":{"key":"/a","createdIndex":1,"modifiedIndex":1,"expiration":"soon"}}', "has expiration 'soon'"),
            ('{"action":"get","node":{"dir":true,"nodes":[{"key":"/a"', "truncated"),
            ('{"node":{"key":"/a","value":"\\ud800","createdIndex":1,"modifiedIndex":1}}', "surrogate"),
            ("{" * 3, "JSON"),
            ('{"node":' + '{"nodes":[' * 5000, "nested too deep|truncated|recursion"),
        ],
    )
    def test_refused_by_name(self, text: str, words: str, tmp_path: Path) -> None:
        path = tmp_path / "dump.json"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(FormatError, match=words) as caught, read_v2([path], ReadOptions()):
            pass
        assert str(path) in caught.value.message
        done = invoke("convert", path, "--dry-run")
        assert (done.exit_code, done.stdout) == (10, "")

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "dump.json"
        path.write_bytes(b'{"node":{"key":"/\xff","value":"x","createdIndex":1,"modifiedIndex":1}}')
        assert invoke("v2", "export", path).exit_code == 10

    def test_an_empty_store(self, tmp_path: Path) -> None:
        (path,) = saved(tmp_path, {"action": "get", "node": {"dir": True}})
        for command in (("v2", "export", path), ("convert", path, "--dry-run")):
            done = invoke(*command)
            assert (done.exit_code, "holds no v2 keys" in done.stderr) == (3, True)

    def test_a_byte_order_mark_is_no_harm(self, tmp_path: Path) -> None:
        path = tmp_path / "dump.json"
        path.write_bytes(b"\xef\xbb\xbf" + json.dumps(answer(node("/a"))).encode())
        assert invoke("v2", "export", path).exit_code == 0
