"""What ``verify`` writes for pipelines, read back by the formats' own libraries; and what it never overwrites."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import junitparser
import pytest
import sarif_om
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from support import samples
from support.cli import invoke

from etcdtool import targets
from etcdtool.checks.registry import BY_CODE
from etcdtool.cli import _junit, _metrics, _sarif
from etcdtool.cli._verdicts import Failure, Verdict, Verdicts
from etcdtool.errors import EtcdtoolError, TargetExistsError
from etcdtool.findings import Finding, Report, Severity

GOOD = "v3/3.7/snapshot.db.gz"
BAD = "damaged/snapshots/leaf-flags.db.gz"
NOTED = "v2-migrated/3.4/snapshot.db.gz"
KINDS = ("junit", "sarif", "metrics")


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    return [*(str(samples.unpack(name)) for name in (GOOD, BAD, NOTED)), str(tmp_path / "missing: ü.db")]


def flags(folder: Path) -> list[str]:
    return [word for kind in KINDS for word in (f"--{kind}-file", str(folder / kind))]


def samples_of(text: str) -> dict[tuple[str, str, str], float]:
    """Read a textfile: (name, source, severity or version) -> value."""
    return {
        (sample.name, sample.labels.get("source", ""), sample.labels.get("severity", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


# the classes of sarif-om are generated from the official schema
_MODEL = {
    "runs": "Run",
    "tool": "Tool",
    "driver": "ToolComponent",
    "rules": "ReportingDescriptor",
    "defaultConfiguration": "ReportingConfiguration",
    "shortDescription": "MultiformatMessageString",
    "fullDescription": "MultiformatMessageString",
    "help": "MultiformatMessageString",
    "invocations": "Invocation",
    "toolExecutionNotifications": "Notification",
    "results": "Result",
    "message": "Message",
    "locations": "Location",
    "physicalLocation": "PhysicalLocation",
    "artifactLocation": "ArtifactLocation",
    "region": "Region",
    "logicalLocations": "LogicalLocation",
}


def as_model(document: dict[str, Any], kind: str = "SarifLog") -> Any:
    """Build the object of SARIF's schema; a property it does not know, or one that is missing, is an error."""
    cls = getattr(sarif_om, kind)
    names = {field.metadata["schema_property_name"]: field.name for field in cls.__attrs_attrs__}
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name in _MODEL:
            parts = [as_model(part, _MODEL[name]) for part in (value if isinstance(value, list) else [value])]
            values[names[name]] = parts if isinstance(value, list) else parts[0]
        else:
            assert isinstance(value, (str, int, bool)) or name == "partialFingerprints", name
            values[names[name]] = value
    return cls(**values)


def test_each_file_tells_of_every_source(sources: list[str], tmp_path: Path) -> None:
    done = invoke("verify", *sources, *flags(tmp_path))
    assert done.exit_code == 1
    cases = list(next(iter(junitparser.JUnitXml.fromfile(str(tmp_path / "junit")))))
    assert [case.name for case in cases] == sources
    assert [[type(result).__name__ for result in case.result] for case in cases] == [[], ["Failure"], [], ["Error"]]
    log = as_model(json.loads((tmp_path / "sarif").read_bytes()))
    assert log.version == "2.1.0"
    metrics = samples_of((tmp_path / "metrics").read_text(encoding="utf-8"))
    assert [metrics["etcdtool_verify_good", source, ""] for source in sources] == [1, 0, 1, 0]


def test_junit_says_every_error_and_keeps_notes_apart(sources: list[str], tmp_path: Path) -> None:
    invoke("verify", *sources, "--junit-file", tmp_path / "report.xml")
    document = junitparser.JUnitXml.fromfile(str(tmp_path / "report.xml"))
    assert (document.tests, document.failures, document.errors) == (4, 1, 1)
    _, bad, noted, missing = list(next(iter(document)))
    printed = invoke("verify", sources[1]).stdout.splitlines()[:-1]
    assert bad.result[0].text.splitlines() == printed
    assert bad.result[0].type == "container.sha256-mismatch"
    assert noted.system_out.startswith("note: generations.converted: ")
    assert missing.result[0].message.startswith("cannot read ")
    assert missing.result[0].type == "exit 1"


def test_sarif_has_a_result_a_finding_and_a_rule_a_code(sources: list[str], tmp_path: Path) -> None:
    invoke("verify", *sources, "--sarif-file", tmp_path / "report.sarif")
    (run,) = as_model(json.loads((tmp_path / "report.sarif").read_bytes())).runs
    found = [
        finding
        for result in json.loads(invoke("verify", *sources, "-w", "json").stdout)["results"]
        for finding in result["findings"]
    ]
    rules = run.tool.driver.rules
    assert [(result.rule_id, result.level) for result in run.results] == [(f["code"], f["severity"]) for f in found]
    assert [rules[result.rule_index].id for result in run.results] == [f["code"] for f in found]
    assert [
        result.locations[0].physical_location.region.byte_offset if "offset" in f else None
        for result, f in zip(run.results, found, strict=True)
    ] == [f.get("offset") for f in found]
    for rule in rules:
        assert (rule.full_description.text, rule.help.text) == (BY_CODE[rule.id].meaning, BY_CODE[rule.id].remedy)
    (invocation,) = run.invocations
    assert (invocation.execution_successful, invocation.exit_code) == (False, 1)
    (place,) = invocation.tool_execution_notifications[0].locations
    assert place.physical_location.artifact_location.uri.endswith("/missing%3A%20%C3%BC.db")


def test_a_finding_keeps_its_fingerprint_and_no_two_share_one(sources: list[str], tmp_path: Path) -> None:
    marks = []
    for name in ("one.sarif", "two.sarif"):
        invoke("verify", sources[1], "--sarif-file", tmp_path / name)
        results = json.loads((tmp_path / name).read_bytes())["runs"][0]["results"]
        marks.append([result["partialFingerprints"]["codeAndPlace/v1"] for result in results])
    assert marks[0] == marks[1]
    assert len(set(marks[0])) == len(marks[0]) > 1


def test_metrics_have_the_documented_names_and_values(sources: list[str], tmp_path: Path) -> None:
    before = time.time()
    invoke("verify", *sources, "--metrics-file", tmp_path / "etcd.prom")
    text = (tmp_path / "etcd.prom").read_text(encoding="utf-8")
    metrics = samples_of(text)
    good, bad, noted, missing = sources
    assert [metrics["etcdtool_verify_exit_code", source, ""] for source in sources] == [0, 3, 0, 1]
    assert metrics["etcdtool_verify_findings", bad, "error"] == 3
    assert metrics["etcdtool_verify_findings", noted, "note"] == 1
    assert ("etcdtool_verify_findings", missing, "error") not in metrics
    assert metrics["etcdtool_verify_source_size_bytes", good, ""] == Path(good).stat().st_size
    assert metrics["etcdtool_verify_source_modified_timestamp_seconds", good, ""] == Path(good).stat().st_mtime
    assert before <= metrics["etcdtool_verify_last_run_timestamp_seconds", "", ""] <= time.time()
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "verify-backups-in-pipelines.md").read_text("utf-8")
    assert {name for name, _, _ in metrics} == set(re.findall(r"^\| `(etcdtool_\w+)", page, re.MULTILINE))


def verdicts(text: str) -> Verdicts:
    finding = Finding(code="bbolt.page-id", severity=Severity.ERROR, where=text, detail=text, hint=text)
    note = Finding(code="x.unknown", severity=Severity.NOTE, where=text, detail=text, offset=7)
    return Verdicts(
        [
            Verdict(source=text, report=Report([finding, note]), kind=text, size=1),
            Verdict(source=text, failure=Failure(text, 10)),
        ]
    )


@given(
    st.text(st.characters(), max_size=20)
    | st.text(st.characters(max_codepoint=0xA0) | st.sampled_from("\ufffe\uffff"), max_size=8)
)
def test_any_name_and_any_words_give_readable_files(text: str) -> None:
    found = verdicts(os.fsdecode(os.fsencode(text)) if _fits_a_name(text) else text.encode("utf-8", "ignore").decode())
    junitparser.JUnitXml.fromstring(_junit.render(found))
    as_model(json.loads(_sarif.render(found)))
    assert samples_of(_metrics.render(found).decode())
    for rendered in (_junit.render(found), _sarif.render(found), _metrics.render(found)):
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", rendered)


def _fits_a_name(text: str) -> bool:
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True


def test_a_name_that_is_no_utf8_is_escaped(tmp_path: Path) -> None:
    source = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.db")
    done = invoke("verify", source, *flags(tmp_path), "-w", "json")
    assert done.exit_code == 1
    assert json.loads((tmp_path / "sarif").read_bytes())["runs"][0]["invocations"][0]["toolExecutionNotifications"][0][
        "locations"
    ][0]["physicalLocation"]["artifactLocation"]["uri"].endswith("/%FF.db")
    assert rb"/\xff.db" in (tmp_path / "junit").read_bytes()


# ---- what is never overwritten


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("standing", ["file", "empty", "link", "dangling", "folder", "pipe", "source"])
def test_what_stands_there_is_refused_before_any_work(kind: str, standing: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    match standing:
        case "file":
            target.write_text("# HELP node_boot_time_seconds Somebody else's.\n")
        case "empty":
            target.touch()
        case "link":
            (tmp_path / "real").write_bytes(_metrics.OWN_START)
            target.symlink_to("real")
        case "dangling":
            target.symlink_to("nowhere")
        case "folder":
            target.mkdir()
        case "pipe":
            os.mkfifo(target)
        case "source":
            target.write_bytes(samples.unpack(GOOD).read_bytes())
    before = os.lstat(target)
    done = invoke("verify", target if standing == "source" else samples.unpack(GOOD), f"--{kind}-file", target)
    assert (done.exit_code, done.stdout) == (12, "")
    after = os.lstat(target)
    assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)


def test_the_metrics_file_replaces_its_predecessor_and_nothing_of_it_stays(tmp_path: Path) -> None:
    target = tmp_path / "etcd.prom"
    assert invoke("verify", samples.unpack(BAD), samples.unpack(GOOD), "--metrics-file", target).exit_code == 3
    assert invoke("verify", samples.unpack(GOOD), "--metrics-file", target).exit_code == 0
    good = {key: value for key, value in samples_of(target.read_text()).items() if key[0] == "etcdtool_verify_good"}
    assert good == {("etcdtool_verify_good", str(samples.unpack(GOOD)), ""): 1}
    assert [path.name for path in tmp_path.iterdir()] == ["etcd.prom"]


@pytest.mark.parametrize("kind", ["junit", "sarif"])
def test_reports_replace_nothing_not_even_their_own(kind: str, tmp_path: Path) -> None:
    words = ["verify", samples.unpack(GOOD), f"--{kind}-file", tmp_path / "out"]
    assert invoke(*words).exit_code == 0
    before = (tmp_path / "out").read_bytes()
    assert invoke(*words).exit_code == 12
    assert (tmp_path / "out").read_bytes() == before


def test_a_collector_of_another_user_can_read_it(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        invoke("verify", samples.unpack(GOOD), *flags(tmp_path))
    finally:
        os.umask(old)
    assert [stat.S_IMODE((tmp_path / kind).stat().st_mode) for kind in KINDS] == [0o644] * 3


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "etcd.prom"
    contents = [_metrics.OWN_START + bytes([letter]) * 300_000 + b"\n" for letter in b"ab"]
    stop = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not stop.is_set():
            seen.add(target.read_bytes())

    targets.replace_own_file(target, contents[0], own_start=_metrics.OWN_START)
    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(20):
        targets.replace_own_file(target, contents[turn % 2], own_start=_metrics.OWN_START)
    stop.set()
    reader.join()
    assert seen <= set(contents)


def test_what_came_between_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "etcd.prom"
    commit = targets.StagedFile.commit

    def commit_late(stage: targets.StagedFile) -> None:
        commit(stage)
        target.write_text("somebody else's")

    monkeypatch.setattr(targets.StagedFile, "commit", commit_late)
    with pytest.raises(TargetExistsError):
        targets.replace_own_file(target, _metrics.OWN_START, own_start=_metrics.OWN_START)
    assert [path.name for path in tmp_path.iterdir()] == ["etcd.prom"]
    assert target.read_text() == "somebody else's"


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_said_and_the_verdict_too(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise EtcdtoolError("cannot write: no space left on device")

    monkeypatch.setattr(targets.StagedFile, "sync", full)
    done = invoke("verify", samples.unpack(BAD), f"--{kind}-file", tmp_path / "out")
    assert done.exit_code == 1
    assert "not good (3 errors" in done.stdout
    assert done.stderr == "Error: cannot write: no space left on device\n"
    assert list(tmp_path.iterdir()) == []


def test_one_file_that_cannot_be_written_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_junit, "render", lambda _: (_ for _ in ()).throw(EtcdtoolError("no luck")))
    assert invoke("verify", samples.unpack(GOOD), *flags(tmp_path)).exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics", "sarif"]


def test_a_file_for_two_purposes_and_a_folder_that_is_not_there_are_refused(tmp_path: Path) -> None:
    twice = invoke("verify", samples.unpack(GOOD), "--junit-file", tmp_path / "x", "--sarif-file", tmp_path / "x")
    assert (twice.exit_code, twice.stdout) == (2, "")
    for kind in KINDS:
        nowhere = invoke("verify", samples.unpack(GOOD), f"--{kind}-file", tmp_path / "no" / "x")
        assert (nowhere.exit_code, nowhere.stdout) == (1, "")


@pytest.mark.parametrize(("kind", "package"), [("junit", "junitparser"), ("metrics", "prometheus_client")])
def test_a_missing_extra_is_named_before_any_work(kind: str, package: str, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from etcdtool.cli.root import run\n"
        f"sys.exit(run(['verify', {str(samples.unpack(GOOD))!r}, '--{kind}-file', {str(tmp_path / 'out')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: --{kind}-file needs the package {package}, which is not installed. "
        "Install the extra: pip install 'etcdtool[pipelines]'.\n"
    )


def test_without_these_files_none_of_their_packages_is_loaded() -> None:
    code = (
        "import sys; from etcdtool.cli.root import run\n"
        f"run(['verify', {str(samples.unpack(GOOD))!r}, '--quiet'])\n"
        "print(sorted({'junitparser', 'prometheus_client', 'tabulate', 'tqdm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
