"""No command changes what it reads, whatever comes out: every one is run on sound and damaged inputs of every kind.

A command that is not in `WORDS` fails the suite.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click
import pytest
from support import samples
from support.cli import invoke
from support.faults import copy_dir

from etcdtool.cli.root import root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SNAPSHOTS = ("good.db", "damaged.db", "sealed.db", "cut.db", "good.db.gz", "copied")
V3_DIRS = ("v3.etcd", "v3.tar.gz")
V2_DIRS = ("v2.etcd", "torn.etcd", "flipped.etcd")
EVERYTHING = (*SNAPSHOTS, *V3_DIRS, *V2_DIRS, "one.snap", "keys.json.gz")
WORDS: dict[str, list[tuple[list[str], tuple[str, ...]]]] = {
    "convert": [(["{input}", "-o", "{new}"], EVERYTHING), (["{input}", "--dry-run"], EVERYTHING)],
    "v2 status": [(["{input}"], EVERYTHING)],
    "v2 list": [(["{input}", "-w", "json"], EVERYTHING)],
    "v2 get": [(["{input}", "/"], EVERYTHING), (["{input}", "/", "-w", "json"], V2_DIRS)],
    "v2 export": [(["{input}"], EVERYTHING)],
    "v2 check": [(["{input}"], EVERYTHING)],
    "v2 members": [(["{input}"], EVERYTHING)],
    "v2 drop": [(["{input}", "--dry-run"], EVERYTHING)],
    "snapshot status": [(["{input}"], EVERYTHING), (["{input}", "--verbose"], EVERYTHING)],
    "snapshot restore": [
        (["{input}", "--data-dir", "{new}"], EVERYTHING),
        (["{input}", "--data-dir", "{new}", "--skip-hash-check"], SNAPSHOTS),
    ],
    "snapshot verify": [(["{input}"], EVERYTHING)],
    "snapshot diff": [
        (["{input}", "{inputs}/good.db"], EVERYTHING),
        (["{inputs}/v3.etcd", "{input}", "--metadata", "-w", "json"], SNAPSHOTS),
    ],
    "snapshot salvage": [(["{input}", "-o", "{new}"], EVERYTHING)],
    "verify": [
        (["{input}"], EVERYTHING),
        (["{input}", "--live"], EVERYTHING),
        (["{input}", "--simulate-restore", "--same-as", "{inputs}/good.db"], SNAPSHOTS),
    ],
    "get": [(["{input}", "", "--prefix"], EVERYTHING), (["{input}", "marker/A", "-w", "json"], SNAPSHOTS)],
    "top": [(["{input}"], EVERYTHING), (["{input}", "--by", "kind", "--prefix", "/", "-w", "json"], SNAPSHOTS)],
    "list": [(["{input}"], EVERYTHING)],
    "history": [(["{input}", "", "--prefix"], EVERYTHING), (["{input}", "marker/A", "--index"], SNAPSHOTS)],
    "changes": [(["{input}", "--values"], EVERYTHING)],
    "deleted": [(["{input}", "--since-rev", "1"], EVERYTHING)],
    "hashkv": [
        (["{input}"], EVERYTHING),
        (["{input}", "{inputs}/good.db", "--by-prefix", "1"], SNAPSHOTS),
        (["{input}", "--from", "1600", "--to", "1641"], SNAPSHOTS),
    ],
    "defrag": [(["{input}", "-o", "{new}"], EVERYTHING)],
    "compact": [(["{input}", "-o", "{new}", "--rev", "1600"], EVERYTHING)],
    "compaction": [(["{input}", "-o", "{new}", "--rev", "1600"], EVERYTHING)],
    "wal dump": [(["{input}"], EVERYTHING), (["{input}", "--raw"], V2_DIRS)],
    "wal verify": [(["{input}"], EVERYTHING)],
    "lease list": [(["{input}", "--keys"], EVERYTHING)],
    "member list": [(["{input}", "--removed"], EVERYTHING)],
    "auth": [(["{input}"], EVERYTHING)],
    "buckets": [(["{input}"], EVERYTHING), (["{input}", "key", "--limit", "3"], SNAPSHOTS)],
    "page": [(["{input}"], EVERYTHING), (["{input}", "0", "3"], SNAPSHOTS)],
    "export": [
        (["{input}", "-o", "{new}"], EVERYTHING),
        (["{input}", "-o", "{new}", "--format", "sqlite", "--history"], SNAPSHOTS),
        (["{input}", "-o", "-", "--history"], V3_DIRS),
    ],
    "import": [(["{input}", "-o", "{new}"], (*EVERYTHING, "lines.jsonl"))],
    "k8s list": [(["{input}"], EVERYTHING)],
    "k8s restore-manifest": [
        (["{input}", "marker/A"], EVERYTHING),
        (["{input}", "/registry/configmaps/shop/prices"], ("k8s.db",)),
    ],
    "index build": [(["{input}"], EVERYTHING)],
    "index drop": [(["{input}"], EVERYTHING)],
    "check v2store": [(["--data-dir", "{input}"], EVERYTHING)],
}
WITHOUT_INPUT = {"converters", "completion", "version", "index list"}
IN_PLACE = {"migrate"}
"""Change a data dir because that is what they are asked for; their own tests say what they leave alone."""


def commands(group: click.Group, context: click.Context, *words: str) -> Iterator[str]:
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, context, *words, name)
        else:
            yield " ".join([*words, name])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Lay out one input of each kind, and hash them before and after all tests."""
    folder = tmp_path_factory.mktemp("inputs")
    snapshots = {
        "good.db": "good",
        "damaged.db": "leaf-count",
        "sealed.db": "leaf-value-bit+sealed",
        "cut.db": "truncated-half",
    }
    for name, variant in snapshots.items():
        shutil.copy(samples.unpack(f"damaged/snapshots/{variant}.db.gz"), folder / name)
    shutil.copy(samples.packed("damaged/snapshots/good.db.gz"), folder / "good.db.gz")
    shutil.copy(samples.unpack("k8s-objects/3.6/snapshot.db.gz"), folder / "k8s.db")
    shutil.copy(samples.packed("v3/3.7/data.tar.gz"), folder / "v3.tar.gz")
    shutil.copy(samples.packed("v2-rich/3.4/keys.json.gz"), folder / "keys.json.gz")
    copy_dir(samples.unpack("v3/3.7/data.tar.gz"), folder / "v3.etcd")
    shutil.copy(folder / "v3.etcd/member/snap/db", folder / "copied")
    for name, variant in {"v2": "good", "torn": "wal-cut-last", "flipped": "wal-flip-middle"}.items():
        copy_dir(samples.unpack(f"damaged/dirs/{variant}.tar.gz"), folder / f"{name}.etcd")
    shutil.copy(max((folder / "v2.etcd/member/snap").glob("*.snap")), folder / "one.snap")
    (folder / "lines.jsonl").write_text('{"key":"a","value":"b"}\n')
    before = samples.hashes(folder)
    yield folder
    assert samples.hashes(folder) == before


def states(folder: Path) -> dict[str, tuple[Any, ...]]:
    """Give what shows a write, a rename or a new file without reading 64 MB of log each time."""
    found = {}
    for path in (folder, *folder.rglob("*")):
        status = path.stat()
        found[str(path)] = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)
    return found


def test_every_command_is_here() -> None:
    assert set(commands(root, click.Context(root))) == WORDS.keys() | WITHOUT_INPUT | IN_PLACE


@pytest.mark.parametrize("name", WORDS)
def test_inputs_stay_as_they_are(name: str, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCDTOOL_CACHE_DIR", str(tmp_path / "cache"))
    before = states(inputs)
    assert {str(inputs / one) for one in EVERYTHING} <= before.keys()
    exit_codes = set()
    for words, names in WORDS[name]:
        for number, one in enumerate(names):
            places = {"input": inputs / one, "inputs": inputs, "new": tmp_path / f"{len(exit_codes)}-{number}-{one}"}
            done = invoke(*name.split(), *(word.format(**places) for word in words))
            assert states(inputs) == before, (words, one, done)
            assert "Traceback" not in done.stderr, (words, one, done)
            exit_codes.add(done.exit_code)
    assert exit_codes & {0, 3}, "the words above should suit at least one input"
