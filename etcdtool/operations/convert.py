"""Convert a v2 store into a v3 target, and prove it: the target is read back from disk and compared node by node.

The flow: nodes → chain of converters → plan (revisions, versions, leases) → target → read back → report.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from etcdtool.errors import AnswerIsNoError, UsageError
from etcdtool.findings import Finding, Severity
from etcdtool.model.conversion import ConversionContext, Directories
from etcdtool.model.conversion_plan import Revisions, make_plan
from etcdtool.model.node_digest import digest_nodes
from etcdtool.model.ports import Origin
from etcdtool.operations.conversion_chain import OUTSIDE_PREFIX, Selection, TtlPolicy, run_chain
from etcdtool.operations.conversion_proof import prove
from etcdtool.operations.conversion_report import ConversionReport
from etcdtool.operations.converters import DEFAULT_CHAIN, load_chain
from etcdtool.operations.targets_lines import LinesTarget, StreamTarget
from etcdtool.operations.targets_snapshot import SnapshotTarget
from etcdtool.targets import refuse_existing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from etcdtool.model.conversion_plan import Plan
    from etcdtool.operations.read_v2 import V2Data

__all__ = ["ConvertOptions", "convert"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """One field for each flag of ``etcdtool convert``.

    Attributes:
        converters: names or paths of ``.py`` files, in the order in which they may claim nodes.
        revisions: v2 indexes as they are, or dense.
        compact_mark: whether the head becomes the compact revision, so that reads in the past are refused.
        ttl: what becomes of nodes with a TTL.
        drop_expired: leave expired nodes out; an ``--as-of`` of the user's says the same.
        directories: what becomes of directories.
        prefix: convert only this path and what is below it.
        strip_prefix, add_prefix: change the keys.
        tokens: discovery tokens that get another name.
        dry_run: plan and report, write nothing.
    """

    converters: Sequence[str] = DEFAULT_CHAIN
    revisions: Revisions = Revisions.INDEX
    compact_mark: bool = True
    ttl: TtlPolicy = TtlPolicy.LEASE
    drop_expired: bool = False
    directories: Directories = Directories.SKIP
    prefix: bytes = b""
    strip_prefix: bytes = b""
    add_prefix: bytes = b""
    tokens: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False


def convert(
    data: V2Data, target: Path | None, options: ConvertOptions, *, stream: BinaryIO | None = None
) -> ConversionReport:
    """Convert everything in ``data``.

    Args:
        data: an opened v2 source; its store has no keys afterwards.
        target: a snapshot file, or JSON lines where the name ends in ``.jsonl``; None with a dry run or a stream.
        options: what the user chose.
        stream: where JSON lines go instead of a file.

    Raises:
        AnswerIsNoError: there are no v2 keys (below the prefix), or the user has to choose (TTLs, expired nodes).
        TargetExistsError: the target exists.
        ConversionError: the nodes cannot be converted as asked.
    """
    if target is not None and not options.dry_run:
        refuse_existing(target)  # before any work; the staged file asks again at the end
    converters = load_chain(options.converters)
    nodes = data.take_nodes()
    if not nodes:
        raise AnswerIsNoError(f"{data.name} holds no v2 keys", hint="Its v3 data need no conversion.")
    digest = digest_nodes(nodes)
    selection = Selection(
        prefix=options.prefix,
        ttl=options.ttl,
        drop_expired=options.drop_expired or data.as_of_was_given,
        context=ConversionContext(
            directories=options.directories,
            strip_prefix=options.strip_prefix,
            add_prefix=options.add_prefix,
            tokens=options.tokens,
            as_of=data.as_of,
        ),
    )
    result = run_chain(nodes, converters, selection)
    if len(result.skipped_by_reason().get(OUTSIDE_PREFIX, ())) == result.node_count:
        prefix = options.prefix.decode("utf-8", "backslashreplace")
        raise AnswerIsNoError(
            f"{data.name} holds no v2 keys below {prefix}", hint="etcdtool v2 list shows what there is."
        )
    plan = make_plan(
        result.puts,
        current_index=data.current_index,
        as_of=data.as_of,
        revisions=options.revisions,
        compact_mark=options.compact_mark,
    )
    report = ConversionReport(
        data=data, options_shown=_shown(options), digest=digest, result=result, plan=plan, target=target
    )
    report.findings.extend(_not_converted(data))
    if not options.dry_run:
        _write(report, plan, Origin(raft_index=data.raft_index, raft_term=data.raft_term), target, stream)
    return report


def _write(report: ConversionReport, plan: Plan, origin: Origin, target: Path | None, stream: BinaryIO | None) -> None:
    if target is None:
        if stream is None:
            raise UsageError("no target was given", hint="Give -o FILE, -o - or --dry-run.")
        out = StreamTarget(stream)
        out.write(plan, origin)
        out.commit()
        return
    with LinesTarget(target) if target.suffix == ".jsonl" else SnapshotTarget(target) as staged:
        staged.write(plan, origin)
        report.proof = prove(report.result, plan, staged.read_back())
        report.data.check_unchanged()
        staged.commit()
    report.written_size = target.stat().st_size


def _not_converted(data: V2Data) -> list[Finding]:
    """Name what a v2 store holds beside keys."""
    findings = []
    users, roles = data.auth_counts()
    if users or roles or data.auth_enabled():
        findings.append(
            Finding(
                code="convert.auth-left-out",
                severity=Severity.WARNING,
                where="v2 auth",
                detail=f"{users} users and {roles} roles of v2 are not converted, "
                f"auth was {'enabled' if data.auth_enabled() else 'not enabled'}",
                hint="Make users and roles with etcdctl after the restore; v2 passwords cannot be used again.",
            )
        )
    return findings


def _shown(options: ConvertOptions) -> dict[str, object]:
    return {
        "converters": list(options.converters),
        "revisions": options.revisions.value,
        "compact_mark": options.compact_mark,
        "ttl": options.ttl.value,
        "drop_expired": options.drop_expired,
        "directories": options.directories.value,
        "prefix": options.prefix.decode("utf-8", "backslashreplace"),
        "strip_prefix": options.strip_prefix.decode("utf-8", "backslashreplace"),
        "add_prefix": options.add_prefix.decode("utf-8", "backslashreplace"),
        "tokens": dict(options.tokens),
        "dry_run": options.dry_run,
    }
