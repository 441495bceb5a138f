"""``etcdtool snapshot restore``: flags and exit codes of etcdutl 3.7 (``etcdutl/snapshot_command.go``)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, command, write_out
from etcdtool.cli._log import Log
from etcdtool.cli.progress import Progress
from etcdtool.errors import EtcdtoolError
from etcdtool.operations.restore import RestoreOptions, restore
from etcdtool.operations.restore_options import KUBERNETES_BUMP
from etcdtool.operations.restore_version import VERSIONS, version_text
from etcdtool.targets import Owner

if TYPE_CHECKING:
    from etcdtool.model.schema import Version

__all__ = ["restore_command"]

_DEFAULTS = RestoreOptions()
_UINT64_MAX = (1 << 64) - 1
_OWN = frozenset({"data_dir", "name", "initial_advertise_peer_urls"})
"""Flags that are about one member."""
_KUBERNETES_REASON = (
    "a restore takes the revision back, and controllers that watch would miss changes without noticing (etcd issue "
    "16028); with a revision higher than any they have seen, and all before it compacted, they list everything anew"
)
_NUMBER = re.compile(
    r"0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|0[bB](?:_?[01])+|[1-9](?:_?[0-9])*", re.ASCII
)


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
            number = int(text, 8) if re.fullmatch(r"0[0-7_]+", text) else int(text, 0)
            if number <= _UINT64_MAX:
                return number
        # not a usage error: for etcdutl it is one like others, with exit code 1
        raise EtcdtoolError(
            f'invalid argument "{text}" for "{name}" flag: strconv.ParseUint: parsing "{text}": {problem}'
        )


class _Mode(click.ParamType[int]):
    """Permissions in octal."""

    name = "mode"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if re.fullmatch(r"0?[0-7]{3}", str(value), re.ASCII) is None:
            self.fail(f"{value!r} is no mode such as 0700", param, ctx)
        mode = int(value, 8)
        if mode & 0o700 != 0o700:
            self.fail(f"with mode {value} the owner could not write to the data dir", param, ctx)
        return mode


@command(
    "restore",
    short_help="Make the data dir of a new cluster's member from a snapshot.",
    examples=[
        "etcdtool snapshot restore snapshot.db --data-dir /var/lib/etcd",
        "etcdtool snapshot restore snapshot.db --data-dir n1.etcd --name n1 \\",
        "  --initial-cluster n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380 \\",
        "  --initial-advertise-peer-urls http://10.0.0.1:2380",
        "etcdtool snapshot restore snapshot.db --all-members --output new \\",
        "  --initial-cluster n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380 --dry-run",
        "etcdtool snapshot restore snapshot.db --profile kubernetes",
    ],
    exit_codes=UPSTREAM_EXIT_STATUS,
    upstream=True,
)
@click.argument("files", metavar="FILE", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where to; NAME.etcd by default. Empty, or not there."
)
@click.option(
    "--wal-dir",
    type=click.Path(path_type=Path),
    help="Where the log goes; in the data dir by default. Empty, or not there. With --all-members, the folder for "
    "all logs, each in NAME.wal.",
)
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
    "--all-members", is_flag=True, help="Make the data dir of every member of --initial-cluster; with --output."
)
@click.option(
    "--output",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="With --all-members: the folder for all data dirs, each in NAME.etcd. Must not exist, or be empty, no mount "
    "point and not the current folder.",
)
@click.option(
    "--skip-hash-check", is_flag=True, help="Take a file whose sha256 is wrong or absent, as a copied member/snap/db."
)
@click.option(
    "--level",
    type=click.Choice(["quick", "full"]),
    default="full",
    help="quick reads no keys: sha256, pages and small buckets. What it leaves out is named in a warning.",
)
@click.option(
    "--bump-revision", type=_Uint64(), default=0, metavar="N", help="Raise the revision by N; with --mark-compacted."
)
@click.option(
    "--mark-compacted", is_flag=True, help="Mark the raised revision as compacted, so that watchers start anew."
)
@click.option(
    "--profile",
    type=click.Choice(["kubernetes"]),
    help=f"kubernetes: --bump-revision {KUBERNETES_BUMP} --mark-compacted, since controllers remember revisions.",
)
@click.option("--clear-alarms", is_flag=True, help="Take away alarms that stand in the snapshot.")
@click.option(
    "--disable-auth", is_flag=True, help="Switch authentication off, as etcdctl auth disable; users and roles stay."
)
@click.option(
    "--drop-lease-orphans",
    is_flag=True,
    help="Delete keys whose lease does not exist, in a transaction after the last one, as the lease's end would have.",
)
@click.option(
    "--for-version",
    type=click.Choice([version_text(version) for version in VERSIONS]),
    help="The etcd that will start on it; that of the data by default. Later data are brought down to it.",
)
@click.option("--owner", metavar="USER[:GROUP]", help="Whom everything is given to: names or numbers.")
@click.option("--mode", type=_Mode(), metavar="MODE", help="Permissions of folders in octal; files get them without x.")
@click.option("--dry-run", is_flag=True, help="Check everything, say what would be made, and write nothing.")
@click.option(
    "--initial-memory-map-size", type=_Uint64(), expose_value=False, help="Taken for etcdutl's sake; no effect."
)
@click.pass_context
def restore_command(
    context: click.Context,
    /,
    *,
    files: tuple[Path, ...],
    dry_run: bool,
    profile: str | None,
    level: str,
    **options: Any,
) -> None:
    """Make the data dir of a member of a new cluster from a snapshot, or those of all its members.

    The snapshot is checked like etcdtool snapshot verify does before anything is named; what exists is never
    overwritten, and a failure leaves nothing behind. FILE may also be a copied member/snap/db or a data dir (with
    --skip-hash-check), compressed with gzip or zstd, or - for stdin.
    """
    if len(files) != 1:
        raise click.UsageError("snapshot restore requires exactly one argument", context)
    log = Log()
    if profile is not None:
        options |= {"bump_revision": options["bump_revision"] or KUBERNETES_BUMP, "mark_compacted": True}
        log.tell(f"--profile kubernetes: {_KUBERNETES_REASON}", {"bump-amount": options["bump_revision"]})
    if (options["bump_revision"] > 0) != options["mark_compacted"]:
        raise click.UsageError("--mark-compacted required if --revision-bump > 0", context)
    options["quick"] = level == "quick"
    _refuse_contradiction(context, **options)
    options["owner"] = Owner.parse(options["owner"]) if options["owner"] is not None else Owner()
    chosen = RestoreOptions(**options | {"for_version": _version(options["for_version"])})
    with Progress("restore") as progress:
        if not dry_run:
            restore(files[0], chosen, events=log, progress=progress)
            return
        from etcdtool.operations.restore_dry_run import dry_run as plan  # noqa: PLC0415  others go without

        planned = plan(files[0], chosen, events=log, progress=progress)
    from etcdtool.cli._restore_plan import PlanView  # noqa: PLC0415  likewise
    from etcdtool.cli.printers import show  # noqa: PLC0415  likewise

    show(PlanView(planned), write_out())


def _refuse_contradiction(
    context: click.Context, *, all_members: bool, output: Path | None, quick: bool, drop_lease_orphans: bool, **_: Any
) -> None:
    if quick and drop_lease_orphans:
        raise click.UsageError("--drop-lease-orphans reads every key, so it goes with --level full", context)
    if all_members != (output is not None):
        raise click.UsageError("--all-members and --output go together", context)
    given = [name for name in sorted(_OWN) if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    if all_members and given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise click.UsageError(f"--all-members takes names and URLs from --initial-cluster, leave out {flags}", context)


def _version(text: str | None) -> Version | None:
    return next((version for version in VERSIONS if version_text(version) == text), None)
