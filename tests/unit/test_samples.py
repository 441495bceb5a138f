"""Every sample is what its manifest and the real server's record say."""

from __future__ import annotations

import runpy
import tomllib
from typing import Any

import pytest
from support import samples

MANIFEST: dict[str, dict[str, Any]] = tomllib.loads(samples.packed("MANIFEST.toml").read_text(encoding="utf-8"))
RECORDED = [name for name in MANIFEST if name.endswith((".tar.gz", ".db.gz"))]
OWN = {"MANIFEST.toml", "README.md"}


def test_manifest_names_every_file() -> None:
    there = {str(path.relative_to(samples.SAMPLES_DIR)) for path in samples.SAMPLES_DIR.rglob("*") if path.is_file()}
    assert {name for name in there if not name.endswith((".py", ".pyc"))} - OWN == set(MANIFEST)


def test_files_are_what_the_manifest_says() -> None:
    for name, facts in MANIFEST.items():
        assert samples.packed(name).stat().st_size == facts["size"], name
        assert samples.sha256(samples.packed(name)) == facts["sha256"], name


def test_manifest_is_what_its_script_writes() -> None:
    script = runpy.run_path(str(samples.packed("manifest.py")))
    assert script["manifest"]() == samples.packed("MANIFEST.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", RECORDED)
def test_unpacked_bytes_are_what_was_recorded(name: str) -> None:
    unpacked = samples.unpack(name)
    folder, _, file = name.rpartition("/")
    record = _record(samples.expected(folder), file)
    if "files" in record:
        recorded = {entry["path"]: entry["sha256"] for entry in record["files"]}
        assert samples.hashes(unpacked) == recorded
    else:
        assert unpacked.stat().st_size == record["size_unpacked"]
        assert samples.sha256(unpacked) == record["sha256_unpacked"]


def test_holes_stay_holes() -> None:
    preallocated = next(samples.unpack("v2-only-wal/3.4/data.tar.gz").rglob("*.wal")).stat()
    assert preallocated.st_blocks * 512 < preallocated.st_size / 10


def _record(node: Any, file: str) -> dict[str, Any]:
    if isinstance(node, dict):
        if file in (node.get("archive"), node.get("file")):
            return node
        for child in node.values():
            if found := _record(child, file):
                return found
    return {}
