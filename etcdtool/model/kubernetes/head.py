"""What a value is, from as few of its bytes as tell: for lists of many."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from etcdtool.model.kubernetes.storage_form import Encryption, Form, StoredValue

__all__ = ["Head"]


class _JsonHead(msgspec.Struct):
    apiVersion: str = ""  # noqa: N815  the name in Kubernetes' JSON
    kind: str = ""


_JSON_HEAD = msgspec.json.Decoder(_JsonHead)


@dataclass(frozen=True, slots=True)
class Head:
    """What a value is.

    Attributes:
        form: how it is stored.
        api_version, kind: "" where the value does not tell.
        encryption: how it is encrypted, None where it is not.
    """

    form: Form
    api_version: str
    kind: str
    encryption: Encryption | None

    @classmethod
    def parse(cls, value: bytes) -> Head:
        """Read the head of a value, whatever its bytes are."""
        stored = StoredValue.parse(value)
        api_version, kind = stored.api_version, stored.kind
        if stored.form is Form.JSON and not kind:
            try:
                found = _JSON_HEAD.decode(stored.raw)
            except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
                return cls(stored.form, "", "", None)
            api_version, kind = found.apiVersion, found.kind
        return cls(stored.form, api_version, kind, stored.encryption)
