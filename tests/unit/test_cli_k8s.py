"""``etcdtool k8s``: lists and manifests, as a person meets them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support import samples
from support.cli import invoke

from etcdtool.model.kubernetes.manifest import manifest_of

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "k8s-objects/3.6"
EXPECTED: dict[str, Any] = samples.expected(FOLDER)
GO_JSON: dict[str, Any] = EXPECTED["go_json"]
PASSWORD = "dG9wLXNlY3JldC1wYXNzd29yZA=="
PLAIN_PASSWORD = "top-secret-password"
POD = "/registry/pods/shop/web-6f7d9c5b4-k2x9z"


@pytest.fixture(scope="module")
def snapshot() -> Path:
    return samples.unpack(f"{FOLDER}/snapshot.db.gz")


@pytest.fixture(scope="module")
def descriptors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("k8s") / "kubernetes.binpb"
    path.write_bytes(gzip.decompress(samples.packed(f"{FOLDER}/kubernetes.binpb.gz").read_bytes()))
    return path


@pytest.fixture(scope="module")
def config() -> Path:
    return samples.packed(f"{FOLDER}/encryption.yaml")


def listed(*words: object) -> list[dict[str, Any]]:
    done = invoke("k8s", "list", *words, "-w", "json")
    assert done.exit_code == 0, done.stderr
    return list(json.loads(done.stdout))


def test_a_list_holds_every_object(snapshot: Path) -> None:
    before = samples.sha256(snapshot)
    done = invoke("k8s", "list", snapshot, "-w", "json")
    found = {item["key"]: item for item in json.loads(done.stdout)}
    assert set(found) == set(EXPECTED["holds"])
    for key, document in GO_JSON.items():
        item = found[key]
        assert (item["apiVersion"], item["kind"]) == (document["apiVersion"], document["kind"])
        assert item["name"] == document["metadata"]["name"]
        assert item["namespace"] == document["metadata"].get("namespace", "")
    assert done.stderr == "2 keys are no objects, and are not listed\n"  # compact_rev_key and health
    assert samples.sha256(snapshot) == before


@pytest.mark.parametrize("form", ["simple", "table", "fields"])
def test_the_other_forms_say_the_same(form: str, snapshot: Path) -> None:
    printed = invoke("k8s", "list", snapshot, "-w", form).stdout
    for item in listed(snapshot):
        assert item["name"] in printed
        assert str(item["revision"]) in printed
        assert not item["kind"] or item["kind"] in printed


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--resource", "deploy"], ["by-secretbox", "web"]),
        (["--resource", "Deployment.apps", "--namespace", "shop"], ["by-secretbox", "web"]),
        (["--resource", "deployments", "--namespace", "other"], []),
        (["--resource", "nodes"], ["node-1"]),
        (["--resource", "svc", "--namespace", "shop"], ["db", "web"]),
        (["--resource", "widgets"], ["blue", "by-secretbox"]),
        (["--resource", "widgets.example.com"], ["blue", "by-secretbox"]),
        (["--resource", "widgets.other.org"], []),
        (["--namespace", "kube-node-lease"], ["node-1"]),
        (["--etcd-prefix", "/elsewhere"], []),
    ],
)
def test_what_is_asked_for_is_listed(words: list[str], names: list[str], snapshot: Path) -> None:
    assert sorted(item["name"] for item in listed(snapshot, *words)) == names


def test_a_list_of_nothing_says_so(snapshot: Path) -> None:
    done = invoke("k8s", "list", snapshot, "--resource", "unicorns")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("no objects of that kind in ")


def test_a_list_as_of_a_revision(snapshot: Path) -> None:
    assert [item["name"] for item in listed(snapshot, "--rev", 3)] == ["gone", "web"]
    done = invoke("k8s", "list", snapshot, "--rev", 10_000)
    assert done.exit_code == 1
    assert "is a future revision" in done.stderr


def manifest(*words: object) -> dict[str, Any]:
    done = invoke("k8s", "restore-manifest", *words)
    assert done.exit_code == 0, done.stderr
    return dict(yaml.safe_load(done.stdout))


@pytest.mark.parametrize("key", GO_JSON)
def test_a_manifest_has_what_a_person_wrote(key: str, snapshot: Path, descriptors: Path) -> None:
    found = manifest(snapshot, key, "--descriptor-set", descriptors, "--show-secrets")
    expected = GO_JSON[key]
    assert (found["apiVersion"], found["kind"]) == (expected["apiVersion"], expected["kind"])
    assert "status" not in found
    assert set(found["metadata"]) <= {"name", "namespace", "generateName", "labels", "annotations", "finalizers"}
    assert found == manifest_of(expected).document
    spec = {name: value for name, value in (expected.get("spec") or {}).items() if name in found.get("spec", {})}
    assert set(found.get("spec", {})) == set(spec)


def test_by_name_it_is_the_same(snapshot: Path) -> None:
    by_key = manifest(snapshot, "/registry/configmaps/shop/prices")
    assert manifest(snapshot, "--resource", "cm", "--namespace", "shop", "--name", "prices") == by_key
    assert by_key["data"] == GO_JSON["/registry/configmaps/shop/prices"]["data"]
    as_json = invoke("k8s", "restore-manifest", snapshot, "/registry/configmaps/shop/prices", "-o", "json")
    assert json.loads(as_json.stdout) == by_key
    same = invoke("k8s", "restore-manifest", snapshot, "/registry/configmaps/shop/prices", "-w", "json")
    assert same.stdout == as_json.stdout


def test_a_pod_loses_what_only_held_there(snapshot: Path, descriptors: Path) -> None:
    done = invoke("k8s", "restore-manifest", snapshot, POD, "--descriptor-set", descriptors)
    found = yaml.safe_load(done.stdout)
    spec = found["spec"]
    assert not {"nodeName", "ephemeralContainers", "priority", "preemptionPolicy"} & set(spec)
    assert spec["priorityClassName"] == "high"
    assert "kube-api-access" not in done.stdout
    assert "volumeMounts" not in spec["initContainers"][0]
    assert [mount["name"] for mount in spec["containers"][0]["volumeMounts"]] == ["data"]
    assert found["metadata"]["finalizers"] == ["example.com/drain"]
    for words in ("ownerReferences are left out (ReplicaSet web-6f7d9c5b4)", "nodeName is left out", "being deleted"):
        assert words in done.stderr


def test_services_jobs_volumes_and_accounts(snapshot: Path, descriptors: Path) -> None:
    def of(key: str) -> dict[str, Any]:
        return manifest(snapshot, f"/registry/{key}", "--descriptor-set", descriptors)

    service = of("services/specs/shop/web")["spec"]
    assert not {"clusterIP", "clusterIPs", "healthCheckNodePort"} & set(service)
    assert service["ports"][0]["nodePort"] == 30080
    assert of("services/specs/shop/db")["spec"]["clusterIP"] == "None"
    job = of("jobs/shop/report-29543210")
    assert "selector" not in job["spec"]
    assert job["metadata"]["labels"] == {"app": "report"}
    assert job["spec"]["template"]["metadata"]["labels"] == {"app": "report"}
    volume = of("persistentvolumes/pv-1")
    assert volume["spec"]["claimRef"] == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": "shop",
        "name": "data-db-0",
    }
    claim = of("persistentvolumeclaims/shop/data-db-0")
    assert claim["spec"]["volumeName"] == "pv-1"
    assert list(claim["metadata"]["annotations"]) == ["volume.kubernetes.io/storage-provisioner"]
    assert of("serviceaccounts/shop/web")["secrets"] == [{"name": "database"}]
    assert "finalizers" not in of("namespaces/shop")["spec"]
    assert set(of("certificatesigningrequests/csr-1")["spec"]) == {
        "request",
        "signerName",
        "expirationSeconds",
        "usages",
    }


def test_a_custom_resource_keeps_its_nulls(snapshot: Path) -> None:
    found = manifest(snapshot, "/registry/example.com/widgets/shop/blue")
    assert found["spec"] == GO_JSON["/registry/example.com/widgets/shop/blue"]["spec"]
    assert found["spec"]["big"] == 9007199254740993
    assert found["spec"]["nothing"] is None


def test_protobuf_without_names_is_refused(snapshot: Path) -> None:
    done = invoke("k8s", "restore-manifest", snapshot, POD)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "(Pod) cannot be given as a manifest: without a descriptor set" in done.stderr
    assert "--descriptor-set" in done.stderr


def test_a_secret_is_refused_unless_it_is_asked_for(snapshot: Path, config: Path) -> None:
    for key in ("/registry/secrets/shop/database", "/registry/secrets/shop/by-aesgcm"):
        done = invoke("k8s", "restore-manifest", snapshot, key, "--encryption-config", config)
        assert (done.exit_code, done.stdout) == (3, "")
        assert "is a Secret" in done.stderr
        assert "--show-secrets" in done.stderr
        assert PASSWORD not in done.stderr
        found = manifest(snapshot, key, "--encryption-config", config, "--show-secrets")
        assert found["data"]["password"] == PASSWORD


def test_an_encrypted_object_names_what_it_needs(snapshot: Path) -> None:
    done = invoke("k8s", "restore-manifest", snapshot, "/registry/secrets/shop/by-aesgcm", "--show-secrets")
    assert done.exit_code == 1
    assert "encrypted by aesgcm, key key1; give --encryption-config" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["/registry/pods/shop/none"], 1, "there is no /registry/pods/shop/none"),
        (["/registry/health"], 1, "holds no object that can be read: there is no value"),
        (["--resource", "cm"], 2, "which object is missing"),
        (["--name", "a"], 2, "which object is missing"),
        (["/a", "--resource", "cm"], 2, "a KEY names one object already"),
        (["--resource", "cm", "--namespace", "x", "--name", "prices"], 1, "It is in shop."),
        (["--resource", "cm", "--namespace", "shop", "--name", "gone"], 1, "was deleted at revision 37"),
        (["/registry/configmaps/shop/gone"], 1, "--rev 36 has it."),
        (["/registry/configmaps/shop/prices", "--rev", "4"], 1, "--rev 5 has it."),
        (["--resource", "unicorns", "--name", "gone"], 1, "there is no unicorns gone"),
        (["/registry/configmaps/shop/prices", "--descriptor-set", __file__], 10, "descriptor set in "),
        (["/registry/configmaps/shop/prices", "--encryption-config", __file__], 10, "encryption configuration in "),
    ],
)
def test_what_cannot_be_given(words: list[str], code: int, message: str, snapshot: Path) -> None:
    done = invoke("k8s", "restore-manifest", snapshot, *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr


def test_what_was_deleted_is_read_at_its_revision(snapshot: Path) -> None:
    found = manifest(snapshot, "/registry/configmaps/shop/gone", "--rev", 36)
    assert found["data"]["currency"] == "EUR"


def test_several_objects_are_named(tmp_path: Path) -> None:
    path = samples.unpack("k8s/3.6/snapshot.db.gz")
    done = invoke("k8s", "restore-manifest", path, "--resource", "cm", "--name", "cfg")
    assert done.exit_code == 1
    assert "2 objects are meant. Name one by its key: /registry/configmaps/default/cfg, " in done.stderr


@pytest.mark.parametrize("words", [[], ["--resource", "widgets"], ["--resource", "svc", "--namespace", "shop"]])
def test_both_engines_find_the_same(words: list[str], snapshot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = listed(snapshot, *words)
    monkeypatch.setenv("ETCDTOOL_ENGINE", "plain")
    assert listed(snapshot, *words) == found
