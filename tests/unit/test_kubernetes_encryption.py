"""EncryptionConfiguration files and values: decrypted are what Kubernetes' own transformers encrypted."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from support import samples

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.model.keyspace import Keyspace
from etcdtool.model.kubernetes.encryption import DecryptionError, EncryptionConfiguration
from etcdtool.sources import open_database

FOLDER = "k8s-objects/3.6"
CONFIG = samples.packed(f"{FOLDER}/encryption.yaml").read_text(encoding="utf-8")
HOLDS: dict[str, str] = samples.expected(FOLDER)["holds"]
ENCRYPTED = {key: of for key, of in HOLDS.items() if key != of}


@pytest.fixture(scope="module")
def values() -> dict[str, bytes]:
    with open_database(samples.unpack(f"{FOLDER}/snapshot.db.gz")) as database:
        return {item.key.decode(): item.value for item in Keyspace.read(database.image).items_at()}


def configuration(text: str = CONFIG) -> EncryptionConfiguration:
    return EncryptionConfiguration.parse(text.encode())


@pytest.mark.parametrize("key", ENCRYPTED)
def test_what_real_transformers_encrypted(key: str, values: dict[str, bytes]) -> None:
    assert configuration().decrypt(values[key], key=key.encode()) == values[ENCRYPTED[key]]


def test_all_three_providers_are_in_the_sample(values: dict[str, bytes]) -> None:
    assert {values[key].split(b":")[2] for key in ENCRYPTED} == {b"aesgcm", b"aescbc", b"secretbox"}


def test_a_value_that_is_not_encrypted_stays(values: dict[str, bytes]) -> None:
    key = "/registry/pods/shop/web-6f7d9c5b4-k2x9z"
    assert configuration().decrypt(values[key], key=key.encode()) == values[key]


def test_aesgcm_is_bound_to_its_key(values: dict[str, bytes]) -> None:
    key = "/registry/secrets/shop/by-aesgcm"
    with pytest.raises(DecryptionError, match="does not fit"):
        configuration().decrypt(values[key], key=b"/registry/secrets/shop/other")


@pytest.mark.parametrize("key", ENCRYPTED)
def test_damage_is_noticed(key: str, values: dict[str, bytes]) -> None:
    for place in (-1, len(values[key]) // 2):
        value = bytearray(values[key])
        value[place] ^= 0x55
        found = b""
        with contextlib.suppress(DecryptionError):
            found = configuration().decrypt(bytes(value), key=key.encode())
        assert found != values[ENCRYPTED[key]]
        assert not found or b":aescbc:" in value  # which has no checksum: a byte in the middle passes


@pytest.mark.parametrize("key", ENCRYPTED)
@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 40])
def test_short_values(key: str, size: int, values: dict[str, bytes]) -> None:
    head = b":".join(values[key].split(b":")[:5]) + b":"
    with pytest.raises(DecryptionError, match="does not fit"):
        configuration().decrypt(head + bytes(size), key=key.encode())


def test_the_key_of_the_right_rule_is_taken_first(values: dict[str, bytes]) -> None:
    """Two rules have a key of the same name; that of the resource is tried first, and the other one too."""
    key = "/registry/configmaps/shop/by-aescbc"
    secret = "QEFCQ0RFRkdISUpLTE1OT1BRUlNUVVZXWFlaW1xdXl8="
    wrong = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    rule = "- resources: [{}]\n  providers:\n  - aescbc: {{keys: [{{name: key1, secret: {}}}]}}\n"
    head = CONFIG[: CONFIG.index("resources:")] + "resources:\n"
    for first, second in (("secrets", "configmaps"), ("configmaps", "secrets")):
        text = head + rule.format(first, wrong) + rule.format(second, secret)
        found = configuration(text)
        assert found.decrypt(values[key], key=key.encode(), resource="configmaps") == values[ENCRYPTED[key]]


def test_names_with_a_colon(values: dict[str, bytes]) -> None:
    key = "/registry/configmaps/shop/by-aescbc"
    renamed = values[key].replace(b":key1:", b":key:1:", 1)
    assert configuration(CONFIG.replace("key1", "key:1")).decrypt(renamed, key=key.encode()) == values[ENCRYPTED[key]]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "its kind is not"),
        ("[]", "its kind is not"),
        ("{", "cannot be read as YAML"),
        ("\0", "cannot be read as YAML"),
        (CONFIG.replace("apiserver.config.k8s.io/v1", "v1"), "its apiVersion 'v1'"),
        (CONFIG.replace("resources:\n-", "other:\n-"), "'resources' is missing"),
        (CONFIG.replace("aescbc", "rot13"), "there is no provider 'rot13'"),
        (CONFIG.replace("AAEC", "A*EC"), "is not base64"),
        (CONFIG.replace("YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8=", "YGFiYw=="), "has 4 bytes, not 32"),
        (CONFIG.replace("name: key2", "label: key2"), "lacks its name or secret"),
    ],
)
def test_files_that_no_api_server_starts_with(text: str, problem: str) -> None:
    with pytest.raises(FormatError, match="encryption configuration") as raised:
        configuration(text)
    assert problem in str(raised.value)


def test_secrets_do_not_show() -> None:
    assert "secret=" not in repr(configuration())
    with pytest.raises(FormatError) as raised:
        configuration(CONFIG.replace("AAEC", "A"))
    assert "AwQF" not in str(raised.value)


@pytest.mark.parametrize(("name", "package"), [("aesgcm", "cryptography"), ("secretbox", "PyNaCl")])
def test_what_is_not_installed_is_named(
    name: str, package: str, values: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(module: str, *args: Any) -> Any:
        raise ImportError(module)

    monkeypatch.setattr("etcdtool.model.kubernetes.encryption.importlib.import_module", lacking)
    key = next(key for key in ENCRYPTED if f":{name}:".encode() in values[key])
    with pytest.raises(EtcdtoolError, match=f"{package}, which is not installed. Install it with"):
        configuration().decrypt(values[key], key=key.encode())
