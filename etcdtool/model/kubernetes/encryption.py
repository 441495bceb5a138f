"""An EncryptionConfiguration file, and values decrypted with the keys in it as an API server decrypts them.

Providers and their keys are tried in the order of the file, those of rules that name the resource first: the key says
which resource it is, not of which group.  What does not decrypt, or to nothing that an API server stores, is passed
over, as two providers may have keys of the same name.
Format: docs/formats/kubernetes.md, "Encrypted values".
Upstream: ``apiserver/pkg/server/options/encryptionconfig/config.go``, ``pkg/storage/value/encrypt/{aes,secretbox}``,
``pkg/storage/value/transformer.go`` @ Kubernetes 1.37.
"""

from __future__ import annotations

import base64
import binascii
import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etcdtool.errors import EtcdtoolError, FormatError
from etcdtool.model.kubernetes.storage_form import ENCRYPTED_MAGIC, Encryption, Form, StoredValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["DecryptionError", "EncryptionConfiguration", "Key"]

_AES_BLOCK_SIZE, _GCM_NONCE_SIZE, _GCM_TAG_SIZE = 16, 12, 16
_SECRETBOX_NONCE_SIZE, _SECRETBOX_OVERHEAD = 24, 16
_AES_KEY_SIZES, _SECRETBOX_KEY_SIZES = (16, 24, 32), (32,)
_KIND = "EncryptionConfiguration"
_OLD_KIND = "EncryptionConfig"
_LOCAL = ("aesgcm", "aescbc", "secretbox")
_SUPPORTED_API = "apiserver.config.k8s.io/"


class DecryptionError(EtcdtoolError):
    """A value that no key of the file decrypts; the message says why."""


class _WrongKeyError(Exception):
    """This key is not the one."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the file.

    Attributes:
        provider: ``aesgcm``, ``aescbc`` or ``secretbox``.
        name: what values that are encrypted with it say.
        resources: what it is for, in the words of the file.
    """

    provider: str
    name: str
    resources: tuple[str, ...]
    secret: bytes = field(repr=False)

    @property
    def prefix(self) -> bytes:
        """What every value begins with that this key encrypts."""
        return f"k8s:enc:{self.provider}:v1:{self.name}:".encode()

    def is_for(self, resource: str) -> bool:
        """Tell whether a rule names a resource, its group left aside."""
        return any(rule == "*." or rule.partition(".")[0] in {resource, "*"} for rule in self.resources)


@dataclass(frozen=True, slots=True)
class EncryptionConfiguration:
    """The keys of a file, in its order; those of ``kms`` are elsewhere."""

    keys: tuple[Key, ...]

    @classmethod
    def parse(cls, text: bytes) -> EncryptionConfiguration:
        """Read the YAML or JSON that ``kube-apiserver --encryption-provider-config`` takes.

        Raises:
            FormatError: an API server would not start with it.
        """
        document = _load(text)
        keys: list[Key] = []
        for rule in _list(document, "resources"):
            resources = tuple(str(name) for name in _list(rule, "resources"))
            for provider in _list(rule, "providers"):
                keys += _keys_of(provider, resources)
        return cls(tuple(keys))

    def decrypt(self, value: bytes, *, key: bytes, resource: str = "") -> bytes:
        """Return what an encrypted value holds; one that is not encrypted comes back as it is.

        Args:
            value: as etcd holds it.
            key: of etcd, which aesgcm authenticates the value with.
            resource: what the key names, to choose among keys of the same name.

        Raises:
            DecryptionError: no key of the file fits.
        """
        if not value.startswith(ENCRYPTED_MAGIC):
            return value
        head = Encryption.parse(value)
        if head.provider == "kms":
            raise DecryptionError(
                f"it is encrypted {head}, and that key never is in a file",
                hint="Only an API server with the same KMS plugin can read it.",
            )
        fitting = [found for found in self.keys if value.startswith(found.prefix)]
        if not fitting:
            raise DecryptionError(f"it is encrypted {head}, which the encryption configuration does not have")
        fitting.sort(key=lambda found: not found.is_for(resource))  # sorting keeps the order of equals
        for found in fitting:
            try:
                content = _DECRYPT[found.provider](found.secret, value[len(found.prefix) :], key)
            except _WrongKeyError:
                continue
            if StoredValue.parse(content).form not in {Form.OTHER, Form.EMPTY, Form.ENCRYPTED}:
                return content
        raise DecryptionError(
            f"it is encrypted {head}, and the key of that name in the encryption configuration does not fit",
            hint="The key may have been replaced since, or the value damaged or copied from another key of etcd.",
        )


def _load(text: bytes) -> dict[str, Any]:
    import yaml  # noqa: PLC0415  only this file needs it

    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise _off(f"cannot be read as YAML: {first}") from None
    if not isinstance(document, dict) or document.get("kind") not in {_KIND, _OLD_KIND}:
        raise _off(f"its kind is not {_KIND}")
    api_version = str(document.get("apiVersion"))
    if document["kind"] == _KIND and not api_version.startswith(_SUPPORTED_API):
        raise _off(f"its apiVersion {api_version!r} is not that of an {_KIND}")
    return document


def _list(mapping: Any, name: str) -> list[Any]:
    found = mapping.get(name) if isinstance(mapping, dict) else None
    if not isinstance(found, list) or not found:
        raise _off(f"{name!r} is missing, or no list")
    if name != "providers":
        return found
    if not all(isinstance(one, dict) and len(one) == 1 for one in found):
        raise _off("each of 'providers' has to name one provider")
    return found


def _keys_of(provider: dict[str, Any], resources: tuple[str, ...]) -> Iterator[Key]:
    (name, settings), *_ = provider.items()
    if name not in _LOCAL:
        if name not in {"kms", "identity"}:
            raise _off(f"there is no provider {name!r}")
        return
    sizes = _SECRETBOX_KEY_SIZES if name == "secretbox" else _AES_KEY_SIZES
    for entry in _list(settings, "keys"):
        key_name, text = (entry.get("name"), entry.get("secret")) if isinstance(entry, dict) else (None, None)
        if not key_name or not text:
            raise _off(f"a key of {name} lacks its name or secret")
        try:
            secret = base64.b64decode(str(text), validate=True)
        except (binascii.Error, ValueError):
            raise _off(f"the secret of {name} key {key_name} is not base64") from None
        if len(secret) not in sizes:
            allowed = " or ".join(map(str, sizes))
            raise _off(f"the secret of {name} key {key_name} has {len(secret)} bytes, not {allowed}")
        yield Key(name, str(key_name), resources, secret)


def _off(problem: str) -> FormatError:
    return FormatError("encryption configuration", problem, hint="It is what kube-apiserver's flag names.")


def _decrypt_cbc(secret: bytes, payload: bytes, _: bytes) -> bytes:
    ciphers = _import("cryptography.hazmat.primitives.ciphers", "cryptography")
    if len(payload) < 2 * _AES_BLOCK_SIZE or len(payload) % _AES_BLOCK_SIZE:
        raise _WrongKeyError
    nonce, content = payload[:_AES_BLOCK_SIZE], payload[_AES_BLOCK_SIZE:]
    decryptor = ciphers.Cipher(ciphers.algorithms.AES(secret), ciphers.modes.CBC(nonce)).decryptor()
    plain: bytes = decryptor.update(content) + decryptor.finalize()
    # as upstream, which takes any number of bytes for padding
    size = plain[-1]
    if not 0 < size <= len(plain) or plain[-size:] != bytes([size]) * size:
        raise _WrongKeyError
    return plain[:-size]


def _decrypt_gcm(secret: bytes, payload: bytes, key: bytes) -> bytes:
    aead = _import("cryptography.hazmat.primitives.ciphers.aead", "cryptography")
    invalid = _import("cryptography.exceptions", "cryptography").InvalidTag
    if len(payload) < _GCM_NONCE_SIZE + _GCM_TAG_SIZE:
        raise _WrongKeyError
    try:
        plain: bytes = aead.AESGCM(secret).decrypt(payload[:_GCM_NONCE_SIZE], payload[_GCM_NONCE_SIZE:], key)
    except invalid:
        raise _WrongKeyError from None
    return plain


def _decrypt_secretbox(secret: bytes, payload: bytes, _: bytes) -> bytes:
    boxes = _import("nacl.secret", "PyNaCl")
    failed = _import("nacl.exceptions", "PyNaCl").CryptoError
    if len(payload) < _SECRETBOX_NONCE_SIZE + _SECRETBOX_OVERHEAD:
        raise _WrongKeyError
    try:
        return bytes(boxes.SecretBox(secret).decrypt(payload))
    except failed:
        raise _WrongKeyError from None


def _import(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise EtcdtoolError(
            f"decrypting needs the package {package}, which is not installed",
            hint="Install it with: pip install 'etcdtool[k8s]'.",
        ) from None


_DECRYPT: dict[str, Callable[[bytes, bytes, bytes], bytes]] = {
    "aescbc": _decrypt_cbc,
    "aesgcm": _decrypt_gcm,
    "secretbox": _decrypt_secretbox,
}
