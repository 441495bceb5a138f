"""The ready pieces of docs/how-to/verify-backups-in-pipelines.md do what the page says: each one is run here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import junitparser
import pytest
import yaml
from support import samples

from etcdtool.cli import _metrics
from etcdtool.cli._verdicts import Verdict, Verdicts

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "verify-backups-in-pipelines.md"
FENCE = re.compile(r"^```(\w+) ([\w-]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GOOD = "v3/3.7/snapshot.db.gz"
BAD = "damaged/snapshots/leaf-value-bit.db.gz"


@cache
def pieces() -> dict[str, str]:
    """Give name -> text of each piece."""
    return {name: body for _, name, body in FENCE.findall(PAGE.read_text(encoding="utf-8"))}


def piece(name: str) -> Any:
    return yaml.safe_load(pieces()[name])


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def put(name: str, folder: Path, *, as_name: str, age_seconds: int = 0) -> None:
    path = folder / as_name
    shutil.copy(samples.packed(name), path)
    moment = path.stat().st_mtime - age_seconds
    os.utime(path, (moment, moment))


def run(words: list[str], folder: Path, **variables: object) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **{name: str(value) for name, value in variables.items()}}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_every_piece_is_run_here() -> None:
    assert set(pieces()) == {
        "etcd-verify-backups",
        "alerts",
        "cronjob",
        "github",
        "gitlab",
        "anywhere",
        "reasons",
    }


@pytest.mark.parametrize(
    ("content", "exit_code", "printed"),
    [([GOOD], 0, ""), ([GOOD, BAD], 3, "1 not good"), ([], 1, "no such file or directory")],
    ids=["good", "bad", "none"],
)
def test_cron(content: list[str], exit_code: int, printed: str, backups: Path, tmp_path: Path) -> None:
    for index, name in enumerate(content):
        put(name, backups, as_name=f"{index}.db.gz")
    script = tmp_path / "etcd-verify-backups"
    script.write_text(pieces()["etcd-verify-backups"])
    for _ in range(2):  # the second night replaces the metrics of the first
        done = run(["sh", str(script)], tmp_path, BACKUPS=backups, TEXTFILES=tmp_path, TMPDIR=tmp_path)
        assert done.returncode == exit_code, done.stderr
        assert bool(done.stdout) == bool(exit_code)
        assert printed in done.stdout
    assert (tmp_path / "etcd_backups.prom").read_bytes().startswith(_metrics.OWN_START)
    assert {path.name for path in tmp_path.iterdir()} == {"backups", "etcd-verify-backups", "etcd_backups.prom"}


def test_alerts_ask_for_metrics_that_exist() -> None:
    known = _metrics.render(Verdicts([Verdict(source="x", size=1, modified_seconds=1.0)])).decode()
    rules = [rule for group in piece("alerts")["groups"] for rule in group["rules"]]
    assert rules
    for rule in rules:
        names = re.findall(r"etcdtool_\w+", rule["expr"])
        assert names
        assert all(f"# TYPE {name} gauge" in known for name in names), rule
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_a_cronjob_has_the_shape_kubernetes_takes() -> None:
    jsonschema.validate(piece("cronjob"), CRON_JOB)
    pod = piece("cronjob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


@pytest.mark.parametrize(("newest", "exit_code"), [(GOOD, 0), (BAD, 3), (None, None)])
def test_a_cronjob_verifies_the_newest(newest: str | None, exit_code: int | None, backups: Path) -> None:
    if newest is not None:
        put(BAD if newest is GOOD else GOOD, backups, as_name="z-old.db.gz", age_seconds=90_000)
        put(newest, backups, as_name="a-new.db.gz")
    pod = piece("cronjob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    (variable,) = container["env"]
    mount = next(mount for mount in container["volumeMounts"] if mount["name"] == "backups")
    assert (variable["value"], mount["readOnly"]) == (mount["mountPath"], True)
    backups.chmod(0o500)
    done = run([*container["command"], *container["args"]], backups.parent, **{variable["name"]: backups})
    backups.chmod(0o700)
    if exit_code is None:
        assert done.returncode not in {0, 3}
        assert "there is no backup" in done.stderr
    else:
        assert done.returncode == exit_code, done.stderr
        assert "a-new.db.gz" in done.stdout


@pytest.mark.parametrize(("name", "exit_code"), [(GOOD, 0), (BAD, 3)])
def test_github(name: str, exit_code: int, backups: Path) -> None:
    workflow = piece("github")
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}  # YAML 1.1 reads "on" as a boolean
    steps = workflow["jobs"]["verify"]["steps"]
    assert all(("uses" in step) != ("run" in step) for step in steps)
    put(name, backups, as_name="tonight.db.gz")
    (script,) = [step["run"] for step in steps if step.get("name") == "verify"]
    summary = backups.parent / "summary.md"
    done = run(["bash", "-e", "-c", script], backups.parent, GITHUB_STEP_SUMMARY=summary)
    assert done.returncode == exit_code, done.stderr
    assert "backups/tonight.db.gz" in summary.read_text()
    uploaded = next(step["with"]["path"].split() for step in steps if "upload-artifact" in step.get("uses", ""))
    assert all((backups.parent / path).stat().st_size for path in uploaded)


@pytest.mark.parametrize(("name", "exit_code"), [(GOOD, 0), (BAD, 3)])
def test_gitlab(name: str, exit_code: int, backups: Path) -> None:
    (job,) = piece("gitlab").values()
    assert set(job) == {"image", "rules", "before_script", "script", "artifacts"}
    put(name, backups, as_name="tonight.db.gz")
    done = run(["sh", "-e", "-c", "\n".join(job["script"])], backups.parent)
    assert done.returncode == exit_code, done.stderr
    report = junitparser.JUnitXml.fromfile(str(backups.parent / job["artifacts"]["reports"]["junit"]))
    assert (report.tests, report.failures) == (1, int(exit_code != 0))


@pytest.mark.parametrize(("name", "said"), [(GOOD, ""), (BAD, "tonight.db.gz is no backup\n")])
def test_anywhere(name: str, said: str, backups: Path) -> None:
    put(name, backups, as_name="tonight.db.gz")
    done = run(["sh", "-c", pieces()["anywhere"]], backups, backup="tonight.db.gz")
    assert (done.stdout, done.stderr) == ("", said)


@pytest.mark.parametrize(("name", "said"), [(GOOD, ""), (BAD, "container.sha256-mismatch tonight.db.gz\n")])
def test_reasons(name: str, said: str, backups: Path) -> None:
    put(name, backups, as_name="tonight.db.gz")
    done = run(["sh", "-c", pieces()["reasons"]], backups, backup="tonight.db.gz")
    assert (done.stdout, done.stderr, done.returncode) == (said, "", 0)


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


_TEXT, _NUMBER, _YES_NO = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_CONTAINER = _object(
    ["name", "image"],
    name=_TEXT,
    image=_TEXT,
    command=_list(_TEXT),
    args=_list(_TEXT),
    env=_list(_object(["name", "value"], name=_TEXT, value=_TEXT)),
    securityContext=_object([], allowPrivilegeEscalation=_YES_NO, readOnlyRootFilesystem=_YES_NO),
    volumeMounts=_list(_object(["name", "mountPath"], name=_TEXT, mountPath=_TEXT, readOnly=_YES_NO)),
)
_VOLUME = _object(
    ["name"],
    name=_TEXT,
    persistentVolumeClaim=_object(["claimName"], claimName=_TEXT, readOnly=_YES_NO),
    emptyDir=_object([], sizeLimit=_TEXT),
)
_POD = _object(
    ["containers", "restartPolicy"],
    restartPolicy={"enum": ["Never", "OnFailure"]},  # a job takes no other
    securityContext=_object([], runAsNonRoot=_YES_NO, runAsUser=_NUMBER, fsGroup=_NUMBER),
    containers=_list(_CONTAINER),
    volumes=_list(_VOLUME),
)
# the fields of batch/v1 that the piece uses, as the API reference of Kubernetes 1.31 has them
CRON_JOB = _object(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "batch/v1"},
    kind={"const": "CronJob"},
    metadata=_object(["name"], name={"type": "string", "pattern": "^[a-z0-9-]{1,52}$"}),
    spec=_object(
        ["schedule", "jobTemplate"],
        schedule={"type": "string", "pattern": r"^(\S+ ){4}\S+$"},
        concurrencyPolicy={"enum": ["Allow", "Forbid", "Replace"]},
        jobTemplate=_object(
            ["spec"],
            spec=_object(
                ["template"],
                backoffLimit=_NUMBER,
                activeDeadlineSeconds=_NUMBER,
                template=_object(["spec"], spec=_POD),
            ),
        ),
    ),
)
