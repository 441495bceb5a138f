"""Objects of Kubernetes in a v3 database: listed, and one of them as a manifest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from etcdtool.errors import AnswerIsNoError, EtcdtoolError, FormatError
from etcdtool.model.key_range import KeyRange
from etcdtool.model.key_rows import NO_ROW, KeyRows
from etcdtool.model.kubernetes.encryption import EncryptionConfiguration
from etcdtool.model.kubernetes.head import Head
from etcdtool.model.kubernetes.manifest import manifest_of
from etcdtool.model.kubernetes.objects import ObjectReader
from etcdtool.model.kubernetes.schema import Schemas
from etcdtool.model.kubernetes.selection import Selection
from etcdtool.model.kubernetes_keys import ETCD_PREFIXES, parse_key, plural
from etcdtool.operations.engine import chosen_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from etcdtool.formats.bbolt.page import Image
    from etcdtool.model.key_range import KeyChoice
    from etcdtool.model.kubernetes.manifest import Manifest
    from etcdtool.model.kubernetes.objects import KubernetesObject
    from etcdtool.model.kubernetes_keys import ObjectKey

__all__ = [
    "Found",
    "ListedObject",
    "find_object",
    "list_objects",
    "open_reader",
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


def list_objects(
    image: Image,
    keys: KeyChoice,
    revision: int = 0,
    *,
    prefixes: tuple[bytes, ...] = ETCD_PREFIXES,
    advance: Callable[[int], None] = lambda _: None,
) -> tuple[list[ListedObject], int]:
    """Return the objects among some keys, in the order of the keys, and how many of the keys name none.

    Args:
        image: the database.
        keys: which keys.
        revision: as of which revision; 0: the newest.
        prefixes: what keys of objects begin with.
        advance: is told the bytes of each part of the database when it was looked at.

    Raises:
        EtcdtoolError: the revision is compacted, or was not reached yet.
        FormatError: the database cannot be read.
    """
    rows = KeyRows.scan(image, keys, engine=chosen_engine(), advance=advance)
    listed, others = [], 0
    for record in rows.key_values(rows.live_at(revision or rows.current_revision)):
        named = parse_key(record.key, prefixes)
        if named is None:
            others += 1
            continue
        head, size = Head.parse(record.value), len(record.value)
        listed.append(ListedObject(key=record.key, named=named, head=head, revision=record.mod_revision, size=size))
    return listed, others


def find_object(
    image: Image,
    reader: ObjectReader,
    wanted: bytes | Selection,
    revision: int = 0,
    *,
    advance: Callable[[int], None] = lambda _: None,
) -> Found:
    """Return one object, by its key or by what it is.

    Args:
        image: the database.
        reader: reads the object.
        wanted: which one.
        revision: as of which revision; 0: the newest.
        advance: is told the bytes of each part of the database when it was looked at.

    Raises:
        EtcdtoolError: it is not there, or there are several; the hint names what is.
        FormatError: the database cannot be read.
    """
    keys = wanted if isinstance(wanted, Selection) else KeyRange.of(wanted)
    rows = KeyRows.scan(image, keys, engine=chosen_engine(), advance=advance)
    matches = rows.live_at(revision or rows.current_revision)
    if not len(matches):
        raise _missing(image, rows, wanted)
    records = list(rows.key_values(matches[:_KEYS_NAMED]))
    if len(matches) > 1:
        named = ", ".join(record.key.decode("utf-8", "backslashreplace") for record in records)
        raise EtcdtoolError(f"{len(matches)} objects are meant", hint=f"Name one by its key: {named}.")
    (record,) = records
    return Found(key=record.key, found=reader.read(record.key, record.value), revision=record.mod_revision)


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
        raise AnswerIsNoError(f"{key} ({item.kind or 'no kind'}) cannot be given as a manifest: {notes}", hint=hint)
    return manifest_of(item.document)


def _missing(image: Image, rows: KeyRows, wanted: bytes | Selection) -> EtcdtoolError:
    """Say that there is no such object now, and what of it was there before."""
    if isinstance(wanted, Selection):
        place = f" in namespace {wanted.namespace}" if wanted.namespace else ""
        what = f"{plural(wanted.resource)} {wanted.name}{place}"
    else:
        what = wanted.decode("utf-8", "backslashreplace")
    if not len(rows):
        return EtcdtoolError(f"there is no {what}", hint=_elsewhere(image, wanted))
    revision = int(rows.main[-1])
    if not rows.tombstone[-1]:
        return EtcdtoolError(f"there was no {what} at that revision", hint=f"--rev {revision} has it.")
    if rows.before[-1] == NO_ROW or revision - 1 < rows.compact_revision:
        return EtcdtoolError(f"{what} was deleted at revision {revision}, and compaction has taken away what it was")
    return EtcdtoolError(f"{what} was deleted at revision {revision}", hint=f"--rev {revision - 1} has it.")


def _elsewhere(image: Image, wanted: bytes | Selection) -> str:
    """Name the namespaces that hold an object of that resource and name."""
    if not isinstance(wanted, Selection) or not wanted.namespace:
        return ""
    anywhere = Selection(resource=wanted.resource, name=wanted.name, prefixes=wanted.prefixes)
    rows = KeyRows.scan(image, anywhere, engine=chosen_engine())
    named = [anywhere.object_of(rows.key_of(row)) for row in rows.live_at(rows.current_revision).tolist()]
    places = sorted({found.namespace or "no namespace" for found in named if found is not None})
    return f"It is in {', '.join(places[:_KEYS_NAMED])}." if places else ""
