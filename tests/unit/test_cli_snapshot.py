"""``snapshot status`` and ``snapshot verify``: held against what the real tools said of the same files."""

from __future__ import annotations

import json

import pytest
from support import samples
from support.cli import invoke

from etcdtool.cli.text import human_size

SNAPSHOTS = [
    ("v3/3.4/snapshot.db.gz", "offline_snapshot"),
    ("v3/3.5/snapshot.db.gz", "offline_snapshot"),
    ("v3/3.6/snapshot.db.gz", "offline_snapshot"),
    ("v3/3.7/snapshot.db.gz", "offline_snapshot"),
]
GOOD = "v3/3.7/snapshot.db.gz"


def etcdutl(name: str, section: str) -> dict[str, object]:
    answers = samples.expected(name.rpartition("/")[0])[section]
    return dict(answers["etcdutl-3.7 snapshot status"]["json"])


@pytest.mark.parametrize(("name", "section"), SNAPSHOTS)
def test_status_is_that_of_etcdutl_in_every_form(name: str, section: str) -> None:
    theirs = etcdutl(name, section)
    # etcdutl 3.7 was recorded with -w json; the other forms are made from these figures by its printers
    assert invoke("snapshot", "status", samples.unpack(name), "-w", "json").stdout == (
        json.dumps(theirs, separators=(",", ":")) + "\n"
    )
    cells = [
        f"{theirs['hash']:x}",
        str(theirs["revision"]),
        str(theirs["totalKey"]),
        human_size(int(str(theirs["totalSize"]))),
        str(theirs["version"]),
    ]
    assert invoke("snapshot", "status", samples.unpack(name)).stdout == ", ".join(cells) + "\n"
    assert invoke("snapshot", "status", samples.unpack(name), "-w", "fields").stdout == (
        f'"Hash" : {theirs["hash"]}\n"Revision" : {theirs["revision"]}\n"Keys" : {theirs["totalKey"]}\n'
        f'"Size" : {theirs["totalSize"]}\n"Version" : {theirs["version"]}\n'
    )
    table = invoke("snapshot", "status", samples.unpack(name), "-w", "table").stdout.splitlines()
    assert [cell.strip() for cell in table[3].strip("│").split("│")] == cells
    assert table[1].replace(" ", "") == "│HASH│REVISION│TOTALKEYS│TOTALSIZE│VERSION│"


def test_status_of_damaged_pages_fails_like_etcdutl() -> None:
    name = "damaged/snapshots/leaf-flags.db.gz"
    recorded = samples.expected("damaged/snapshots")["variants"]["leaf-flags"]["tools"]["etcdutl-3.7 snapshot status"]
    done = invoke("snapshot", "status", samples.unpack(name))
    assert recorded["rc"] != 0
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: snapshot file integrity check failed.")


@pytest.mark.parametrize("words", [["snapshot", "verify"], ["verify"]])
def test_a_good_snapshot_is_good(words: list[str]) -> None:
    path = samples.unpack(GOOD)
    done = invoke(*words, path)
    assert (done.exit_code, done.stdout) == (0, f"{path}: good (0 errors, 0 warnings, 0 notes)\n")


@pytest.mark.parametrize("form", ["simple", "table", "fields", "json"])
def test_a_bad_snapshot_is_named_in_every_form(form: str) -> None:
    done = invoke("snapshot", "verify", samples.unpack("damaged/snapshots/leaf-value-bit.db.gz"), "-w", form)
    assert done.exit_code == 3
    assert "container.sha256-mismatch" in done.stdout
    if form == "json":
        report = json.loads(done.stdout)
        assert (report["good"], report["counts"]["error"]) == (False, 1)


def test_a_table_of_findings_fits_80_columns() -> None:
    path = samples.packed("damaged/snapshots/leaf-value-bit.db.gz")
    lines = invoke("snapshot", "verify", path, "-w", "table").stdout.splitlines()
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize("verb", [["snapshot", "status"], ["snapshot", "verify"], ["verify"]])
def test_what_is_no_database_is_refused_in_one_line(verb: list[str]) -> None:
    done = invoke(*verb, samples.packed("v2-rich/3.4/expected.json"))
    assert done.exit_code in {1, 10}
    assert (done.stdout, len(done.stderr.splitlines())) == ("", 1)


def test_the_file_stays_as_it_is() -> None:
    path = samples.unpack(GOOD)
    before = samples.hashes(path)
    for verb in ("status", "verify"):
        invoke("snapshot", verb, path)
    assert samples.hashes(path) == before


@pytest.mark.parametrize("name", samples.databases("damaged/snapshots"))
def test_status_of_every_damaged_sample_answers_or_fails_as_etcdutl_does(name: str) -> None:
    variant = name.rpartition("/")[2].removesuffix(".db.gz")
    recorded = samples.expected("damaged/snapshots")["variants"][variant]["tools"]["etcdutl-3.7 snapshot status"]
    done = invoke("snapshot", "status", samples.unpack(name), "-w", "json")
    if recorded["rc"] == 0:
        assert (done.exit_code, json.loads(done.stdout)) == (0, recorded["json"])
    else:  # 2 is a panic of Go's
        assert (done.exit_code, done.stdout) == (1, "")
