"""``wal dump`` beside the real etcd-dump-logs, entry by entry, on the logs of all samples."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from support import real, samples
from support.cli import invoke
from support.programs import program
from support.writers import Writer

if TYPE_CHECKING:
    import random
    from pathlib import Path

LOGS = [
    pytest.param(name, marks=[] if name.startswith(("v3/", "v2-rich/", "v2-cluster/")) else [pytest.mark.full])
    for name in samples.archives()
    if not name.startswith("damaged/") or "good" in name
]
SECRET = re.compile(r'(password|hashedPassword|simple_token):"(?:[^"\\]|\\.)*"')
EXCERPT = '"..."'


def theirs(data_dir: Path, *words: str) -> tuple[list[str], str] | None:
    """Give the lines of entries, and all it printed; None where it does not open the log."""
    done = real.run(program("etcd-dump-logs", "dump"), *words, data_dir, timeout=60)
    if done.returncode != 0:
        return None
    lines = done.stdout.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("term\t"))
    return [line for line in lines[start + 1 :] if re.match(r" *\d+\t", line)], done.stdout


def ours(data_dir: Path, *words: str) -> list[str]:
    done = invoke("wal", "dump", data_dir, "--values", *words)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("term\t"))
    return lines[start + 1 : -1]


def comparable(line: str) -> str:
    """Give a line without what the two show otherwise: secrets, a change's context, the marks of v2 requests."""
    line = SECRET.sub(r"\1:removed", line.rstrip())
    if "\tconf\t" in line:
        return line.partition(" context=")[0]
    if "\tnorm\tmethod=" in line:
        found = re.match(r'(.*\tmethod=\w*(?: path="[\x20-\x7e]*?")?)(?: |$)', line)
        return found[1] if found else line[:40]
    return line


def hold_same(data_dir: Path, *words: str) -> int:
    found = theirs(data_dir, *words)
    if found is None:
        return 0
    mine = {line.split("\t")[1].strip(): line.removesuffix("\t(not committed)") for line in ours(data_dir)}
    for line in found[0]:
        index = line.split("\t")[1].strip()
        if EXCERPT in line or not line.isascii():
            assert mine[index].split("\t")[:3] == line.split("\t")[:3]
            continue
        assert comparable(mine[index]) == comparable(line)
    return len(found[0])


@pytest.mark.parametrize("name", LOGS)
def test_entries_are_those_of_etcd_dump_logs(name: str) -> None:
    data_dir = samples.unpack(name)
    if not list(data_dir.rglob("*.wal")):
        assert invoke("wal", "dump", data_dir).exit_code == 1
        return
    compared = hold_same(data_dir, "-start-index", "0") or hold_same(data_dir)
    assert compared or name.startswith(("v2-migrated", "upgrade", "v2-rich/3.4/backup", "discovery")), (
        "nothing compared"
    )


@pytest.mark.parametrize("types", ["ConfigChange", "IRRPut", "IRRDeleteRange,IRRTxn", "IRRCompaction", "IRRLeaseGrant"])
def test_types_choose_the_same_entries(types: str) -> None:
    data_dir = samples.unpack("v3/3.6/data.tar.gz")
    found = theirs(data_dir, "-start-index", "0", "-entry-type", types)
    assert found is not None
    assert found[0]
    assert [comparable(line) for line in ours(data_dir, "--type", types)] == [comparable(line) for line in found[0]]


ANSWERS = {
    "as upstream's": "('OK|' if len(data) >= 20 else 'ERROR|') + data",
    "no status": "data",
    "nothing": "''",
    "more bars": "'OK|a|' + data + '|b|'",
    "a bar": "'|'",
}


@pytest.mark.parametrize(
    ("name", "answer", "types"),
    [
        *(("v3/3.6/data.tar.gz", answer, ()) for answer in ANSWERS),
        ("v3/3.6/data.tar.gz", "as upstream's", ("entry-type", "IRRPut,ConfigChange")),
        ("v2-rich/3.4/data-clean.tar.gz", "as upstream's", ()),
        *(
            pytest.param(name, "as upstream's", (), marks=pytest.mark.full)
            for name in samples.archives()
            if name.startswith(("v3/", "v2-rich/", "v2-cluster/")) and not name.endswith("backup.tar.gz")
        ),
    ],
)
def test_a_decoder_is_handed_and_says_the_same(name: str, answer: str, types: tuple[str, ...], tmp_path: Path) -> None:
    """Decode with what upstream's ``testdecoder`` scripts do: digits become letters, short lines are errors."""
    decoder = tmp_path / "decoder.py"
    decoder.write_text(
        "import sys\n"
        "for line in iter(sys.stdin.readline, ''):\n"
        "    data = line[:-1]\n"
        f"    answer = {ANSWERS[answer]}\n"
        "    print(answer.translate(str.maketrans('1234567890', 'abcdefghij')), flush=True)\n"
    )
    data_dir, command = samples.unpack(name), f"{sys.executable} -S {decoder}"
    words = ["-stream-decoder", command, *([f"-{types[0]}", types[1]] if types else [])]
    found = theirs(data_dir, "-start-index", "0", *words) or theirs(data_dir, *words)
    assert found is not None
    assert found[0]
    assert "\tdata\tdecoder_status\tdecoded_data\n" in found[1]
    lines = ours(data_dir, *(f"-{word}" if word.startswith("-") else word for word in words))
    mine = {line.split("\t")[1].strip(): line.removesuffix("\t(not committed)") for line in lines}
    for line in found[0]:
        entry, *cells = line.rsplit("\t", 2)
        shown, *said = mine[entry.split("\t")[1].strip()].rsplit("\t", 2)
        assert said == cells
        if EXCERPT not in entry and entry.isascii():
            assert comparable(shown) == comparable(entry)
    if types:
        assert len(mine) == len(found[0])


def test_records_are_those_of_the_raw_form() -> None:
    data_dir = samples.unpack("v3/3.6/data.tar.gz")
    done = real.run(program("etcd-dump-logs", "dump"), "-raw", data_dir)
    raw = done.stdout.rstrip("\n").split("\n")
    mine = invoke("wal", "dump", data_dir, "--raw", "--values").stdout.rstrip("\n").split("\n")
    assert raw[-1].startswith("EOF")
    assert len(mine) == len(raw) - 1
    for line, other in zip(mine, raw, strict=False):
        text = line.partition("\t")[2]
        kind, _, rest = other.partition(": ")
        assert text.startswith(f"{kind}: ")
        if kind == "Entry":
            wanted = re.sub(r" Type:EntryConfChange", " Type:1", other)
            assert text.rstrip() == wanted.rstrip()
        elif kind in {"CRC", "Metadata"}:
            assert text.split() == other.split()
        elif kind == "HardState":
            assert all(part in text for part in rest.split())


@pytest.mark.parametrize(
    "version", ["3.7", *(pytest.param(one, marks=pytest.mark.full) for one in ("3.4", "3.5", "3.6"))]
)
def test_the_log_of_a_random_history(version: str, rng: random.Random, tmp_path: Path) -> None:
    rng.seed(f"{rng.random()} {version} wal")
    with real.Server(version, tmp_path / "data") as server:
        writer = Writer(server, rng)
        for _ in range(60):
            writer.change()
        server.stop()
    assert hold_same(tmp_path / "data", "-start-index", "0") > 60
    verified = invoke("wal", "verify", tmp_path / "data")
    assert verified.exit_code == 0, verified
