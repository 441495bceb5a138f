"""``--k8s`` on the commands that show values: objects instead of bytes, and of Secrets nothing that is secret."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support import samples
from support.cli import invoke

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "k8s-objects/3.6"
EXPECTED: dict[str, Any] = samples.expected(FOLDER)
GO_JSON: dict[str, Any] = EXPECTED["go_json"]
SECRET = "/registry/secrets/shop/database"
OTHER = samples.unpack("k8s/3.6/snapshot.db.gz")
PASSWORD = b"top-secret-password"
LEAKS = (PASSWORD, base64.b64encode(PASSWORD), base64.b64encode(base64.b64encode(PASSWORD)), PASSWORD.hex().encode())


@pytest.fixture(scope="module")
def snapshot() -> Path:
    return samples.unpack(f"{FOLDER}/snapshot.db.gz")


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the options with which every object can be read."""
    path = tmp_path_factory.mktemp("k8s") / "kubernetes.binpb"
    path.write_bytes(gzip.decompress(samples.packed(f"{FOLDER}/kubernetes.binpb.gz").read_bytes()))
    return ["--descriptor-set", str(path), "--encryption-config", str(samples.packed(f"{FOLDER}/encryption.yaml"))]


def test_the_sample_would_leak(snapshot: Path) -> None:
    """The raw value holds the password in two of the ways that are looked for below."""
    raw = invoke("get", snapshot, SECRET).raw
    assert [leak in raw for leak in LEAKS] == [True, True, False, False]


WORDS = {
    "get": [
        ["get", "{snapshot}", "--k8s"],
        ["get", "{snapshot}", "--k8s", "--k8s-form", "json"],
        ["get", "{snapshot}", "/registry/secrets/", "--prefix", "--k8s", "-w", "json"],
    ],
    "export": [
        ["export", "{snapshot}", "-o", "-", "--k8s"],
        ["export", "{snapshot}", "-o", "-", "--k8s", "--history"],
        ["export", "{snapshot}", "-o", "-", "--k8s", "--format", "csv"],
        ["export", "{snapshot}", "-o", "{new}/e.sqlite", "--k8s", "--history"],
    ],
    "history": [
        ["history", "{snapshot}", "--k8s"],
        ["history", "{snapshot}", SECRET, "--k8s", "--values"],
        ["history", "{snapshot}", "--k8s", "-w", "json"],
        ["history", "{snapshot}", "--k8s", "-w", "fields"],
    ],
    "changes": [
        ["changes", "{snapshot}", "--k8s"],
        ["changes", "{snapshot}", "--k8s", "--k8s-form", "json"],
        ["changes", "{snapshot}", "--k8s", "-w", "json"],
        ["changes", "{snapshot}", "--k8s", "-w", "fields"],
    ],
    "k8s": [
        ["list", "{snapshot}", "--k8s"],
        ["k8s", "list", "{snapshot}"],
        ["k8s", "list", "{snapshot}", "-w", "json"],
    ],
}
ALL_WORDS = [words for group in WORDS.values() for words in group]


@pytest.mark.parametrize("with_reading", [False, True])
@pytest.mark.parametrize("words", ALL_WORDS, ids=" ".join)
def test_nothing_of_a_secret_shows(
    words: list[str], with_reading: bool, snapshot: Path, reading: list[str], tmp_path: Path
) -> None:
    options = reading if with_reading and words[0] not in {"k8s", "list"} else []
    done = invoke(*(word.format(snapshot=snapshot, other=OTHER, new=tmp_path) for word in words), *options)
    assert done.exit_code == (3 if "diff" in words else 0), done.stderr
    printed = done.raw + done.stderr.encode() + b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert [leak for leak in LEAKS if leak in printed] == []
    if words[0] not in {"k8s", "list"}:
        assert b"redacted" in printed


@pytest.mark.parametrize("words", [words for words in ALL_WORDS if words[0] not in {"k8s", "list"}], ids=" ".join)
def test_it_shows_when_it_is_asked_for(words: list[str], snapshot: Path, reading: list[str], tmp_path: Path) -> None:
    done = invoke(
        *(word.format(snapshot=snapshot, other=OTHER, new=tmp_path) for word in words), *reading, "--show-secrets"
    )
    printed = done.raw + b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert base64.b64encode(PASSWORD) in printed
    assert b"redacted: " not in printed


def test_get_prints_every_object_as_go_has_it(snapshot: Path, reading: list[str]) -> None:
    done = invoke("get", snapshot, "--show-secrets", *reading)
    documents = [document for document in yaml.safe_load_all(done.stdout) if document is not None]
    expected = [GO_JSON[of] for _, of in sorted(EXPECTED["holds"].items())]
    assert documents == expected
    assert "# /registry/secrets/shop/database, revision 6\n" in done.stdout
    assert "# /registry/health, revision 43\n# there is no value\n" in done.stdout


def test_get_as_json_documents_and_as_one(snapshot: Path, reading: list[str]) -> None:
    words = [snapshot, "--resource", "cm", "--namespace", "shop", *reading]
    expected = [GO_JSON["/registry/configmaps/shop/prices"]] * 2
    done = invoke("get", *words, "--k8s-form", "json")
    decoder, text, found = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    assert found == expected
    whole = json.loads(invoke("get", *words, "-w", "json").stdout)
    assert whole["revision"] == 43
    assert [item["object"] for item in whole["objects"]] == expected
    assert [item["encryption"] for item in whole["objects"]] == [
        {"provider": "aescbc", "version": "v1", "keyName": "key1"},
        None,
    ]
    assert [item["key"].rpartition("/")[2] for item in whole["objects"]] == ["by-aescbc", "prices"]


def test_a_limit_counts_what_is_asked_for(snapshot: Path) -> None:
    done = invoke("get", snapshot, "--resource", "roles", "--limit", 1, "-w", "json")
    assert [item["name"] for item in json.loads(done.stdout)["objects"]] == ["nothing"]
    assert invoke("get", snapshot, "/a", "--k8s").stdout == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keys-only"], "--keys-only does not go with --k8s"),
        (["--count-only"], "--count-only does not go with --k8s"),
        (["--print-value-only"], "--print-value-only does not go with --k8s"),
        (["--hex"], "--hex does not go with --k8s"),
        (["-w", "fields"], "with --k8s there is no -w fields"),
        (["-w", "table"], "with --k8s there is no -w table"),
    ],
)
def test_what_does_not_go_together(words: list[str], message: str, snapshot: Path) -> None:
    done = invoke("get", snapshot, "/registry/configmaps/shop/prices", "--k8s", *words)
    assert (done.exit_code == 0, done.stdout) == (False, "")
    assert message in done.stderr


def test_get_without_the_flag_is_etcdctl_s(snapshot: Path) -> None:
    assert invoke("get", snapshot).exit_code == 128
    assert invoke("get", snapshot, SECRET, "-w", "json").stdout.startswith('{"header":{"revision":43},"kvs":[{"key":')


def test_exported_lines_hold_the_objects(snapshot: Path, reading: list[str]) -> None:
    done = invoke("export", snapshot, "-o", "-", *reading, "--show-secrets", "--history")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    objects = {(line["key"], line["mod_revision"]): line for line in lines if line["type"] == "object"}
    for key, of in EXPECTED["holds"].items():
        found = [line["object"] for (name, _), line in objects.items() if name == key]
        assert found[-1] == GO_JSON[of]
    deleted = [line for line in lines if line["type"] == "delete"]
    assert [line["key"] for line in deleted] == ["/registry/configmaps/shop/gone"]
    assert len([key for key, _ in objects if key == "/registry/deployments/shop/web"]) == 2


def test_exports_count_what_was_asked_for(snapshot: Path, tmp_path: Path, reading: list[str]) -> None:
    target = tmp_path / "objects.sqlite"
    done = invoke("export", snapshot, "-o", target, "--resource", "deploy", *reading)
    assert "2 keys" in done.stdout
    with closing(sqlite3.connect(target)) as database:
        rows = database.execute("SELECT key, json_extract(value, '$.spec.replicas') FROM keys ORDER BY key").fetchall()
    assert rows == [("/registry/deployments/shop/by-secretbox", 0), ("/registry/deployments/shop/web", 0)]


def test_import_does_not_take_objects_for_records(snapshot: Path, tmp_path: Path) -> None:
    lines = tmp_path / "objects.jsonl"
    assert invoke("export", snapshot, "-o", lines, "--k8s").exit_code == 0
    done = invoke("import", lines, "-o", tmp_path / "new.db")
    assert done.exit_code != 0
    assert not (tmp_path / "new.db").exists()


def test_a_history_of_an_object_is_told_by_what_changed(snapshot: Path, reading: list[str]) -> None:
    key = "/registry/deployments/shop/web"
    done = invoke("history", snapshot, key, *reading)
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == key
    assert lines[lines.index("-kind: StatefulSet") + 1] == "+kind: Deployment"
    assert "namespace: shop" in lines
    documents = json.loads(invoke("history", snapshot, key, *reading, "-w", "json").stdout)["events"]
    assert [event["kind"] for event in documents] == ["StatefulSet", "Deployment"]
    assert documents[-1]["object"] == GO_JSON[key]
    assert not any("value" in event or "value_b64" in event for event in documents)


def test_histories_by_resource(snapshot: Path) -> None:
    done = invoke("history", snapshot, "--resource", "cm", "--namespace", "shop", "-w", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(item["key"].rpartition("/")[2], item["exists"]) for item in found] == [
        ("by-aescbc", True),
        ("gone", False),
        ("prices", True),
    ]
    assert invoke("history", snapshot).exit_code == 2


def test_changes_of_a_resource(snapshot: Path) -> None:
    done = invoke("changes", snapshot, "--resource", "cm", "-w", "json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(item["type"], item["revision"]) for item in found] == [("PUT", 3), ("PUT", 5), ("DELETE", 37), ("PUT", 39)]
    assert found[1]["object"] == GO_JSON["/registry/configmaps/shop/prices"]


def test_list_gives_what_k8s_list_gives(snapshot: Path) -> None:
    for words in (["--resource", "svc"], ["--namespace", "shop"], ["--etcd-prefix", "/registry"]):
        for form in ("simple", "json"):
            listed = invoke("list", snapshot, *words, "-w", form)
            assert listed == invoke("k8s", "list", snapshot, *words, "-w", form)
    below = json.loads(invoke("list", snapshot, "/registry/services/specs/", "--k8s", "-w", "json").stdout)
    assert [item["name"] for item in below] == ["db", "web"]


@pytest.fixture(scope="module")
def earlier(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a snapshot of what was there at revision 4."""
    folder = tmp_path_factory.mktemp("earlier")
    assert invoke("export", snapshot, "-o", folder / "e.jsonl", "--rev", 4, "--only-keys").exit_code == 0
    assert invoke("import", folder / "e.jsonl", "-o", folder / "earlier.db").exit_code == 0
    return folder / "earlier.db"


def test_a_difference_is_told_by_the_object_s_lines(snapshot: Path, earlier: Path, reading: list[str]) -> None:
    done = invoke("snapshot", "diff", earlier, snapshot, "--resource", "deploy", *reading)
    assert done.exit_code == 3
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines if "/registry/" in line and line[0] in "+-~"] == [
        ["+", "/registry/deployments/shop/by-secretbox"],
        ["~", "/registry/deployments/shop/web"],
    ]
    changed = lines[lines.index("    -kind: StatefulSet") :]
    assert changed[1] == "    +kind: Deployment"
    assert "    +  replicas: 0" in changed
    assert lines[-2].startswith("keys: 1 added, 1 changed, ")


def test_only_what_is_asked_for_is_compared(snapshot: Path, earlier: Path, reading: list[str]) -> None:
    def diff(*words: object) -> dict[str, Any]:
        done = invoke("snapshot", "diff", earlier, snapshot, *words, "-w", "json")
        assert done.exit_code == (0 if json.loads(done.stdout)["equal"] else 3)
        return dict(json.loads(done.stdout))

    assert diff("--resource", "daemonset", "--namespace", "shop")["equal"]
    found = diff("--namespace", "shop", *reading)
    assert {change["key"].split("/")[-2] for change in found["changes"]} == {"shop"}
    gone = [change for change in found["changes"] if change["change"] == "removed"]
    assert [change["key"] for change in gone] == ["/registry/configmaps/shop/gone"]
    assert gone[0]["before"]["object"]["data"]["currency"] == "EUR"
    whole = diff("--resource", "secrets", *reading, "--show-secrets")["changes"]
    assert whole[-1]["after"]["object"] == GO_JSON[SECRET]
    refused = invoke("snapshot", "diff", earlier, snapshot, "--resource", "cm", "--prefix", "/a")
    assert (refused.exit_code, refused.stdout) == (2, "")
