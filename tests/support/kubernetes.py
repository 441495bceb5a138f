#!/usr/bin/env python3
"""What Kubernetes' own Go types make of objects, and the descriptor set of these types.

As a script it writes ``etcdtool/model/kubernetes/go_fields.py`` anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not __package__:  # started as a script: the folder of the package is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.processes import run
from support.programs import UnavailableError, cache_dir, locked, program

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
GO_FIELDS = ROOT / "etcdtool" / "model" / "kubernetes" / "go_fields.py"
HOW_TO = ROOT / "docs" / "how-to" / "get-a-kubernetes-object-back.md"
VERSION = "v0.37.2"


@dataclass(frozen=True, slots=True)
class Stored:
    """An object: its key ("" of a random one), the value an API server stores, and the JSON it reads from there."""

    key: str
    value: bytes
    document: dict[str, Any]

    @classmethod
    def parse(cls, line: str) -> Stored:
        found = json.loads(line)
        return cls(found.get("key", ""), base64.b64decode(found["value"]), found["json"])


@cache
def objects() -> tuple[Stored, ...]:
    """Give the objects of tests/tools/kubernetes/objects.yaml, encoded by Kubernetes' own types."""
    return tuple(map(Stored.parse, _ask("objects")))


def random_objects(seed: int, count: int) -> list[Stored]:
    """Give `count` objects of every kind there is, filled at random."""
    return list(map(Stored.parse, _ask("random", str(seed), str(count))))


def encrypt(config: Path, values: Iterable[tuple[str, str, bytes]]) -> list[bytes]:
    """Encrypt values, each with its resource and key, as an API server started with that file does."""
    lines = [
        json.dumps({"resource": resource, "key": key, "value": base64.b64encode(value).decode()})
        for resource, key, value in values
    ]
    answers = _ask("encrypt", str(config), stdin="\n".join(lines))
    return [base64.b64decode(json.loads(answer)["value"]) for answer in answers]


def read_manifests(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Read YAML as kubectl does: `json` is what it holds, `error` what an API server would not take."""
    lines = "\n".join(json.dumps({"yaml": text}) for text in texts)
    return [json.loads(answer) for answer in _ask("manifests", stdin=lines)]


@cache
def descriptor_set() -> Path:
    """Give the descriptor set of k8s.io/api, made once by the very lines of the how-to page."""
    script = HOW_TO.read_text(encoding="utf-8").split("```sh descriptor-set\n", 1)[1].split("```", 1)[0]
    assert VERSION in script
    made_by = hashlib.sha256(script.encode()).hexdigest()[:16]
    target = cache_dir() / "real" / f"descriptors-{VERSION}-{made_by}" / "kubernetes.binpb"
    if target.is_file():
        return target
    if shutil.which("go") is None:
        raise UnavailableError("no go on the PATH; the descriptor set is made of Go modules")
    with locked(target.parent.with_suffix(".lock")):
        if not target.is_file():
            _make_descriptor_set(script, target)
    return target


def _make_descriptor_set(script: str, target: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=folder,
            env=os.environ | {"PATH": path, "GOFLAGS": "", "GOWORK": "off"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode != 0:
            raise UnavailableError(f"the descriptor set can't be made: {done.stderr.strip()[-600:]}")
        (Path(folder) / target.name).rename(target)


def go_fields() -> str:
    """Give the text of the module that tells how Go writes fields."""
    lines = []
    for line in _ask("fields"):
        lines += textwrap.wrap(line, 118, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)
    return _HEAD.format(version=VERSION) + "\n".join(lines) + '\n"""\n'


_HEAD = '''"""How Go writes the fields of Kubernetes' types as JSON, where their protobuf does not tell.

Written by tests/support/kubernetes.py from the types of k8s.io/api {version}.
"""

from __future__ import annotations

from functools import cache

__all__ = ["go_fields"]


@cache
def go_fields() -> dict[str, dict[int, tuple[str, str]]]:
    """Return message -> number of a field -> how it is written and its name in JSON ("": that of the protobuf).

    How: a value of `etcdtool.model.kubernetes.schema.Written`.  All messages are there, those without such fields too.
    """
    found: dict[str, dict[int, tuple[str, str]]] = {{}}
    fields: dict[int, tuple[str, str]] = {{}}
    for line in _TABLE.splitlines():
        words = line.split()
        if not line.startswith(" "):
            fields = found.setdefault(words.pop(0), {{}})
        for word in words:
            number, _, rest = word.partition(":")
            how, _, name = rest.partition("=")
            fields[int(number)] = how, name
    return found


_TABLE = """\\
'''


def _ask(*words: str, stdin: str | None = None) -> list[str]:
    text = run(program("kubernetes", "kubernetes"), *words, stdin=stdin, check=True).stdout
    return text.removesuffix("\n").split("\n")  # splitlines knows more ends of lines than JSON escapes


if __name__ == "__main__":
    GO_FIELDS.write_text(go_fields(), encoding="utf-8")
