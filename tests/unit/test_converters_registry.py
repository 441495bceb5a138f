"""Finding converters: by name among the installed ones, and in files."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support import samples
from support.nodes import directory, file, from_answers

from etcdtool.errors import UsageError
from etcdtool.model.conversion import ConversionContext, Converter, Put
from etcdtool.operations import converters
from etcdtool.operations.converters import list_converters, load_chain, load_converter
from etcdtool.operations.tokens import list_tokens

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = """
from etcdtool.model.conversion import Put, Skipped

class Mine:
    name = "mine"
    summary = "for a test"

    def claims(self, node):
        return node.path.startswith(b"/mine")

    def convert(self, nodes, context):
        for node in nodes:
            yield Skipped(node=node, reason="mine")
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def to_file(text: str) -> str:
        path = tmp_path / "my_converter.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return to_file


def offer(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Install more entry points for a moment."""
    real = list(importlib.metadata.entry_points(group=converters.GROUP))
    more = [importlib.metadata.EntryPoint(name, value, converters.GROUP) for name, value in values.items()]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [*real, *more])


def test_the_usual_chain_is_installed_in_its_order() -> None:
    assert [converter.name for converter in load_chain()] == ["discovery", "keys"]
    assert [info.name for info in list_converters()][:2] == ["discovery", "keys"]
    assert all(info.summary and not info.problem for info in list_converters()[:2])


def test_the_order_given_is_the_order_of_the_chain(write: Callable[[str], str]) -> None:
    chain = load_chain(["keys", write(GOOD), "discovery"])
    assert [converter.name for converter in chain] == ["keys", "mine", "discovery"]
    assert all(isinstance(converter, Converter) for converter in chain)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no converter 'key'\. There are: discovery, keys") as caught:
        load_converter("key")
    assert caught.value.exit_code == 2


def test_a_name_that_is_a_file_here_gets_a_hint(write: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.path.dirname(write(GOOD)))  # noqa: PTH120  a plain string
    with pytest.raises(UsageError, match=r"give \./my_converter\.py"):
        load_converter("my_converter")
    assert load_converter("./my_converter.py").name == "mine"
    assert load_converter("my_converter.py").name == "mine"


def test_a_name_given_twice_is_refused(write: Callable[[str], str]) -> None:
    with pytest.raises(UsageError, match="are named 'keys'"):
        load_chain(["keys", "keys"])
    with pytest.raises(UsageError, match="are named 'keys'"):
        load_chain(["keys", write(GOOD.replace('"mine"', '"keys"'))])
    with pytest.raises(UsageError, match="no converter was given"):
        load_chain([])


def test_an_object_is_taken_before_its_class(write: Callable[[str], str]) -> None:
    path = write(GOOD + "\nconverter = Mine()\nconverter.name = 'configured'\nsame = converter\n")
    assert load_converter(path).name == "configured"


def test_imported_classes_and_private_ones_do_not_count(write: Callable[[str], str]) -> None:
    text = "from etcdtool.converters.keys import KeysConverter\n" + GOOD + "\nclass _Base(Mine): pass\nAlias = Mine\n"
    assert load_converter(write(text)).name == "mine"


def test_a_subclass_of_ours_is_a_converter(write: Callable[[str], str]) -> None:
    path = write(
        "from etcdtool.converters.discovery import DiscoveryConverter\n"
        "class Elsewhere(DiscoveryConverter):\n    name = 'elsewhere'\n    root = b'/discovery'\n"
    )
    assert load_converter(path).claims(file("/discovery/t"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no converter"),
        ("class A:\n def claims(self, node): ...", "holds no converter: class A has no convert"),
        (GOOD + "\nclass Other(Mine): name = 'other'", "holds 2 converters: Mine, Other"),
        (GOOD.replace("name = ", "title = "), "converter Mine in .* has no name"),
        (GOOD.replace('"for a test"', "None"), "has no summary"),
        (GOOD + "\n    def __init__(self, x): ...", "cannot be made: .*missing 1 required"),
        ("import nowhere_at_all", "line 1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("x = 1\n\nraise ValueError('two\\nlines')", "line 3: ValueError: two lines"),
        ("x = 1\ny = = 2", "line 2: SyntaxError: invalid syntax"),
        ("import sys\nsys.exit(0)", "line 2: SystemExit: 0"),
        ("def f(): f()\nf()", "line 1: RecursionError"),
        ("\x00", "cannot be loaded"),
        ("(" * 5000 + ")" * 5000, "cannot be loaded"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(write: Callable[[str], str], text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_converter(write(text))


@pytest.mark.parametrize("path", ["./there-is-none.py", "no/such/folder/x", "./", "\x00.py"])
def test_a_file_that_cannot_be_read_says_why(path: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_converter(path)


def test_a_file_that_failed_can_be_mended_and_loaded_again(write: Callable[[str], str]) -> None:
    before = set(sys.modules)
    with pytest.raises(UsageError):
        load_converter(write("import nowhere_at_all"))
    assert set(sys.modules) == before
    assert load_converter(write(GOOD)).name == "mine"


def test_a_dataclass_in_the_file_finds_its_module(write: Callable[[str], str]) -> None:
    path = write(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n"
        "@dataclass\nclass Mine:\n    name: ClassVar[str] = 'mine'\n    summary: str = 's'\n"
        "    def claims(self, node): return True\n    def convert(self, nodes, context): yield from ()\n"
    )
    assert load_converter(path).summary == "s"


def test_nothing_is_written_beside_the_file(write: Callable[[str], str], tmp_path: Path) -> None:
    load_converter(write(GOOD))
    assert [path.name for path in tmp_path.iterdir()] == ["my_converter.py"]


def test_a_broken_package_does_not_spoil_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, broken="nowhere_at_all:Thing", strange="json:dumps")
    infos = {info.name: info for info in list_converters()}
    assert list(infos) == ["discovery", "keys", "broken", "strange"]
    assert "nowhere_at_all" in infos["broken"].problem
    assert infos["strange"].problem
    with pytest.raises(UsageError, match=r"'broken' .* cannot be loaded: ModuleNotFoundError"):
        load_converter("broken")
    assert load_converter("keys").name == "keys"


def test_two_packages_with_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, keys="etcdtool.converters.discovery:DiscoveryConverter")
    with pytest.raises(UsageError, match="several converters 'keys'"):
        load_converter("keys")


def test_a_package_that_is_on_the_path_twice_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, keys="etcdtool.converters.keys:KeysConverter")
    assert [info.name for info in list_converters()].count("keys") == 1
    assert load_converter("keys").name == "keys"


def test_nothing_is_looked_up_before_it_is_asked_for() -> None:
    script = (
        "import sys, etcdtool.operations.converters, etcdtool.operations.tokens; "
        "print([m for m in sys.modules if m.startswith(('importlib.metadata', 'etcdtool.converters'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_tokens_of_the_recorded_registry_are_listed() -> None:
    expected = samples.expected("discovery-v2/3.4")
    nodes = from_answers(expected["registry"], *expected["registry_config"].values())
    states = {expected["tokens"][name].encode(): name for name in expected["tokens"]}
    assert {states[view.token]: (view.size, view.state) for view in list_tokens(nodes)} == {
        "full3": (3, "complete"),
        "partial5": (5, "waiting 2 of 5"),
        "unused": (7, "unused"),
        "by23": (1, "complete"),
        "by35": (1, "complete"),
        "http": (3, "waiting 2 of 3"),
        "default": (3, "unused"),
    }
    (full3,) = [view for view in list_tokens(nodes) if view.token == expected["tokens"]["full3"].encode()]
    assert [(m.name, m.v2_id, m.created_index) for m in full3.members] == [
        ("full1", "e8ac7c8125c36478", 15),
        ("full0", "bc6f900c3f9798ef", 16),
        ("full2", "a7c6c5b9c6e809ce", 17),
    ]


def test_what_is_listed_is_what_is_converted() -> None:
    expected = samples.expected("discovery-v2/3.4")
    nodes = from_answers(expected["registry"], *expected["registry_config"].values())
    puts = [o for o in load_converter("discovery").convert(nodes, ConversionContext()) if isinstance(o, Put)]
    listed = {
        b"/_etcd/registry/" + view.v3_token + b"/members/" + member.v3_id.encode()
        for view in list_tokens(nodes)
        for member in view.members
        if not member.problem
    }
    assert listed == {put.key for put in puts if b"/members/" in put.key}


def test_listing_takes_a_whole_store_and_its_clock() -> None:
    nodes = [
        file("/other"),
        directory("/_etcd/registry/t"),
        file("/_etcd/registry/t/_config/size", "2"),
        file("/_etcd/registry/t/1", "a=http://a:1", expires=50),
    ]
    (before,) = list_tokens(nodes, as_of=49)
    (after,) = list_tokens(nodes, as_of=50, tokens={"t": "u"})
    assert (before.state, after.state, after.v3_token) == ("waiting 1 of 2", "unused", b"u")
    assert "discovery.registration-expired" in [finding.code for finding in after.problems]


def test_listing_needs_a_converter_that_describes() -> None:
    with pytest.raises(UsageError, match="none of the converters reads a discovery registry"):
        list_tokens([], converters=["keys"])


def test_the_examples_of_the_how_to_work(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "how-to" / "write-a-converter.md").read_text(encoding="utf-8")
    legacy, ours = (block.partition("```")[0] for block in text.split("```python\n")[1:])
    (tmp_path / "legacy.py").write_text(legacy, encoding="utf-8")
    (tmp_path / "ours.py").write_text(ours, encoding="utf-8")
    chain = load_chain([str(tmp_path / "legacy.py"), str(tmp_path / "ours.py"), "keys"])
    nodes = [directory("/legacy"), file("/legacy/a", "12"), file("/legacy/b", "x")]
    assert all(chain[0].claims(node) for node in nodes)
    outcomes = [type(outcome).__name__ for outcome in chain[0].convert(nodes, ConversionContext())]
    assert outcomes == ["Skipped", "Put", "Skipped", "Finding"]
    assert chain[1].claims(directory("/discovery"))
