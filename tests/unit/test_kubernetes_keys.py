"""Keys of Kubernetes: what each names, held to the keys that lie in a real sample."""

from __future__ import annotations

import base64
import json

import pytest
from support import samples

from etcdtool.model.kubernetes_keys import ObjectKey, parse_key, plural, resource_folders


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (b"/registry/pods/default/web-0", ("", "pods", "default", "web-0")),
        (b"/registry/minions/node-1", ("", "nodes", "", "node-1")),
        (b"/registry/services/specs/default/svc", ("", "services", "default", "svc")),
        (b"/registry/services/endpoints/default/svc", ("", "endpoints", "default", "svc")),
        (b"/registry/ingress/default/front", ("", "ingresses", "default", "front")),
        (b"/registry/controllers/default/old", ("", "replicationcontrollers", "default", "old")),
        (b"/registry/clusterroles/system:node", ("", "clusterroles", "", "system:node")),
        (b"/registry/ranges/serviceips", ("", "ranges", "", "serviceips")),
        (b"/registry/example.com/widgets/default/one", ("example.com", "widgets", "default", "one")),
        (b"/registry/example.com/minions/one", ("example.com", "minions", "", "one")),
        (
            b"/registry/apiextensions.k8s.io/customresourcedefinitions/widgets.example.com",
            ("apiextensions.k8s.io", "customresourcedefinitions", "", "widgets.example.com"),
        ),
        (b"/kubernetes.io/pods/ns/a", ("", "pods", "ns", "a")),
    ],
)
def test_a_key_names_an_object(key: bytes, found: tuple[str, str, str, str]) -> None:
    assert parse_key(key) == ObjectKey(*found)


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"/registry",
        b"/registry/",
        b"/registry/health",
        b"/registryx/pods/a/b",
        b"/registry/pods//x",
        b"/registry/pods/a/b/c",
        b"/registry/services/specs",
        b"/registry/pods/\xff/x",
        b"compact_rev_key",
        b"/app/pods/a/b",
    ],
)
def test_other_keys_name_nothing(key: bytes) -> None:
    assert parse_key(key) is None


def test_another_prefix_is_taken() -> None:
    key = b"/clusters/one/registry/pods/default/web"
    assert parse_key(key) is None
    assert parse_key(key, (b"/clusters/one/registry",)) == ObjectKey("", "pods", "default", "web")


def test_names_agree_with_the_objects_of_the_sample() -> None:
    record = samples.expected("k8s/3.6")
    for item in record["serialized_by_kubernetes"]:
        found = parse_key(item["key"].encode())
        assert found is not None
        metadata = item["as_json"]["metadata"]
        assert (found.namespace, found.name) == (metadata.get("namespace", ""), metadata["name"]), item["key"]


def test_values_of_the_sample_agree_where_they_are_json() -> None:
    agreed = 0
    for item in samples.expected("k8s/3.6")["range"]["kvs"]:
        value = base64.b64decode(item.get("value", ""))
        found = parse_key(base64.b64decode(item["key"]))
        if not value.startswith(b"{") or found is None:
            continue
        document = json.loads(value)
        assert found.name == document["metadata"]["name"]
        assert not found.group or document["apiVersion"].startswith(f"{found.group}/")
        agreed += 1
    assert agreed >= 3


@pytest.mark.parametrize(
    ("resource", "folders"),
    [
        ("pods", ("pods",)),
        ("nodes", ("minions", "nodes")),
        ("services", ("services/specs", "services")),
        ("widgets.example.com", ("example.com/widgets", "widgets")),
        ("deployments.apps", ("apps/deployments", "deployments")),
    ],
)
def test_folders_of_a_resource(resource: str, folders: tuple[str, ...]) -> None:
    assert resource_folders(resource) == folders


@pytest.mark.parametrize(
    ("word", "resource"),
    [
        ("pods", "pods"),
        ("Pod", "pods"),
        ("cm", "configmaps"),
        ("ingress", "ingresses"),
        ("ingresses", "ingresses"),
        ("networkpolicy", "networkpolicies"),
        ("endpoints", "endpoints"),
        ("storageclass", "storageclasses"),
        ("widgets.example.com", "widgets.example.com"),
        ("Widget.example.com", "widgets.example.com"),
    ],
)
def test_words_of_kubectl(word: str, resource: str) -> None:
    assert plural(word) == resource
