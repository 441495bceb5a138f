r"""How a value of a Kubernetes API server is stored: as JSON, as protobuf in an envelope, or encrypted.

JSON begins with ``{``, protobuf with the four bytes ``k8s\0``, an encrypted value with ``k8s:enc:``, CBOR with its
self-description ``\xd9\xd9\xf7``.
Format: docs/formats/kubernetes.md, "Values".
Upstream: ``apimachinery/pkg/runtime/serializer/{protobuf,recognizer}``,
``apiserver/pkg/server/options/encryptionconfig/config.go`` @ Kubernetes 1.37.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from etcdtool.formats import wire

__all__ = ["ENCRYPTED_MAGIC", "PROTOBUF_MAGIC", "Encryption", "Form", "StoredValue"]

PROTOBUF_MAGIC = b"k8s\0"
ENCRYPTED_MAGIC = b"k8s:enc:"
_CBOR_MAGIC = b"\xd9\xd9\xf7"
_JSON_CONTENT_TYPES = ("application/json", "application/yaml")
_JSON_SPACE = b" \t\r\n"
_KMS_VERSION_WITH_KEY_ID = "v2"

_ENCRYPTED = re.compile(rb"k8s:enc:([a-z0-9]{1,32}):(v[0-9]{1,4}):([^:]{1,253}):", re.DOTALL)


class Form(Enum):
    """How a value is stored; the words are those a person reads."""

    JSON = "JSON"
    PROTOBUF = "protobuf"
    CBOR = "CBOR"
    ENCRYPTED = "encrypted"
    EMPTY = "empty"
    OTHER = "no object of Kubernetes'"


@dataclass(frozen=True, slots=True)
class Encryption:
    """What the head of an encrypted value tells.

    Attributes:
        provider: ``aescbc``, ``aesgcm``, ``secretbox`` or ``kms``; "" where the head is off.
        version: ``v1``, or ``v2`` of kms.
        key_name: the name of the key in the EncryptionConfiguration; of kms, the name of the provider.
        key_id: the remote key's id, of kms v2 alone.
        payload: what is behind the head.
    """

    provider: str
    version: str
    key_name: str
    key_id: str
    payload: bytes

    @classmethod
    def parse(cls, value: bytes) -> Encryption:
        """Read the head of an encrypted value; an unreadable one gives empty names."""
        match = _ENCRYPTED.match(value)
        if match is None:
            return cls("", "", "", "", value[len(ENCRYPTED_MAGIC) :])
        provider, version, key_name = (part.decode("utf-8", "replace") for part in match.groups())
        payload = value[match.end() :]
        key_id = _kms_key_id(payload) if provider == "kms" and version == _KMS_VERSION_WITH_KEY_ID else ""
        return cls(provider, version, key_name, key_id, payload)

    def __str__(self) -> str:
        if not self.provider:
            return "with a head that cannot be read"
        what = "provider" if self.provider == "kms" else "key"
        version = f" {self.version}" if self.provider == "kms" else ""
        remote = f", remote key {self.key_id}" if self.key_id else ""
        return f"by {self.provider}{version}, {what} {self.key_name}{remote}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValue:
    """A value taken out of its envelope.

    Attributes:
        form: how the object itself is stored.
        api_version, kind: as the envelope names them; "" where there is none, or it does not.
        raw: the object's bytes.
        encryption: what the head of an encrypted value tells.
        problem: why the envelope cannot be read, or "".
    """

    form: Form
    raw: bytes
    api_version: str = ""
    kind: str = ""
    encryption: Encryption | None = None
    problem: str = ""

    @classmethod
    def parse(cls, value: bytes) -> StoredValue:
        """Take a value out of its envelope, whatever its bytes are."""
        if value.startswith(PROTOBUF_MAGIC):
            return _open_envelope(value[len(PROTOBUF_MAGIC) :])
        if value.startswith(ENCRYPTED_MAGIC):
            return cls(form=Form.ENCRYPTED, raw=value, encryption=Encryption.parse(value))
        if not value:
            return cls(form=Form.EMPTY, raw=value)
        return cls(form=_form_of(value), raw=value)


def _form_of(raw: bytes) -> Form:
    if raw.lstrip(_JSON_SPACE).startswith(b"{"):
        return Form.JSON
    return Form.CBOR if raw.startswith(_CBOR_MAGIC) else Form.OTHER


def _open_envelope(data: bytes) -> StoredValue:
    try:
        unknown = wire.kubernetes_pb2.Unknown.FromString(data)
        api_version, kind = _text(unknown.typeMeta.apiVersion), _text(unknown.typeMeta.kind)
        content_type, encoding = _text(unknown.contentType), _text(unknown.contentEncoding)
    except wire.DecodeError:
        return StoredValue(form=Form.PROTOBUF, raw=b"", problem="its envelope is cut short or damaged")
    problem = f"its content is encoded as {encoding!r}, which no version of Kubernetes does" if encoding else ""
    form = Form.PROTOBUF
    if content_type.startswith(_JSON_CONTENT_TYPES):
        form = Form.JSON
    return StoredValue(form=form, raw=unknown.raw, api_version=api_version, kind=kind, problem=problem)


def _text(value: str | bytes) -> str:
    """Return a text; of one that is no UTF-8 protobuf gives the bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _kms_key_id(payload: bytes) -> str:
    try:
        return _text(wire.kubernetes_pb2.EncryptedObject.FromString(payload).keyID)
    except wire.DecodeError:
        return ""
