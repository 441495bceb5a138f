"""``etcdtool k8s restore-manifest``: one object back, ready for ``kubectl apply``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._int64 import Int64
from etcdtool.cli._kubernetes import document_text, kubernetes_from
from etcdtool.cli._kubernetes_options import FORMS, reader_options, selection_options
from etcdtool.cli._scanned import opened_rows, source_argument
from etcdtool.cli.printers import WriteOut
from etcdtool.cli.text import printable
from etcdtool.errors import UsageError
from etcdtool.operations.kubernetes import find_object, restore_manifest

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.model.kubernetes.selection import Selection

__all__ = ["restore_manifest_command"]


@command(
    "restore-manifest",
    short_help="Print one object as a manifest for kubectl apply.",
    examples=[
        "etcdtool k8s restore-manifest snapshot.db /registry/configmaps/shop/prices",
        "etcdtool k8s restore-manifest db --resource cm --namespace shop --name prices",
        "etcdtool k8s restore-manifest db /registry/secrets/shop/tls --show-secrets",
        "etcdtool k8s restore-manifest db /registry/minions/a --descriptor-set k.binpb",
    ],
    exit_codes=exit_status(
        {
            1: "it failed: an input that cannot be opened, an object that is not there or cannot be decrypted",
            3: "the answer is no: a Secret without --show-secrets, or protobuf without a descriptor set for its kind",
        }
    ),
)
@source_argument
@click.argument("key", metavar="[KEY]", required=False)
@selection_options
@click.option("--name", default="", metavar="NAME", help="The object's name, with --resource.")
@click.option("--rev", "revision", type=Int64(), default=0, metavar="REV", help="Read at this revision.")
@click.option("-o", "--output", "form", type=click.Choice(FORMS), help="Form of the manifest, yaml by default.")
@reader_options
def restore_manifest_command(source: Path, key: str | None, revision: int, form: str | None, **given: Any) -> None:
    """Print one object of SOURCE as a manifest: by its KEY in etcd, or by --resource, --namespace and --name.

    What the API server sets is left out: status, uid, resourceVersion, times, managedFields, addresses of Services and
    so on. What a person may miss of it is said on stderr.

    Objects that are stored as protobuf need --descriptor-set, but for ConfigMaps and Secrets. A Secret is printed with
    --show-secrets only: with its values redacted, the manifest would overwrite the real ones.
    """
    kubernetes = kubernetes_from(**given)
    wanted = _wanted(key, kubernetes.selection)
    with opened_rows(source, "restore-manifest") as opened:
        found = find_object(opened.image, kubernetes.reader, wanted, max(revision, 0), advance=opened.advance)
    manifest = restore_manifest(found)
    print(document_text(manifest.document, form or ("json" if write_out() is WriteOut.JSON else "yaml")), end="")
    for note in manifest.notes:
        print(printable(f"note: {note}"), file=sys.stderr)


def _wanted(key: str | None, selection: Selection) -> bytes | Selection:
    if key is not None:
        if selection.resource or selection.namespace or selection.name:
            raise UsageError("a KEY names one object already", hint="Leave --resource, --namespace and --name out.")
        return os.fsencode(key)
    if not selection.resource or not selection.name:
        raise UsageError(
            "which object is missing", hint="Give its KEY, or --resource, --name and, where it has one, --namespace."
        )
    return selection
