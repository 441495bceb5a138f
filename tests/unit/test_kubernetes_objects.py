"""Objects of Kubernetes, held to the JSON that Kubernetes' own Go types made of the same values."""

from __future__ import annotations

import gzip
import json
from functools import cache
from hashlib import sha256
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support import samples

from etcdtool.cli._yaml import yaml_text
from etcdtool.errors import FormatError
from etcdtool.formats import wire
from etcdtool.model.keyspace import Keyspace
from etcdtool.model.kubernetes.encryption import EncryptionConfiguration
from etcdtool.model.kubernetes.field_tree import field_tree
from etcdtool.model.kubernetes.go_values import SPECIAL, parse_json
from etcdtool.model.kubernetes.head import Head
from etcdtool.model.kubernetes.objects import ObjectReader
from etcdtool.model.kubernetes.schema import Schemas
from etcdtool.model.kubernetes.storage_form import Encryption, Form, StoredValue
from etcdtool.model.protofields import iter_fields
from etcdtool.sources import open_database

FOLDER = "k8s-objects/3.6"
EXPECTED: dict[str, Any] = samples.expected(FOLDER)


@cache
def schemas() -> Schemas:
    return Schemas.parse(gzip.decompress(samples.packed(f"{FOLDER}/kubernetes.binpb.gz").read_bytes()))


@cache
def configuration() -> EncryptionConfiguration:
    return EncryptionConfiguration.parse(samples.packed(f"{FOLDER}/encryption.yaml").read_bytes())


@cache
def values(name: str) -> dict[str, bytes]:
    with open_database(samples.unpack(name)) as database:
        return {item.key.decode(): item.value for item in Keyspace.read(database.image).items_at()}


VALUES = values(f"{FOLDER}/snapshot.db.gz")
OLDER_VALUES = values("k8s/3.6/snapshot.db.gz")
OLDER: list[dict[str, Any]] = [
    item
    for item in samples.expected("k8s/3.6")["serialized_by_kubernetes"]
    if sha256(OLDER_VALUES.get(item["key"], b"")).hexdigest() == item["value_sha256"]
]


def reader(**given: Any) -> ObjectReader:
    return ObjectReader(**{"schemas": schemas(), "encryption": configuration(), "show_secrets": True} | given)


def test_the_sample_has_many_kinds() -> None:
    assert len({(found["apiVersion"], found["kind"]) for found in EXPECTED["go_json"].values()}) >= 30


@pytest.mark.parametrize("key", EXPECTED["holds"])
def test_an_object_is_what_go_makes_of_it(key: str) -> None:
    found = reader().read(key.encode(), VALUES[key])
    assert found.document == EXPECTED["go_json"][EXPECTED["holds"][key]]
    assert found.is_complete
    assert found.notes == ()


@pytest.mark.parametrize("key", EXPECTED["holds"])
def test_as_yaml_it_is_the_same(key: str) -> None:
    document = reader().read(key.encode(), VALUES[key]).document
    assert yaml.safe_load(yaml_text(document)) == EXPECTED["go_json"][EXPECTED["holds"][key]]


@pytest.mark.parametrize("item", OLDER, ids=lambda item: item["key"])
def test_objects_of_an_older_kubernetes(item: dict[str, Any]) -> None:
    found = reader().read(item["key"].encode(), OLDER_VALUES[item["key"]])
    # since 1.34 Go leaves times out that it wrote as null before
    assert without_null_times(found.document) == without_null_times(item["as_json"])


def without_null_times(node: Any) -> Any:
    if isinstance(node, dict):
        pairs = ((name, without_null_times(value)) for name, value in node.items())
        return {name: value for name, value in pairs if (name, value) != ("creationTimestamp", None)}
    return [without_null_times(value) for value in node] if isinstance(node, list) else node


@pytest.mark.parametrize("key", [key for key in EXPECTED["go_json"] if not VALUES[key].startswith(b"{")])
def test_without_a_descriptor_set_the_metadata_are_exact(key: str) -> None:
    found = reader(schemas=None).read(key.encode(), VALUES[key])
    expected = EXPECTED["go_json"][key]
    assert found.document is not None
    assert (found.api_version, found.kind) == (expected["apiVersion"], expected["kind"])
    assert found.document["metadata"] == expected["metadata"]
    assert (found.namespace, found.name) == (expected["metadata"].get("namespace", ""), expected["metadata"]["name"])
    assert found.uid == expected["metadata"].get("uid", "")
    whole = expected["kind"] in {"Secret", "ConfigMap"}
    assert found.is_complete is whole
    assert whole or "without a descriptor set" in found.notes[0]
    assert not whole or found.document == expected


def texts_of(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set().union(*map(texts_of, node.values()), *map(texts_of, node))
    if isinstance(node, list):
        return set().union(*map(texts_of, node))
    return {node} if isinstance(node, str) else set()


def test_the_tree_holds_every_text_of_a_pod() -> None:
    key = "/registry/pods/shop/web-6f7d9c5b4-k2x9z"
    document = reader(schemas=None).read(key.encode(), VALUES[key]).document
    assert document is not None
    spec = EXPECTED["go_json"][key]["spec"]
    values_only = {text for text in texts_of(spec) if text in VALUES[key].decode("utf-8", "replace")}
    lost = values_only - texts_of(document["2"]) - names_of(spec)
    assert lost == set()


def names_of(node: Any) -> set[str]:
    if isinstance(node, dict):
        return set(node).union(*map(names_of, node.values()))
    return set().union(*map(names_of, node)) if isinstance(node, list) else set()


def test_a_schema_that_lacks_a_field_shows_its_number() -> None:
    key = "/registry/priorityclasses/high"
    envelope = wire.kubernetes_pb2.Unknown.FromString(VALUES[key][4:])
    envelope.raw += b"\xa2\x06\x03new" + b"\xa8\x06\x07"
    found = reader().read(key.encode(), b"k8s\0" + envelope.SerializeToString())
    assert found.document is not None
    assert (found.document["100"], found.document["101"]) == ("new", 7)
    assert not found.is_complete
    assert found.notes == ("fields that the schema does not know are shown by number: 100, 101",)


def test_an_unknown_kind_with_a_descriptor_set() -> None:
    envelope = wire.kubernetes_pb2.Unknown(raw=wire.kubernetes_pb2.PartialObject().SerializeToString())
    envelope.typeMeta.apiVersion, envelope.typeMeta.kind = "example.com/v1", "Strange"
    found = reader().read(b"/registry/strange/a", b"k8s\0" + envelope.SerializeToString())
    assert found.kind == "Strange"
    assert "lacks the kind" in found.notes[0]


@pytest.mark.parametrize(
    ("value", "form", "note"),
    [
        (b"", Form.EMPTY, "there is no value"),
        (b"k8s\0", Form.PROTOBUF, ""),
        (b"k8s\0\xff", Form.PROTOBUF, "envelope"),
        (b"1234", Form.OTHER, "4 bytes of no object"),
        (b"\xd9\xd9\xf7\xa0", Form.CBOR, "4 bytes of CBOR"),
        (b"{", Form.JSON, "damaged: JSON"),
        (b"{}", Form.JSON, ""),
        (b'{"a":1e999}', Form.JSON, "damaged: JSON"),
        (b'{"a":' * 400 + b"1" + b"}" * 400, Form.JSON, "damaged: JSON"),
        (b'{"a":' * 140 + b"1" + b"}" * 140, Form.JSON, ""),
        (b'{"a":' * 100_000, Form.JSON, "damaged: JSON"),
        (b"k8s:enc:aescbc:v1:none:" + bytes(32), Form.ENCRYPTED, "does not have"),
        (b"k8s:enc:kms:v1:cloud:" + bytes(32), Form.ENCRYPTED, "by kms v1, provider cloud"),
        (b"{" + bytes(17 << 20), Form.OTHER, "17825793 bytes, more than an object can have"),
        (b"k8s:enc:x", Form.ENCRYPTED, "head that cannot be read"),
    ],
)
def test_whatever_a_value_is_something_is_said(value: bytes, form: Form, note: str) -> None:
    found = reader().read(b"/registry/things/a", value)
    assert found.form is form
    assert note in "; ".join(found.notes)
    assert not found.is_complete


def test_kms_v2_names_the_remote_key() -> None:
    payload = wire.kubernetes_pb2.EncryptedObject(keyID="arn:key/1", encryptedData=b"x").SerializeToString()
    stored = StoredValue.parse(b"k8s:enc:kms:v2:cloud:" + payload)
    assert stored.encryption == Encryption("kms", "v2", "cloud", "arn:key/1", payload)
    assert str(stored.encryption) == "by kms v2, provider cloud, remote key arn:key/1"


@pytest.mark.parametrize(
    ("name", "message", "shown"),
    [
        ("Time", b"", None),
        ("Time", b"\x08\x00\x10\x00", "1970-01-01T00:00:00Z"),
        ("Time", b"\x08\x80\x92\xb8\xc3\x98\xfe\xff\xff\xff\x01", None),
        ("MicroTime", b"\x08\x01\x10\xe8\x07", "1970-01-01T00:00:01.000001Z"),
        ("Duration", b"\x08\x00", "0s"),
        ("Duration", b"\x08\xc0\xbb\xaf\xa4\x8b\x8e\x0e", None),
        ("FieldsV1", b"", None),
        ("FieldsV1", b"\x0a\x02{]", "e10="),
    ],
)
def test_types_that_write_their_own_json(name: str, message: bytes, shown: Any) -> None:
    found = SPECIAL[f"k8s.io.apimachinery.pkg.apis.meta.v1.{name}"](message)
    assert found == shown or (name == "Duration" and shown is None and found.endswith("s"))


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (1, "1ns"),
        (1_100, "1.1µs"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (8 * 60 * 1_000_000_000 + 1, "8m0.000000001s"),
        (3_600_000_000_000, "1h0m0s"),
        ((1 << 63) - 1, "2562047h47m16.854775807s"),
        (-(1 << 63), "-2562047h47m16.854775808s"),
    ],
)
def test_durations_are_go_s(nanoseconds: int, text: str) -> None:
    message = wire.kubernetes_pb2.Time(seconds=nanoseconds).SerializeToString()  # the same fields on the wire
    assert SPECIAL["k8s.io.apimachinery.pkg.apis.meta.v1.Duration"](message) == text


def test_a_time_beyond_all_years_is_shown_by_number() -> None:
    key = "/registry/namespaces/shop"
    envelope = wire.kubernetes_pb2.Unknown.FromString(VALUES[key][4:])
    partial = wire.kubernetes_pb2.PartialObject.FromString(envelope.raw)
    partial.metadata.creationTimestamp.seconds = 1 << 60
    envelope.raw = partial.SerializeToString()
    found = reader().read(key.encode(), b"k8s\0" + envelope.SerializeToString())
    assert found.notes == ("damaged, shown as far as it can be read: metadata.creationTimestamp",)


@given(st.binary(max_size=300))
def test_any_bytes_give_an_object(data: bytes) -> None:
    for value in (data, b"k8s\0" + data, b"{" + data, b"k8s:enc:" + data):
        for key in (b"/registry/pods/a/b", data):
            for schema in (None, schemas()):
                found = reader(schemas=schema).read(key, value)
                yaml_text(found.document)
            Head.parse(value)


@given(st.data())
def test_any_damage_to_an_object_gives_an_object(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(VALUES)))
    value = bytearray(VALUES[key])
    for _ in range(data.draw(st.integers(1, 4))):
        if value:
            value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(value[: data.draw(st.integers(0, len(value)))])
    for schema in (None, schemas()):
        for changed in (bytes(value), cut):
            yaml_text(reader(schemas=schema).read(key.encode(), changed).document)


@given(st.binary(max_size=200))
def test_any_message_gives_a_tree_of_what_can_be_written(data: bytes) -> None:
    try:
        fields = list(iter_fields(data))
    except FormatError:
        return
    json.dumps(field_tree(fields))


def test_deep_messages_end_somewhere() -> None:
    data = b"\xffend"
    while len(data) < 200_000:
        size = len(data)
        data = b"\x0a" + encode_size(size) + data
    tree = field_tree(iter_fields(data))
    assert list(tree) == ["1"]


def encode_size(size: int) -> bytes:
    out = bytearray()
    while size >= 0x80:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*out, size])


@pytest.mark.parametrize("data", [b"", b"\xff\xff", b"no descriptor set at all"])
def test_other_files_are_no_descriptor_sets(data: bytes) -> None:
    with pytest.raises(FormatError, match="descriptor set"):
        Schemas.parse(data)


def test_json_with_numbers_that_nothing_holds() -> None:
    with pytest.raises(FormatError):
        parse_json(b'{"a": NaN}')


@given(
    st.recursive(
        st.text() | st.integers() | st.booleans() | st.none(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_yaml_reads_back(document: Any) -> None:
    text = yaml_text(document)
    assert not set(text) & {chr(code) for code in [*range(9), *range(11, 32), 0x7F, 0x85, 0x202E, 0x2028, 0xFEFF]}
    assert yaml.safe_load(text) == document


SECRET = "/registry/secrets/shop/database"


def shown(found: Any) -> str:
    return repr((found.document, found.notes, found.name, found.uid, found.kind))


@given(st.data())
def test_damage_does_not_make_a_secret_show(data: st.DataObject) -> None:
    value = bytearray(VALUES[SECRET])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(value) - 1))
        value[place] ^= data.draw(st.sampled_from([1, 2, 4, 8, 16, 32, 64, 128, 255]))
    for schema in (None, schemas()):
        found = reader(schemas=schema, show_secrets=False).read(SECRET.encode(), bytes(value))
        assert not found.document or found.is_redacted
        assert "top-secret" not in shown(found)
        assert "dG9wLXNlY3JldC" not in shown(found)


@pytest.mark.parametrize("bit", range(8))
def test_no_bit_makes_a_secret_show(bit: int) -> None:
    whole = VALUES[SECRET]
    hiding = reader(schemas=None, show_secrets=False)
    for place in range(len(whole)):
        value = bytes([*whole[:place], whole[place] ^ (1 << bit), *whole[place + 1 :]])
        found = hiding.read(SECRET.encode(), value)
        assert "top-secret" not in shown(found), place
        assert "dG9wLXNlY3JldC" not in shown(found), place


def test_a_secret_that_another_key_names_is_not_shown() -> None:
    found = reader(show_secrets=False).read(b"/registry/secrets/shop/other", VALUES[SECRET])
    assert found.document == {"kind": "Secret", "metadata": {"name": "other", "namespace": "shop"}}
    assert found.is_redacted


@pytest.mark.parametrize(
    "value",
    [
        b'{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a b@c"},"data":{"x":"dG9wLXNl"},"more":"dG9w"}',
        b'{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a"},"data":{"dG9w dG9w":"dG9w"},"stringData":"dG9w"}',
        b'{"kind":"Secret","apiVersion":"v1","metadata":{"name":"a","x":"dG9w"},"data":["dG9w"]}',
        b'{"kind":"Secret","apiVersion":"v1","metadata":["dG9w"],"data":{"a":{"b":"dG9w"}}}',
    ],
)
def test_secrets_of_odd_shapes(value: bytes) -> None:
    found = reader(show_secrets=False).read(b"/elsewhere", value)
    assert "dG9w" not in shown(found)
    assert found.is_redacted
