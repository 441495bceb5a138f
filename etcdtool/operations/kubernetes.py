"""Objects of Kubernetes in a v3 database: listed, and one of them as a manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from etcdtool.errors import AnswerIsNoError, EtcdtoolError, FormatError
from etcdtool.model.kubernetes.encryption import EncryptionConfiguration
from etcdtool.model.kubernetes.head import Head
from etcdtool.model.kubernetes.manifest import manifest_of
from etcdtool.model.kubernetes.objects import ObjectReader
from etcdtool.model.kubernetes.schema import Schemas
from etcdtool.model.kubernetes.selection import Selection
from etcdtool.model.kubernetes_keys import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from etcdtool.model.keyspace import Keyspace
    from etcdtool.model.kubernetes.manifest import Manifest
    from etcdtool.model.kubernetes.objects import KubernetesObject
    from etcdtool.model.kubernetes_keys import ObjectKey

__all__ = [
    "Found",
    "ListedObject",
    "find_object",
    "list_objects",
    "open_reader",
    "other_key_count",
    "restore_manifest",
]

_DESCRIPTOR_SET_SIZE_MAX, _CONFIGURATION_SIZE_MAX = 1 << 28, 1 << 24
_KEYS_NAMED = 5
_Parsed = TypeVar("_Parsed")
_HOW_TO_GET_DESCRIPTORS = (
    "Make a descriptor set and give it with --descriptor-set; docs/how-to/get-a-kubernetes-object-back.md has the line."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObject:
    """A row of a list.

    Attributes:
        key: of etcd.
        named: what it names.
        head: what the first bytes of the value tell.
        revision: of the last change of it.
        size: bytes of the value.
    """

    key: bytes
    named: ObjectKey
    head: Head
    revision: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object as it was at a revision.

    Attributes:
        key: of etcd.
        found: the object.
        revision: of its last change.
    """

    key: bytes
    found: KubernetesObject
    revision: int


def open_reader(
    *, descriptor_set: Path | None, encryption_config: Path | None, show_secrets: bool, prefixes: tuple[bytes, ...]
) -> ObjectReader:
    """Return what reads objects, having read the files that it needs.

    Raises:
        OSError: a file cannot be read.
        FormatError: it is not what it is given for.
    """
    return ObjectReader(
        schemas=_parsed(descriptor_set, Schemas.parse, _DESCRIPTOR_SET_SIZE_MAX),
        encryption=_parsed(encryption_config, EncryptionConfiguration.parse, _CONFIGURATION_SIZE_MAX),
        show_secrets=show_secrets,
        prefixes=prefixes,
    )


def _parsed(path: Path | None, parse: Callable[[bytes], _Parsed], size_max: int) -> _Parsed | None:
    if path is None:
        return None
    if path.stat().st_size > size_max:
        raise EtcdtoolError(f"{path} is too big to be what it is given for")
    try:
        return parse(path.read_bytes())
    except FormatError as error:
        raise error.at(str(path)) from None


def list_objects(keyspace: Keyspace, selection: Selection, revision: int | None = None) -> Iterator[ListedObject]:
    """Yield the objects asked for, in the order of their keys.

    Raises:
        EtcdtoolError: the revision is compacted, or was not reached yet.
    """
    for key, row in selection.rows(keyspace, keyspace.rows_at(revision)):
        named = selection.object_of(key)
        assert named is not None
        value = keyspace.key_value(row).value
        yield ListedObject(
            key=key, named=named, head=Head.parse(value), revision=int(keyspace.main[row]), size=len(value)
        )


def other_key_count(keyspace: Keyspace, revision: int | None = None, *, prefixes: tuple[bytes, ...]) -> int:
    """Count the live keys that name no object."""
    every = Selection(prefixes=prefixes)
    live = keyspace.rows_at(revision)
    return len(live) - sum(1 for _ in every.rows(keyspace, live))


def find_object(
    keyspace: Keyspace, reader: ObjectReader, wanted: bytes | Selection, revision: int | None = None
) -> Found:
    """Return one object, by its key or by what it is.

    Raises:
        EtcdtoolError: it is not there, or there are several; the hint names what is.
    """
    rows = keyspace.rows_at(revision)
    if isinstance(wanted, Selection):
        matches = list(wanted.rows(keyspace, rows))
    else:
        exact = rows[keyspace.key_size[rows] == len(wanted)]
        matches = [(wanted, row) for row in exact.tolist() if keyspace.key_of(row) == wanted]
    if not matches:
        raise _missing(keyspace, wanted)
    if len(matches) > 1:
        keys = ", ".join(key.decode("utf-8", "backslashreplace") for key, _ in matches[:_KEYS_NAMED])
        raise EtcdtoolError(f"{len(matches)} objects are meant", hint=f"Name one by its key: {keys}.")
    (key, row), *_ = matches
    value = keyspace.key_value(row).value
    return Found(key=key, found=reader.read(key, value), revision=int(keyspace.main[row]))


def restore_manifest(found: Found) -> Manifest:
    """Return an object as a manifest.

    Raises:
        AnswerIsNoError: a Secret whose values were not asked for, or an object that is not known as a whole.
        EtcdtoolError: there is no object.
    """
    key = found.key.decode("utf-8", "backslashreplace")
    item = found.found
    notes = "; ".join(item.notes)
    if item.document is None:
        raise EtcdtoolError(f"{key} holds no object that can be read: {notes or item.form.value}")
    if item.is_redacted:
        raise AnswerIsNoError(
            f"{key} is a Secret, and a manifest with its values redacted would overwrite the real ones",
            hint="Give --show-secrets to have the values printed.",
        )
    if not item.is_complete:
        hint = _HOW_TO_GET_DESCRIPTORS if "descriptor set" in notes else ""
        raise AnswerIsNoError(f"{key} ({item.kind or 'no kind'}) is not known as a whole: {notes}", hint=hint)
    return manifest_of(item.document)


def _missing(keyspace: Keyspace, wanted: bytes | Selection) -> EtcdtoolError:
    """Say that there is no such object now, and what of it was there before."""
    if isinstance(wanted, Selection):
        place = f" in namespace {wanted.namespace}" if wanted.namespace else ""
        what = f"{plural(wanted.resource)} {wanted.name}{place}"
    else:
        what = wanted.decode("utf-8", "backslashreplace")
    rows = np.arange(len(keyspace))
    if isinstance(wanted, Selection):
        past = [row for _, row in wanted.rows(keyspace, rows)]
    else:
        sized = np.flatnonzero(keyspace.key_size == len(wanted))
        past = [row for row in sized.tolist() if keyspace.key_of(row) == wanted]
    last = max(past, default=None)
    if last is None:
        return EtcdtoolError(f"there is no {what}", hint=_elsewhere(keyspace, wanted))
    revision = int(keyspace.main[last])
    if not keyspace.tombstone[last]:
        return EtcdtoolError(f"there was no {what} at that revision", hint=f"--rev {revision} has it.")
    if int(keyspace.before[last]) < 0:
        return EtcdtoolError(f"{what} was deleted at revision {revision}, and compaction has taken away what it was")
    return EtcdtoolError(f"{what} was deleted at revision {revision}", hint=f"--rev {revision - 1} has it.")


def _elsewhere(keyspace: Keyspace, wanted: bytes | Selection) -> str:
    """Name the namespaces that hold an object of that resource and name."""
    if not isinstance(wanted, Selection) or not wanted.namespace:
        return ""
    anywhere = Selection(resource=wanted.resource, name=wanted.name, prefixes=wanted.prefixes)
    named = [anywhere.object_of(key) for key, _ in anywhere.rows(keyspace, keyspace.rows_at())]
    places = sorted({found.namespace or "no namespace" for found in named if found is not None})
    return f"It is in {', '.join(places[:_KEYS_NAMED])}." if places else ""
