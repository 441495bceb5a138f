"""``etcdtool defrag`` beside the real ones: equal content, and real servers and tools find nothing wrong with it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support import real, restored, samples
from support.booted import boot
from support.cli import invoke

VERSIONS = ["3.4", "3.5", "3.6", "3.7"]
WITH_ETCDUTL = ["3.5", "3.6", "3.7"]


def data_of(version: str) -> str:
    return f"v3/{version}/data.tar.gz"


def is_good(path: Path) -> bool:
    done = subprocess.run([real.bbolt(), "check", path], capture_output=True, text=True, check=False, timeout=60)
    return (done.returncode, done.stdout) == (0, "OK\n")


@cache
def served_before(version: str) -> Any:
    folder = Path(samples.unpack(data_of(version))).parent / f"served by {version}"
    return boot(version, samples.fresh(data_of(version), folder))


@pytest.mark.parametrize("version", WITH_ETCDUTL)
def test_the_content_is_that_of_the_real_one(version: str, tmp_path: Path) -> None:
    ours, theirs = (samples.fresh(data_of(version), tmp_path / name) for name in ("ours", "theirs"))
    real.run(real.program("etcdutl", version), "defrag", "--data-dir", theirs, check=True)
    assert invoke("defrag", "--data-dir", ours).exit_code == 0
    assert restored.buckets(ours) == restored.buckets(theirs)
    sizes = [(folder / restored.DB).stat().st_size for folder in (ours, theirs)]
    assert sizes[0] <= sizes[1]


@pytest.mark.parametrize("version", VERSIONS)
def test_real_programs_find_nothing_wrong(version: str, tmp_path: Path) -> None:
    folder = samples.fresh(data_of(version), tmp_path)
    database = folder / restored.DB
    before = [status(database, tool) for tool in WITH_ETCDUTL]
    assert invoke("defrag", "--data-dir", folder, "--no-keep").exit_code == 0
    assert is_good(database)
    assert [status(database, tool) for tool in WITH_ETCDUTL] == before
    assert boot(version, folder) == served_before(version)
    # the server has written into it meanwhile
    assert is_good(database)
    assert invoke("defrag", "--data-dir", folder).exit_code == 0
    assert is_good(database)


def status(path: Path, version: str) -> str:
    """Give hash, revision and keys."""
    done = real.run(real.program("etcdutl", version), "snapshot", "status", path, check=True)
    return ",".join(done.stdout.split(",")[:3])


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_a_defragmented_snapshot_is_restored_by_the_real_one(version: str, tmp_path: Path) -> None:
    source = samples.unpack(f"v3/{version}/snapshot.db.gz")
    assert invoke("defrag", source, "-o", tmp_path / "small.db").exit_code == 0
    for name, snapshot in (("small", tmp_path / "small.db"), ("whole", source)):
        real.restore(version, snapshot, tmp_path / name)
    assert restored.buckets(tmp_path / "small") == restored.buckets(tmp_path / "whole")


CALLS = [
    ["defrag"],
    ["defrag", "--data-dir", "/no/such/folder"],
    ["defrag", "--no-such-flag"],
    ["--timeout", "x", "defrag", "--data-dir", "{dir}"],
    ["defrag", "--timeout=1s", "--data-dir", "{dir}"],
]


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_exit_codes_are_etcdutl_s(words: list[str], tmp_path: Path) -> None:
    theirs = samples.fresh(data_of("3.7"), tmp_path / "theirs")
    ours = samples.fresh(data_of("3.7"), tmp_path / "ours")
    done = real.run(real.program("etcdutl", "3.7"), *(word.format(dir=theirs) for word in words))
    said = invoke(*(word.format(dir=ours) for word in words))
    assert said.exit_code == done.returncode, done.stderr
    if "/no/such/folder" in words:
        line = next(line for line in done.stderr.splitlines() if line.startswith("Error: "))
        assert said.stderr.startswith(line.removesuffix(")"))


def test_a_running_server_is_left_alone(tmp_path: Path) -> None:
    with real.Server("3.7", tmp_path / "data") as server:
        server.etcdctl("put", "a", "b")
        done = invoke("--timeout=200ms", "defrag", "--data-dir", tmp_path / "data")
        assert (done.exit_code, done.stdout) == (1, "")
        assert "is locked by a running process" in done.stderr
        assert invoke("compact", "--rev=2", "--data-dir", tmp_path / "data").exit_code == 1
        assert server.etcdctl("get", "a", "--print-value-only").stdout == "b\n"
    assert invoke("defrag", "--data-dir", tmp_path / "data").exit_code == 0
