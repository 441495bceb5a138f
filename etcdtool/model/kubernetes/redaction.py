"""A Secret without what is secret in it: names and sizes stay, values go.

Values hide in more places than ``data``: ``kubectl apply`` keeps the whole object in an annotation, other tools do so
under names of their own, and ``managedFields`` may carry values.  So what is known to be harmless stays, and all else
of a Secret goes.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

__all__ = ["LAST_APPLIED", "redact", "redacted_size"]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_HARMLESS = frozenset({"apiVersion", "kind", "type", "immutable"})
_HARMLESS_METADATA = frozenset(
    {
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "ownerReferences",
        "finalizers",
    }
)
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_NAME = re.compile(r"[-._:/a-zA-Z0-9]{0,253}")
_ANNOTATION_SIZE_MAX = 128
_COPIES = ("{", "[", "H4sI", "apiVersion:", "---")
"""How annotations begin that hold a copy of the object: JSON, YAML, or either of them packed by gzip."""


def redact(document: dict[str, Any]) -> dict[str, Any]:
    """Return a Secret with the values taken out of it; the document itself stays as it is."""
    found = {name: value if name in _HARMLESS else _hidden(value, name) for name, value in document.items()}
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        found["metadata"] = {name: _metadata(name, value) for name, value in metadata.items()}
    return found


def redacted_size(size: int) -> str:
    """Return what stands in the place of a value."""
    return f"<redacted: {size} byte{'' if size == 1 else 's'}>"


def _metadata(name: str, value: Any) -> Any:
    if name == "annotations" and isinstance(value, dict):
        return {key: _annotation(key, text) for key, text in value.items()}
    return _named(value) if name in _HARMLESS_METADATA else _hidden(value, name)


def _named(value: Any) -> Any:
    """Return a part of the metadata with every text hidden that no name, uid, version or time can be."""
    if isinstance(value, dict):
        return {_named(key): _named(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return list(map(_named, value))
    return value if not isinstance(value, str) or _NAME.fullmatch(value) else "<redacted>"


def _annotation(name: str, value: Any) -> Any:
    text = value if isinstance(value, str) else ""
    harmless = name != LAST_APPLIED and len(text) <= _ANNOTATION_SIZE_MAX and not text.lstrip().startswith(_COPIES)
    return value if harmless and isinstance(value, str) else _hidden(value, "")


def _hidden(value: Any, name: str) -> Any:
    """Return what stands for a value; of ``data`` and its like the names of the values stay."""
    if value is None:
        return None
    if name in {"data", "stringData"} and isinstance(value, dict) and all(map(_DATA_KEY.fullmatch, value)):
        return {key: redacted_size(_size(text, encoded=name == "data")) for key, text in value.items()}
    return "<redacted>"


def _size(value: Any, *, encoded: bool) -> int:
    if not isinstance(value, str):
        return len(str(value))
    if encoded:
        try:
            return len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            pass
    return len(value.encode("utf-8", "surrogatepass"))
