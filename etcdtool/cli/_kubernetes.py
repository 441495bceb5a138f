"""What every command that shows objects of Kubernetes has in common: keys and values as YAML or JSON."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from difflib import unified_diff
from typing import TYPE_CHECKING, Any

from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.printers import WriteOut
from etcdtool.cli.text import json_text, printable, printable_bytes
from etcdtool.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.model.key_rows import RowFinder
    from etcdtool.model.keyvalue import KeyValue
    from etcdtool.model.kubernetes.objects import KubernetesObject, ObjectReader
    from etcdtool.model.kubernetes.selection import Selection

__all__ = [
    "Kubernetes",
    "changed_lines",
    "document_text",
    "kubernetes_from",
    "object_text",
    "selection_of",
    "write_objects",
]

_LINES_OF_THE_KEY = 2


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """What was asked for of objects.

    Attributes:
        reader: reads keys and values.
        selection: which objects.
        form: ``yaml`` or ``json``.
    """

    reader: ObjectReader
    selection: Selection
    form: str = "yaml"

    def text(self, key: bytes, value: bytes, *, about: str = "") -> str:
        """Return the object of a key and value, a document of its own; `about` stands beside the key."""
        return object_text(self.reader.read(key, value), key, self.form, about=about)

    def record(self, key: bytes, value: bytes) -> dict[str, Any]:
        """Return the object of a key and value for a document of the caller's."""
        return self.reader.read(key, value).as_json()

    @property
    def is_narrowed(self) -> bool:
        """Whether ``--resource`` or ``--namespace`` were given."""
        return bool(self.selection.resource or self.selection.namespace)

    def takes(self, key: bytes) -> bool:
        """Tell whether ``--resource`` and ``--namespace`` leave a key in."""
        return not self.is_narrowed or key in self.selection

    def finder(self, find: RowFinder) -> RowFinder:
        """Return what finds of the keys only those that ``--resource`` and ``--namespace`` leave in."""
        if not self.is_narrowed:
            return find
        from etcdtool.model.key_rows import KeyRows  # noqa: PLC0415  not every command finds rows
        from etcdtool.model.kubernetes.selection import Within  # noqa: PLC0415  likewise

        return lambda image, keys, **given: KeyRows.scan(image, Within(keys, self.selection), **given)

    def lines(self, key: bytes, value: bytes | None) -> list[str]:
        """Return the lines of an object's document, without the one that names its key; none where there is no value.

        They are for comparing two states of it.
        """
        if value is None:
            return []
        lines = self.text(key, value).splitlines()
        return lines if self.form == "json" else lines[_LINES_OF_THE_KEY:]


def kubernetes_from(
    *,
    descriptor_set: Path | None,
    encryption_config: Path | None,
    show_secrets: bool,
    form: str = "yaml",
    **selected: Any,
) -> Kubernetes:
    """Return what the options ask for, having read the files that they name.

    Raises:
        EtcdtoolError: one of them cannot be read.
    """
    from etcdtool.operations.kubernetes import open_reader  # noqa: PLC0415  most calls go without

    selection = selection_of(**selected)
    reader = open_reader(
        descriptor_set=descriptor_set,
        encryption_config=encryption_config,
        show_secrets=show_secrets,
        prefixes=selection.prefixes,
    )
    return Kubernetes(reader, selection, form)


def selection_of(
    *, etcd_prefixes: tuple[str, ...], resource: str = "", namespace: str = "", name: str = ""
) -> Selection:
    """Return which objects the options ask for."""
    from etcdtool.model.kubernetes.selection import Selection  # noqa: PLC0415  most calls go without
    from etcdtool.model.kubernetes_keys import ETCD_PREFIXES  # noqa: PLC0415

    prefixes = tuple(f"/{prefix.strip('/')}".encode() for prefix in etcd_prefixes) or ETCD_PREFIXES
    return Selection(resource=resource, namespace=namespace, name=name, prefixes=prefixes)


def changed_lines(before: list[str], after: list[str]) -> list[str]:
    """Return what changed in an object, by lines that begin with ``-`` and ``+``, and one around each."""
    found = [line for line in unified_diff(before, after, n=1, lineterm="") if not line.startswith("@@")]
    return found[2:] or ["nothing that is shown changed"]


def write_objects(kubernetes: Kubernetes, records: Iterable[KeyValue], *, revision: int, form: WriteOut) -> None:
    """Print records as objects, as they come: documents of YAML or JSON, or with ``-w json`` one document of ours.

    Args:
        kubernetes: how they are read.
        records: what there is.
        revision: as of which they are.
        form: of ``-w``.

    Raises:
        UsageError: ``-w`` is neither simple nor json.
    """
    if form not in {WriteOut.SIMPLE, WriteOut.JSON}:
        raise UsageError(f"with --k8s there is no -w {form.value}", hint="Give -w json, or --k8s-form json.")
    write = sys.stdout.write
    if form is WriteOut.SIMPLE:
        for record in records:
            write(kubernetes.text(record.key, record.value, about=f", revision {record.mod_revision}"))
        return
    write(f'{{"revision":{revision},"objects":[')
    for number, record in enumerate(records):
        about = {**text_or_base64("key", record.key), "revision": record.mod_revision}
        write(("," if number else "") + json_text(about | kubernetes.record(record.key, record.value)))
    write("]}\n")


def object_text(found: KubernetesObject, key: bytes, form: str, *, about: str = "") -> str:
    """Return an object as a document of its own, with what is to be known of it as comments, or as JSON."""
    if form == "json":
        document = found.document
        if document is None:
            return json_text({"key": printable_bytes(key), "notes": list(found.notes)}, indent=2) + "\n"
        return document_text(document, form)
    lines = [f"{printable_bytes(key)}{about}", *found.notes]
    if found.is_redacted:
        lines.append("values are redacted; --show-secrets prints them")
    head = "".join(f"# {printable(line)}\n" for line in lines)
    return f"---\n{head}{document_text(found.document, form) if found.document is not None else ''}"


def document_text(document: object, form: str) -> str:
    """Return a document as YAML or indented JSON, with a line feed at its end."""
    if form == "json":
        return json_text(document, indent=2) + "\n"
    from etcdtool.cli._yaml import yaml_text  # noqa: PLC0415  JSON goes without

    return yaml_text(document)
