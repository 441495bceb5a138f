"""The object that a key and a value of a Kubernetes API server hold.

Whatever the bytes are, something comes back: at least what the key names, and why there is no more.
Format: docs/formats/kubernetes.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from etcdtool.errors import FormatError
from etcdtool.model.kubernetes.encryption import DecryptionError
from etcdtool.model.kubernetes.go_values import parse_json
from etcdtool.model.kubernetes.protobuf_objects import ProtobufObject
from etcdtool.model.kubernetes.redaction import redact
from etcdtool.model.kubernetes.schema import own_schemas
from etcdtool.model.kubernetes.storage_form import Encryption, Form, StoredValue
from etcdtool.model.kubernetes_keys import ETCD_PREFIXES, ObjectKey, parse_key

if TYPE_CHECKING:
    from etcdtool.model.kubernetes.encryption import EncryptionConfiguration
    from etcdtool.model.kubernetes.schema import Schemas

__all__ = ["KubernetesObject", "ObjectReader"]

_OWN = "etcdtool.wire.kubernetes."
_OWN_KINDS = {("v1", "Secret"): f"{_OWN}Secret", ("v1", "ConfigMap"): f"{_OWN}ConfigMap"}
_ANY_KIND = f"{_OWN}PartialObject"
_PATHS_SHOWN = 3
_VALUE_SIZE_MAX = 16 << 20
"""API servers take requests of up to 3 MB; what is far above holds no object, and would take much memory to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesObject:
    """What is known of one key and value.

    Attributes:
        key: what the key names, None where it is not laid out as API servers do.
        form: how the object is stored, within its encryption where that could be undone.
        encryption: how the value is encrypted, None where it is not.
        api_version, kind, namespace, name, uid: as the object says, else as the key does; "" where neither does.
        document: the object as Kubernetes has it in JSON, or None where it cannot be read.
        is_complete: whether the document is the whole object, with every field under its name.
        is_secret: whether it is a Secret, or may be one.
        is_redacted: whether values were taken out.
        notes: what a person should know, a line each.
    """

    key: ObjectKey | None
    form: Form
    encryption: Encryption | None = None
    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    document: dict[str, Any] | None = None
    is_complete: bool = False
    is_secret: bool = False
    is_redacted: bool = False
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what is known, for JSON of ours; stable."""
        head = self.encryption
        encryption = {"provider": head.provider, "version": head.version, "keyName": head.key_name} if head else None
        if head is not None and encryption is not None and head.key_id:
            encryption["keyID"] = head.key_id
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
            "storedAs": self.form.value,
            "encryption": encryption,
            "redacted": self.is_redacted,
            "complete": self.is_complete,
            "notes": list(self.notes),
            "object": self.document,
        }


@dataclass(frozen=True, slots=True)
class ObjectReader:
    """Reads keys and values as objects.

    Attributes:
        schemas: the messages of Kubernetes, None where the user has no descriptor set.
        encryption: the keys of an EncryptionConfiguration, None without one.
        show_secrets: whether values of Secrets stay.
        prefixes: what keys of objects begin with.
    """

    schemas: Schemas | None = None
    encryption: EncryptionConfiguration | None = None
    show_secrets: bool = False
    prefixes: tuple[bytes, ...] = field(default=ETCD_PREFIXES)

    def read(self, key: bytes, value: bytes) -> KubernetesObject:
        """Return the object of a key and its value."""
        named = parse_key(key, self.prefixes)
        if len(value) > _VALUE_SIZE_MAX:
            return _too_big(named, value)
        stored = StoredValue.parse(value)
        encryption = stored.encryption
        found = KubernetesObject(key=named, form=stored.form, encryption=encryption, is_secret=_may_be_secret(named))
        if named is not None:
            found = replace(found, namespace=named.namespace, name=named.name)
        if encryption is not None:
            if self.encryption is None:
                return replace(found, notes=(f"encrypted {encryption}; give --encryption-config",))
            try:
                plain = self.encryption.decrypt(value, key=key, resource=named.resource if named else "")
            except DecryptionError as error:
                return replace(found, notes=(str(error),))
            stored = StoredValue.parse(plain)
            found = replace(found, form=stored.form)
        return self._hide(self._open(found, stored))

    def _open(self, found: KubernetesObject, stored: StoredValue) -> KubernetesObject:
        if stored.problem:
            return replace(found, api_version=stored.api_version, kind=stored.kind, notes=(stored.problem,))
        if stored.form is Form.JSON:
            return _from_json(found, stored)
        if stored.form is Form.PROTOBUF:
            return self._from_protobuf(found, stored)
        what = "there is no value" if stored.form is Form.EMPTY else f"{len(stored.raw)} bytes of {stored.form.value}"
        return replace(found, notes=(what,))

    def _from_protobuf(self, found: KubernetesObject, stored: StoredValue) -> KubernetesObject:
        schemas, notes = self.schemas, []
        message = schemas.of_kind(stored.api_version, stored.kind) if schemas is not None else None
        if message is None:
            schemas = own_schemas()
            own = _OWN_KINDS.get((stored.api_version, stored.kind))
            message = schemas.message(own or _ANY_KIND)
            if own is None:
                lacking = (
                    "without a descriptor set" if self.schemas is None else "the descriptor set lacks the kind, so"
                )
                notes.append(f"{lacking} fields beyond metadata go by number")
        assert message is not None
        assert schemas is not None
        parsed = ProtobufObject.read(stored.raw, message, schemas)
        if message.name != _ANY_KIND and parsed.unknown:
            notes.append(f"fields that the schema does not know are shown by number: {_some(parsed.unknown)}")
        if parsed.unreadable:
            notes.append(f"damaged, shown as far as it can be read: {_some(parsed.unreadable)}")
        head = {"apiVersion": stored.api_version, "kind": stored.kind}
        complete = not notes and not parsed.unknown and bool(stored.kind)
        return _identified(replace(found, is_complete=complete, notes=tuple(notes)), head | parsed.document)

    def _hide(self, found: KubernetesObject) -> KubernetesObject:
        secret = found.is_secret or found.kind == "Secret"
        if not secret or found.document is None:
            return replace(found, is_secret=secret)
        if self.show_secrets:
            return replace(found, is_secret=True)
        hidden = replace(found, is_secret=True, is_redacted=True)
        if found.is_complete and _is_where_it_belongs(found):
            return replace(hidden, document=redact(found.document))
        # damage moves bytes: a value may stand where a name should
        return replace(
            hidden,
            document=_shell(found),
            kind="Secret",
            api_version="",
            namespace=found.key.namespace if found.key else "",
            name=found.key.name if found.key else "",
            uid="",
            notes=("damaged or not known as a whole: of such a Secret only what its key says is shown",),
        )


def _is_where_it_belongs(found: KubernetesObject) -> bool:
    key = found.key
    return key is None or (found.namespace, found.name) == (key.namespace, key.name)


def _shell(found: KubernetesObject) -> dict[str, Any] | None:
    """Return what the key says of a Secret, as an object; None where it says nothing."""
    if found.key is None:
        return None
    place = {"namespace": found.key.namespace} if found.key.namespace else {}
    return {"kind": "Secret", "metadata": {"name": found.key.name, **place}}


def _too_big(named: ObjectKey | None, value: bytes) -> KubernetesObject:
    return KubernetesObject(
        key=named,
        form=Form.OTHER,
        namespace=named.namespace if named else "",
        name=named.name if named else "",
        is_secret=_may_be_secret(named),
        notes=(f"{len(value)} bytes, more than an object can have",),
    )


def _from_json(found: KubernetesObject, stored: StoredValue) -> KubernetesObject:
    try:
        document = parse_json(stored.raw)
    except FormatError as error:
        return replace(found, notes=(f"damaged: {error.message}",))
    if not isinstance(document, dict):
        return replace(found, notes=("its JSON is no object",))
    head = {name: value for name, value in (("apiVersion", stored.api_version), ("kind", stored.kind)) if value}
    document = head | document
    complete = isinstance(document.get("kind"), str) and isinstance(document.get("metadata"), dict)
    return _identified(replace(found, is_complete=complete), document)


def _identified(found: KubernetesObject, document: dict[str, Any]) -> KubernetesObject:
    """Take the names from the object; the key's stay where it has none."""
    metadata = document.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    return replace(
        found,
        document=document,
        api_version=_text(document.get("apiVersion")),
        kind=_text(document.get("kind")),
        namespace=_text(named.get("namespace")) or found.namespace,
        name=_text(named.get("name")) or found.name,
        uid=_text(named.get("uid")),
    )


def _may_be_secret(named: ObjectKey | None) -> bool:
    return named is not None and named.resource == "secrets"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _some(paths: list[str]) -> str:
    shown = ", ".join(path or "the whole object" for path in paths[:_PATHS_SHOWN])
    return f"{shown} and {len(paths) - _PATHS_SHOWN} more" if len(paths) > _PATHS_SHOWN else shown
