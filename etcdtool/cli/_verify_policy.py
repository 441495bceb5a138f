"""The flags of ``verify`` that say how sources are checked, and what is asked of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.checks.policy import Policy
from etcdtool.errors import FormatError
from etcdtool.model.membership import parse_member_id
from etcdtool.operations.verify_source import VerifyOptions

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["policy_options", "verify_options"]

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+", re.ASCII)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)
_DIGITS_MAX = 12


class _Duration(click.ParamType[float]):
    """A duration on the command line, as seconds: ``26h``, ``1h30m``, ``7d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse it."""
        if isinstance(value, float):
            return value
        if _DURATION.fullmatch(value) is None or max(map(len, re.findall(r"\d+", value))) > _DIGITS_MAX:
            self.fail(f"{value!r} is no duration. Write it as 90m, 26h or 7d.", param, ctx)
        return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(value))


class _ClusterId(click.ParamType[int]):
    """An id in hexadecimal, as etcd prints it."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse it."""
        if isinstance(value, int):
            return value
        try:
            return parse_member_id(value.removeprefix("0x"))
        except FormatError:
            self.fail(f"{value!r} is no id in hexadecimal, as etcd's log has it after cluster-id.", param, ctx)


def policy_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that `verify_options` takes."""
    number = click.IntRange(min=0)
    folder, source = click.Path(path_type=Path, file_okay=False), click.Path(path_type=Path)
    options = (
        click.option(
            "--level",
            type=click.Choice(["quick", "full"]),
            default="full",
            help="quick reads no values: sizes, pages and small buckets. What it leaves out is named in notes.",
        ),
        click.option(
            "--simulate-restore",
            is_flag=True,
            help="Restore into a temporary folder, and check what came out; needs as much room there as the database.",
        ),
        click.option("--live", is_flag=True, help="Check a copy where a running server has the database open."),
        click.option("--wal-dir", type=folder, metavar="DIR", help="Where the WAL of a data dir is kept apart."),
        click.option("--min-revision", type=number, metavar="N", help="The store must have come to this revision."),
        click.option(
            "--max-age",
            type=_Duration(),
            metavar="DURATION",
            help="Since the file was last written to, such as 26h or 7d: a snapshot does not hold its own time.",
        ),
        click.option("--min-keys", type=number, metavar="N", help="So many keys must exist."),
        click.option(
            "--require-prefix", multiple=True, metavar="PREFIX", help="A key must begin with this; may be repeated."
        ),
        click.option(
            "--expect-cluster-id",
            type=_ClusterId(),
            metavar="ID",
            help="In hexadecimal. A snapshot tells it only as long as its members are those of the first start.",
        ),
        click.option(
            "--same-as", type=source, metavar="OTHER", help="The keys must have the history that this source has."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def verify_options(
    *,
    level: str,
    simulate_restore: bool,
    live: bool,
    wal_dir: Path | None,
    min_revision: int | None,
    max_age: float | None,
    min_keys: int | None,
    require_prefix: tuple[str, ...],
    expect_cluster_id: int | None,
    same_as: Path | None,
) -> VerifyOptions:
    """Return what the flags say."""
    policy = Policy(
        min_revision=min_revision,
        max_age_seconds=max_age,
        min_keys=min_keys,
        required_prefixes=tuple(prefix.encode("utf-8", "surrogateescape") for prefix in require_prefix),
        cluster_id=expect_cluster_id,
    )
    return VerifyOptions(
        quick=level == "quick",
        simulate_restore=simulate_restore,
        live=live,
        wal_dir=wal_dir,
        policy=policy,
        same_as=same_as,
    )
