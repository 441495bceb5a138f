"""``etcdtool snapshot restore``: flags and exit codes of etcdutl 3.7 (``etcdutl/snapshot_command.go``)."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, command
from etcdtool.cli.progress import Progress
from etcdtool.cli.text import json_text, printable
from etcdtool.errors import EtcdtoolError
from etcdtool.operations.restore import RestoreOptions, restore
from etcdtool.operations.restore_edit import VERSIONS, version_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etcdtool.model.schema import Version

__all__ = ["restore_command"]

_DEFAULTS = RestoreOptions()
_UINT64_MAX = (1 << 64) - 1
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[oO]?[0-7]*|0[bB][01]+|[1-9][0-9]*", re.ASCII)


class _Uint64(click.ParamType[int]):
    """A number the way Go's flags read it."""

    name = "uint"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ARG002
        if isinstance(value, int):
            return value
        text = str(value)
        name = param.opts[0] if param is not None else ""
        problem = "invalid syntax" if _NUMBER.fullmatch(text) is None else "value out of range"
        if problem != "invalid syntax":
            number = int(text, 8) if re.fullmatch(r"0[0-7]+", text) else int(text, 0)
            if number <= _UINT64_MAX:
                return number
        # not a usage error: for etcdutl it is one like others, with exit code 1
        raise EtcdtoolError(
            f'invalid argument "{text}" for "{name}" flag: strconv.ParseUint: parsing "{text}": {problem}'
        )


class _Log:
    """Prints events on stderr in the form of etcdutl's log."""

    def tell(self, message: str, fields: Mapping[str, object] | None = None, *, warning: bool = False) -> None:
        """Print one line: time, level, program, message, facts."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = [time, "warn" if warning else "info", "etcdtool", printable(message)]
        if fields:
            words.append(json_text(fields).replace('":', '": ').replace(',"', ', "'))
        print("\t".join(words), file=sys.stderr, flush=True)


@command(
    "restore",
    short_help="Make the data dir of a new cluster's member from a snapshot.",
    examples=[
        "etcdtool snapshot restore snapshot.db --data-dir /var/lib/etcd",
        "etcdtool snapshot restore snapshot.db --data-dir n1.etcd --name n1 \\",
        "  --initial-cluster n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380 \\",
        "  --initial-advertise-peer-urls http://10.0.0.1:2380",
        "etcdtool snapshot restore snapshot.db --bump-revision 1000000000 \\",
        "  --mark-compacted",
    ],
    exit_codes=UPSTREAM_EXIT_STATUS,
    upstream=True,
)
@click.argument("files", metavar="FILE", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where to; NAME.etcd by default. Empty, or not there."
)
@click.option("--wal-dir", type=click.Path(path_type=Path), help="Where the log goes; in the data dir by default.")
@click.option("--name", default=_DEFAULTS.name, show_default=True, help="Name of this member.")
@click.option(
    "--initial-cluster",
    metavar="NAME=URL,...",
    default=_DEFAULTS.initial_cluster,
    show_default=True,
    help="Every member of the new cluster with its peer URLs.",
)
@click.option(
    "--initial-cluster-token",
    default=_DEFAULTS.initial_cluster_token,
    show_default=True,
    help="Keeps clusters apart that have the same URLs.",
)
@click.option(
    "--initial-advertise-peer-urls",
    metavar="URL,...",
    default=_DEFAULTS.initial_advertise_peer_urls,
    show_default=True,
    help="Peer URLs of this member.",
)
@click.option(
    "--skip-hash-check", is_flag=True, help="Take a file whose sha256 is wrong or absent, as a copied member/snap/db."
)
@click.option(
    "--bump-revision", type=_Uint64(), default=0, metavar="N", help="Raise the revision by N; with --mark-compacted."
)
@click.option(
    "--mark-compacted", is_flag=True, help="Mark the raised revision as compacted, so that watchers start anew."
)
@click.option(
    "--for-version",
    type=click.Choice([version_text(version) for version in VERSIONS]),
    help="The etcd that will start on it; that of the data by default. Later data are brought down to it.",
)
@click.option(
    "--initial-memory-map-size", type=_Uint64(), expose_value=False, help="Taken for etcdutl's sake; no effect."
)
def restore_command(files: tuple[Path, ...], **options: Any) -> None:
    """Make the data dir of a member of a new cluster from a snapshot.

    The snapshot is checked like etcdtool snapshot verify does before anything is named; what exists is never
    overwritten, and a failure leaves nothing behind. FILE may also be a copied member/snap/db (with --skip-hash-check),
    compressed with gzip or zstd, or - for stdin.
    """
    if len(files) != 1:
        raise click.UsageError("snapshot restore requires exactly one argument", click.get_current_context())
    if (options["bump_revision"] > 0) != options["mark_compacted"]:
        raise click.UsageError("--mark-compacted required if --revision-bump > 0", click.get_current_context())
    chosen = RestoreOptions(**options | {"for_version": _version(options["for_version"])})
    with Progress("restore") as progress:
        restore(files[0], chosen, events=_Log(), progress=progress)


def _version(text: str | None) -> Version | None:
    return next((version for version in VERSIONS if version_text(version) == text), None)
