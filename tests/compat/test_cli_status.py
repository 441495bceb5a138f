"""``etcdtool snapshot status`` and the real ``etcdutl snapshot status``, byte for byte, and exit code for exit code."""

from __future__ import annotations

import subprocess

import pytest
from support import real, samples
from support.cli import invoke

FORMS = ["simple", "table", "json", "fields"]
FILES = ["v3/3.4/snapshot.db.gz", "v3/3.7/snapshot.db.gz", "v2-migrated/3.4/snapshot.db.gz", "k8s/3.6/snapshot.db.gz"]


def etcdutl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(real.program("etcdutl", "3.7")), *words], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FILES)
def test_every_form_is_printed_alike(name: str, form: str) -> None:
    words = ["snapshot", "status", str(samples.unpack(name)), "-w", form]
    theirs, ours = etcdutl(*words), invoke(*words)
    assert (ours.exit_code, ours.stdout) == (theirs.returncode, theirs.stdout)


@pytest.mark.parametrize(
    "words",
    [
        ["snapshot", "status"],
        ["snapshot", "status", "a", "b"],
        ["snapshot", "status", "/no/such/file"],
        ["snapshot", "status", "/"],
        ["snapshot", "status", "--no-such-flag", "a"],
        ["snapshot", "status", "{good}", "-w", "yaml"],
        ["snapshot", "status", "{damaged}"],
    ],
    ids=" ".join,
)
def test_failures_have_its_exit_codes(words: list[str]) -> None:
    good = str(samples.unpack(FILES[0]))
    damaged = str(samples.unpack("damaged/snapshots/branch-key-bit.db.gz"))
    words = [word.format(good=good, damaged=damaged) for word in words]
    theirs, ours = etcdutl(*words), invoke(*words)
    assert ours.exit_code == theirs.returncode, theirs.stderr
    assert ours.stdout == ""
    assert ours.stderr.startswith("Error: ")
