"""``etcdtool convert`` and ``etcdtool converters``: flags, exit codes, what is printed where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click
import pytest
from support import samples
from support.cli import invoke

from etcdtool.cli.convert import convert_command
from etcdtool.operations.convert import ConvertOptions

if TYPE_CHECKING:
    from pathlib import Path

RICH = "v2-rich/3.4/data-clean.tar.gz"
REGISTRY = "discovery-v2/3.4/data.tar.gz"
THEN = ("--as-of", "2026-11-21T02:25:02Z")
LATER = ("--as-of", "2036-01-01")


def test_every_option_of_a_conversion_has_its_flag() -> None:
    flags = {parameter.name for parameter in convert_command.params if isinstance(parameter, click.Option)}
    fields = set(ConvertOptions.__dataclass_fields__) - {"compact_mark"}
    assert fields <= flags
    assert "no_compact_mark" in flags


def test_a_snapshot_is_written_and_the_report_adds_up(tmp_path: Path) -> None:
    target, report_file = tmp_path / "out.db", tmp_path / "report.json"
    done = invoke("convert", samples.unpack(RICH), "-o", target, "--report-file", report_file, *THEN)
    assert (done.exit_code, done.stderr) == (0, "")
    report = json.loads(report_file.read_text(encoding="utf-8"))
    counts = report["counts"]
    assert counts["adds_up"]
    assert counts["nodes"] == counts["converted"] + sum(counts["skipped"].values())
    assert report["proof"]["records_compared"] == counts["puts"]
    status = json.loads(invoke("snapshot", "status", target, "-w", "json").stdout)
    assert status["totalKey"] == counts["puts"]
    # the newest index that the server gave a key of this store
    assert status["revision"] == report["head_revision"] == 515
    assert invoke("snapshot", "verify", target).exit_code == 0


def test_json_on_stdout_is_the_report_file(tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    words = ["convert", samples.unpack(RICH), "--dry-run", "--report-file", report_file, *THEN, "-w", "json"]
    assert json.loads(invoke(*words).stdout) == json.loads(report_file.read_text(encoding="utf-8"))


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.db"
    done = invoke("convert", samples.unpack(RICH), "-o", target, "--dry-run", *THEN)
    assert done.exit_code == 0
    assert "none written (--dry-run)" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_lines_go_to_stdout_and_words_to_stderr(tmp_path: Path) -> None:
    done = invoke("convert", samples.unpack(RICH), "-o", "-", *THEN)
    lines = [json.loads(line) for line in done.stdout.rstrip("\n").split("\n")]
    assert done.exit_code == 0
    assert "451 keys" in done.stderr
    revisions = [line["mod_revision"] for line in lines if line["type"] == "put"]
    assert (len(revisions), revisions) == (451, sorted(revisions))
    target = tmp_path / "out.jsonl"
    invoke("convert", samples.unpack(RICH), "-o", target, *THEN)
    assert target.read_bytes() == done.raw


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "out.db"
    target.write_bytes(b"precious")
    done = invoke("convert", samples.unpack(RICH), "-o", target, *THEN)
    assert (done.exit_code, target.read_bytes()) == (12, b"precious")
    report = tmp_path / "report.json"
    report.write_bytes(b"precious")
    done = invoke("convert", samples.unpack(RICH), "-o", tmp_path / "new.db", "--report-file", report, *THEN)
    assert (done.exit_code, report.read_bytes()) == (12, b"precious")
    assert not (tmp_path / "new.db").exists()


def test_a_target_is_needed() -> None:
    done = invoke("convert", samples.unpack(RICH))
    assert (done.exit_code, done.stderr) == (2, "Error: no target was given. Give -o FILE, -o - or --dry-run.\n")


def test_expired_keys_are_asked_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = samples.unpack(RICH)
    monkeypatch.setattr("time.time_ns", lambda: 2_100_000_000 * 10**9)
    done = invoke("convert", source, "-o", tmp_path / "a.db")
    assert (done.exit_code, "expired by the as-of time" in done.stderr) == (3, True)
    assert list(tmp_path.iterdir()) == []
    dropped = invoke("convert", source, "-o", tmp_path / "a.db", "--drop-expired")
    assert (dropped.exit_code, "expired (" in dropped.stdout) == (0, True)
    assert invoke("convert", source, "--dry-run", *LATER).exit_code == 0


@pytest.mark.parametrize(
    ("flags", "exit_code", "leases"),
    [([], 0, 8), (["--ttl", "permanent"], 0, 0), (["--ttl", "drop"], 0, 0), (["--ttl", "fail"], 3, None)],
)
def test_ttl_policies(flags: list[str], exit_code: int, leases: int | None) -> None:
    done = invoke("convert", samples.unpack(RICH), "--dry-run", "-w", "json", *THEN, *flags)
    assert done.exit_code == exit_code
    if leases is not None:
        assert json.loads(done.stdout)["counts"]["leases"] == leases


def test_prefixes_and_revisions_reach_the_keys() -> None:
    words = ["convert", samples.unpack(RICH), "-o", "-", "--prefix", "/cas", "--strip-prefix", "/cas"]
    done = invoke(*words, "--add-prefix", "/new", "--revisions", "dense", *THEN)
    (line,) = (one for one in map(json.loads, done.stdout.splitlines()) if one["type"] == "put")
    assert (line["key"], line["create_revision"], line["mod_revision"]) == ("/new/one", 2, 3)


def test_markers_stand_for_directories() -> None:
    done = invoke("convert", samples.unpack(RICH), "--dry-run", "-w", "json", "--directories", "marker", *THEN)
    counts = json.loads(done.stdout)["counts"]
    assert counts["puts"] == counts["nodes"]


def test_the_compact_mark_can_be_left_out() -> None:
    done = invoke("convert", samples.unpack(RICH), "--dry-run", "-w", "json", "--no-compact-mark", *THEN)
    assert json.loads(done.stdout)["compact_revision"] == 0


@pytest.mark.parametrize(
    "flag", [["--token", "x"], ["--token", "=x"], ["--token", "a=b", "--token", "a=c"], ["-c", "nope"]]
)
def test_bad_flags_are_usage_errors(flag: list[str]) -> None:
    done = invoke("convert", samples.unpack(RICH), "--dry-run", *flag)
    assert (done.exit_code, done.stdout, done.stderr.startswith("Error: ")) == (2, "", True)


def test_a_converter_by_path(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        "from etcdtool.model.conversion import Skipped\n"
        "class Mine:\n"
        "    name = 'mine'\n"
        "    summary = 'skips everything'\n"
        "    def claims(self, node):\n"
        "        return True\n"
        "    def convert(self, nodes, context):\n"
        "        for node in nodes:\n"
        "            yield Skipped(node=node, reason='not today')\n",
        encoding="utf-8",
    )
    done = invoke("convert", samples.unpack(RICH), "--dry-run", "-w", "json", "-c", mine, *THEN)
    assert json.loads(done.stdout)["counts"]["skipped"] == {"not today": 488}


def test_tokens_are_listed_with_the_ids_that_v2_gave(tmp_path: Path) -> None:
    source = samples.unpack(REGISTRY)
    words = ["convert", source, "--list-tokens", "--as-of", "2026-11-21T02:34:23Z"]
    tokens = json.loads(invoke(*words, "-w", "json").stdout)
    registry = samples.expected("discovery-v2/3.4")["live"]["hidden"]
    answer = next(item for item in registry if item["path"] == "/v2/keys/_etcd")["response"]["node"]
    # the server leaves each token's hidden _config out, and every member's key ends with its v2 id
    theirs = {
        token["key"].rpartition("/")[2]: {member["key"].rpartition("/")[2] for member in token.get("nodes", ())}
        for directory in answer["nodes"]
        for token in directory["nodes"]
    }
    ours = {token["token"]: {member["v2_id"] for member in token["members"]} for token in tokens}
    assert ours == theirs
    for form in ("simple", "table", "fields"):
        assert all(token in invoke(*words, "-w", form).stdout for token in theirs)


def test_no_tokens_is_an_answer() -> None:
    done = invoke("convert", samples.unpack("v2-only-wal/3.4/data.tar.gz"), "--list-tokens")
    assert (done.exit_code, done.stdout) == (0, "no discovery tokens\n")


@pytest.mark.parametrize("form", ["simple", "table", "fields", "json"])
def test_converters_are_listed_in_every_form(form: str) -> None:
    done = invoke("converters", "-w", form)
    assert done.exit_code == 0
    assert "keys" in done.stdout
    assert "discovery" in done.stdout


def test_a_source_without_v2_keys_is_no_failure_but_no_success() -> None:
    done = invoke("convert", samples.unpack("v3/3.6/data.tar.gz"), "--dry-run")
    assert (done.exit_code, "holds no v2 keys" in done.stderr) == (3, True)


def test_the_source_stays_as_it_is(tmp_path: Path) -> None:
    source = samples.fresh(RICH, tmp_path / "in")
    before = samples.hashes(source)
    invoke("convert", source, "-o", tmp_path / "out.db", *THEN)
    assert samples.hashes(source) == before


def test_tail_of_a_cluster_can_be_chosen() -> None:
    members = [samples.unpack(f"v2-cluster/3.4/data-c{number}.tar.gz") for number in (1, 3, 4)]
    for tail in ("apply", "ignore"):
        assert invoke("convert", *members, "--dry-run", "--tail", tail, *THEN).exit_code == 0


@pytest.mark.parametrize("target", ["-o", "--report-file"])
def test_listing_tokens_writes_nothing_and_says_so(target: str, tmp_path: Path) -> None:
    done = invoke("convert", samples.unpack(REGISTRY), "--list-tokens", target, tmp_path / "out")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--list-tokens converts nothing" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_prefix_with_nothing_below_it_makes_no_empty_snapshot(tmp_path: Path) -> None:
    done = invoke("convert", samples.unpack(RICH), "-o", tmp_path / "v3.db", "--prefix", "/nothere", *THEN)
    assert done.exit_code == 3
    assert "holds no v2 keys below /nothere" in done.stderr
    assert not (tmp_path / "v3.db").exists()
