"""Objects of Kubernetes, encoded, encrypted and read by Kubernetes' own Go code while the test runs."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from support import kubernetes, kubernetes_sample
from support.cli import invoke
from support.real import Server

from etcdtool.cli._yaml import yaml_text
from etcdtool.model.kubernetes.encryption import EncryptionConfiguration
from etcdtool.model.kubernetes.objects import ObjectReader
from etcdtool.model.kubernetes.schema import Schemas

if TYPE_CHECKING:
    import random
    from pathlib import Path

PROVIDERS = {"aesgcm": (16, 24, 32), "aescbc": (16, 24, 32), "secretbox": (32,)}


@pytest.fixture(scope="module")
def schemas() -> Schemas:
    return Schemas.parse(kubernetes.descriptor_set().read_bytes())


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("k8s")
    with Server("3.7", folder / "data") as server:
        kubernetes_sample.fill(server)
        server.etcdctl("snapshot", "save", str(folder / "snapshot.db"))
    return folder / "snapshot.db"


def test_the_table_of_go_s_fields_is_up_to_date() -> None:
    text = kubernetes.go_fields()
    assert kubernetes.GO_FIELDS.read_text(encoding="utf-8") == text, "run tests/support/kubernetes.py"


@pytest.mark.parametrize("count", [1, pytest.param(40, marks=pytest.mark.full)])
def test_random_objects_of_every_kind(count: int, rng: random.Random, schemas: Schemas) -> None:
    seed = rng.randrange(1 << 31)
    named, unnamed = ObjectReader(schemas=schemas, show_secrets=True), ObjectReader(show_secrets=True)
    kinds = set()
    for item in kubernetes.random_objects(seed, count):
        found = named.read(b"/registry/some/thing", item.value)
        assert found.document == item.document, seed
        assert (found.is_complete, found.notes) == (True, ())
        partial = unnamed.read(b"/registry/some/thing", item.value)
        assert partial.document is not None
        assert partial.document["metadata"] == item.document["metadata"], seed
        kinds.add((found.api_version, found.kind))
    assert len(kinds) > 90


def test_objects_come_back_from_a_server_s_snapshot(snapshot: Path) -> None:
    """By a descriptor set that was made by the very lines of the how-to page."""
    printed = []
    for item in kubernetes.objects():
        words = [snapshot, item.key, "--descriptor-set", kubernetes.descriptor_set(), "--show-secrets"]
        done = invoke("k8s", "restore-manifest", *words)
        assert done.exit_code == 0, done.stderr
        printed.append(done.stdout)
        found = yaml.safe_load(done.stdout)
        assert found["metadata"]["name"] == item.document["metadata"]["name"]
    for text, answer in zip(printed, kubernetes.read_manifests(printed), strict=True):
        assert "error" not in answer, text  # read strictly: a field that there is not would be one
        assert answer["json"] == yaml.safe_load(text)


def test_yaml_of_objects_is_read_by_go_as_their_json(schemas: Schemas) -> None:
    reader = ObjectReader(schemas=schemas, show_secrets=True)
    items = kubernetes.objects()
    texts = [yaml_text(reader.read(item.key.encode(), item.value).document) for item in items]
    for item, answer in zip(items, kubernetes.read_manifests(texts), strict=True):
        assert "error" not in answer, item.key
        assert answer["json"] == item.document


def odd_texts(rng: random.Random, count: int) -> list[str]:
    """Give texts that YAML takes for something else if it may."""
    alphabet = "0123456789+-._:,eExXoObBaAfFnNuUlLtTrRsSyY~=<>&*!|%@`'\"#?{}[] \t\n\\/\x85\u2028\u202e\ufeff\x07é例😀"
    made = ["".join(rng.choices(alphabet, k=rng.randrange(7))) for _ in range(count)]
    spelled = "1e3 0o17 017 0x1F 0b11 1_000 1,000 .5 5. +1 -0 .inf -.Inf .NaN nan inf infinity 1:30 12:30:45 2001-01-01"
    words = "y Y yes No on OFF true False null Null NULL ~ = << - -- --- ... ? : # ! & * | > % @ `"
    return [*spelled.split(), *words.split(), *made, "2001-12-14t21:59:43.10-05:00", " lead", "trail ", "a: b", "a #b"]


@pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.full)])
def test_go_reads_texts_as_they_were(count: int, rng: random.Random) -> None:
    texts = odd_texts(rng, count)
    document = {"values": texts, "keys": dict.fromkeys(texts, 1), "lines": [f"{text}\n{text}\n" for text in texts]}
    (answer,) = kubernetes.read_manifests([yaml_text(document)])
    assert answer["json"] == document


@pytest.mark.parametrize("count", [3, pytest.param(200, marks=pytest.mark.full)])
def test_values_encrypted_by_the_api_server_s_code(count: int, rng: random.Random, tmp_path: Path) -> None:
    objects = [item for item in kubernetes.objects() if item.key]
    for turn in range(count):
        provider, sizes = rng.choice(sorted(PROVIDERS.items()))
        keys = [
            {"name": f"key{number}", "secret": base64.b64encode(rng.randbytes(rng.choice(sizes))).decode()}
            for number in range(rng.randint(1, 3))
        ]
        other = [{"name": "key0", "secret": base64.b64encode(rng.randbytes(32)).decode()}]
        providers: list[Any] = [{provider: {"keys": keys}}, {provider: {"keys": other}}, {"identity": {}}]
        text = config_of(providers)
        path = tmp_path / f"{turn}.yaml"
        path.write_text(text, encoding="utf-8")
        chosen = rng.sample(objects, 5)
        values = kubernetes.encrypt(path, [("secrets", item.key, item.value) for item in chosen])
        rng.shuffle(keys)
        rng.shuffle(providers)
        turned = EncryptionConfiguration.parse(config_of(providers).encode())
        for item, value in zip(chosen, values, strict=True):
            assert value.startswith(f"k8s:enc:{provider}:v1:key0:".encode()) or len(keys) > 1
            assert turned.decrypt(value, key=item.key.encode()) == item.value


def config_of(providers: list[Any]) -> str:
    return json.dumps(
        {
            "kind": "EncryptionConfiguration",
            "apiVersion": "apiserver.config.k8s.io/v1",
            "resources": [{"resources": ["secrets"], "providers": providers}],
        }
    )
