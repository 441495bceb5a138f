"""``verify`` of several sources: each gets its verdict, whatever becomes of the others, and JSON follows its schema."""

from __future__ import annotations

import copy
import itertools
import json
import os
import pty
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from support import samples
from support.cli import invoke

from etcdtool.cli import progress, snapshot_verify
from etcdtool.cli._verdicts import PRECEDENCE, Failure, Verdict, Verdicts, worst
from etcdtool.cli.progress import Shares
from etcdtool.errors import ChecksumError, UnsupportedVersionError
from etcdtool.operations.verify_source import verify_source

SCHEMA = json.loads(
    (Path(snapshot_verify.__file__).parent / "schemas" / "verify.schema.json").read_text(encoding="utf-8")
)
GOOD = "v3/3.7/snapshot.db.gz"
BAD = "damaged/snapshots/leaf-value-bit.db.gz"


def strict(schema: Any) -> Any:
    """Forbid what is not described, so that a property nobody documented is found here."""
    found = copy.deepcopy(schema)

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "properties" in node:
                node["additionalProperties"] = False
            for child in node.values():
                walk(child)

    walk(found)
    return found


VALIDATOR = Draft202012Validator(strict(SCHEMA))


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Path]:
    """Give one source for each way to end."""
    empty = tmp_path / "empty.db"
    empty.touch()
    return {
        "good": samples.unpack(GOOD),
        "bad": samples.unpack(BAD),
        "empty": empty,
        "missing": tmp_path / "missing.db",
    }


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("order", list(itertools.permutations(["good", "bad", "empty", "missing"])))
def test_each_source_gets_its_verdict_in_any_company(sources: dict[str, Path], order: tuple[str, ...]) -> None:
    done = invoke("verify", *(sources[name] for name in order), "-w", "json")
    report = json.loads(done.stdout)
    alone = {"good": 0, "bad": 3, "empty": 10, "missing": 1}
    assert [result["exit_code"] for result in report["results"]] == [alone[name] for name in order]
    assert report["sources"] == {"total": 4, "good": 1, "not_good": 1, "not_read": 2}
    assert (done.exit_code, report["exit_code"], report["good"]) == (1, 1, False)
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["Error", "Error"]


@pytest.mark.parametrize("name", samples.databases())
def test_json_follows_its_schema(name: str) -> None:
    VALIDATOR.validate(json.loads(invoke("verify", samples.unpack(name), "-w", "json").stdout))


def test_json_of_what_cannot_be_read_follows_the_schema_too(sources: dict[str, Path]) -> None:
    done = invoke("verify", *sources.values(), "-w", "json")
    document = json.loads(done.stdout)
    VALIDATOR.validate(document)
    assert [bool(result["error"]) for result in document["results"]] == [False, False, True, True]


def test_lines_name_their_source_and_the_last_one_sums_up(sources: dict[str, Path]) -> None:
    done = invoke("verify", *sources.values())
    *lines, summary = done.stdout.splitlines()
    assert lines[0] == f"{sources['good']}: good (0 errors, 0 warnings, 0 notes)"
    assert lines[1].startswith(f"{sources['bad']}: error: container.sha256-mismatch: ")
    assert lines[2] == f"{sources['bad']}: not good (1 error, 0 warnings, 0 notes)"
    assert lines[3:] == [f"{sources['empty']}: not read", f"{sources['missing']}: not read"]
    assert summary == "4 sources: 1 good, 1 not good, 2 not read (1 error, 0 warnings, 0 notes)"


def test_a_table_names_every_source(sources: dict[str, Path]) -> None:
    printed = invoke("verify", *sources.values(), "-w", "table").stdout
    findings, verdicts = printed.split("└", 1)[0], printed.rpartition("┌")[2]
    assert ("container.sha256-mismatch" in findings, "SOURCE" in findings) == (True, True)
    words = [[cell.strip() for cell in line.split("│")[2:-1]] for line in verdicts.splitlines()[3:] if "│" in line]
    assert [row for row in words if row[0]] == [
        ["good", "0", "0", "0"],
        ["not good", "1", "0", "0"],
        ["not read", "0", "0", "0"],
        ["not read", "0", "0", "0"],
    ]


def test_fields_name_every_source(sources: dict[str, Path]) -> None:
    lines = invoke("verify", *sources.values(), "-w", "fields").stdout.splitlines()
    assert [line for line in lines if line.startswith('"File"')] == [f'"File" : "{path}"' for path in sources.values()]
    assert [line for line in lines if line.startswith('"Good"')] == ['"Good" : true', *['"Good" : false'] * 3]
    assert sum(line.startswith('"Error" : "') for line in lines) == 2
    assert lines[-4:] == ['"Sources" : 4', '"Sources good" : 1', '"Sources not good" : 1', '"Sources not read" : 2']


@pytest.mark.parametrize("form", ["simple", "table", "json", "fields"])
def test_quiet_leaves_the_exit_code_and_what_could_not_be_read(sources: dict[str, Path], form: str) -> None:
    bad = invoke("verify", "--quiet", sources["good"], sources["bad"], "-w", form)
    assert (bad.exit_code, bad.stdout, bad.stderr) == (3, "", "")
    missing = invoke("verify", "-q", sources["missing"], sources["good"], "-w", form)
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr.startswith(f"Error: cannot read {sources['missing']}")


@given(st.lists(st.sampled_from(PRECEDENCE), min_size=1))
def test_the_worst_exit_code_wins_in_any_order(codes: list[int]) -> None:
    assert worst(codes) == worst(reversed(codes))
    assert all(PRECEDENCE.index(code) <= PRECEDENCE.index(worst(codes)) for code in codes)


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0], 0), ([3, 0], 3), ([3, 10], 10), ([10, 11], 11), ([13, 10], 10), ([1, 11], 1), ([1, 12], 12), ([], 0)],
)
def test_the_order_is_the_documented_one(codes: list[int], expected: int) -> None:
    assert worst(codes) == expected
    assert f"in the order {', '.join(map(str, PRECEDENCE))}" in " ".join(invoke("verify", "--help").stdout.split())


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (ChecksumError("bbolt meta page", stored=1, computed=2), 11),
        (UnsupportedVersionError("of the future"), 13),
        (PermissionError(13, "Permission denied", "/x"), 1),
        (MemoryError(), 1),
        (ZeroDivisionError("a bug of ours"), 1),
    ],
)
def test_whatever_one_source_does_the_other_is_judged(
    monkeypatch: pytest.MonkeyPatch, error: Exception, exit_code: int
) -> None:
    def failing(path: Path, **options: Any) -> Any:
        if path.name == "trouble":
            raise error
        return verify_source(path, **options)

    monkeypatch.setattr(snapshot_verify, "verify_source", failing)
    done = invoke("verify", "trouble", samples.unpack(GOOD))
    assert (done.exit_code, len(done.stdout.splitlines())) == (exit_code, 3)
    assert ": good (" in done.stdout
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_stdin_can_be_one_of_them() -> None:
    words = [sys.executable, "-m", "etcdtool", "verify", "-", str(samples.unpack(BAD)), "-w", "json"]
    with samples.packed(GOOD).open("rb") as stdin:
        done = subprocess.run(words, stdin=stdin, capture_output=True, check=False)
    assert done.returncode == 3, done.stderr
    assert [result["good"] for result in json.loads(done.stdout)["results"]] == [True, False]
    assert invoke("verify", "-", "-").exit_code == 2


def test_sources_stay_as_they_are(sources: dict[str, Path]) -> None:
    paths = [sources["good"], sources["bad"]]
    before = [samples.hashes(path) for path in paths]
    invoke("verify", *paths)
    assert [samples.hashes(path) for path in paths] == before


def test_the_bar_covers_all_bytes_and_never_goes_back() -> None:
    seen: list[tuple[int, int]] = []
    sizes = [100, 0, 300]
    shares = Shares(lambda done, total: seen.append((done, total)), sizes)
    for index in range(3):
        advance = shares.of(index)
        for done in (0, 5, 10, 11):  # of what the input itself counts, which may end a little too far
            advance(done, 10)
        advance(0, 0)
    done = [value for value, _ in seen if value not in (0, 100)]
    assert {total for _, total in seen} == {400}
    assert [value for value, _ in seen][:4] == [0, 50, 100, 100]
    assert max(done) == 400


def call_with_delay(seconds: float) -> list[str]:
    paths = [str(samples.unpack(name)) for name in (GOOD, BAD)]
    code = (
        "import sys; from etcdtool.cli import progress, root\n"
        f"progress._DELAY_SECONDS = {seconds}\n"
        f"sys.exit(root.run(['verify', *{paths!r}]))"
    )
    return [sys.executable, "-c", code]


def test_the_bar_shows_the_bytes_of_all_sources_on_a_terminal() -> None:
    shown = _stderr_on_a_terminal(call_with_delay(0)).decode()
    total = sum(samples.unpack(name).stat().st_size for name in (GOOD, BAD))
    assert "verify:   0%" in shown
    assert "verify: 100%" in shown
    assert f"/{total / 1e6:.2f}M [" in shown


def test_short_work_shows_no_bar() -> None:
    assert _stderr_on_a_terminal(call_with_delay(progress._DELAY_SECONDS)) == b""


def test_without_a_terminal_there_is_no_bar() -> None:
    done = subprocess.run(call_with_delay(0), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (3, b"")


def _stderr_on_a_terminal(words: list[str]) -> bytes:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    shown = bytearray()

    def read() -> None:
        try:
            while chunk := os.read(ours, 4096):
                shown.extend(chunk)
        except OSError:  # how the other end's closing shows
            return

    reader = threading.Thread(target=read)
    reader.start()
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=theirs, check=False)
    os.close(theirs)
    reader.join(10)
    os.close(ours)
    return bytes(shown)


def test_a_source_is_shown_without_driving_the_terminal() -> None:
    verdict = Verdict(source="a\x1b[2Jb", failure=Failure("no \x1b[2J luck", 1))
    shown = json.dumps(Verdicts([verdict]).as_json()) + "".join(verdict.lines(several=True))
    assert "\x1b" not in shown
    assert "\\u001b" not in shown
