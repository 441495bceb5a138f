"""The report of a conversion: what came in, what became of it, what was proven."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from etcdtool.findings import Report
from etcdtool.model.gotext import format_time

if TYPE_CHECKING:
    from pathlib import Path

    from etcdtool.findings import Finding
    from etcdtool.model.conversion_plan import Plan
    from etcdtool.operations.conversion_chain import ChainResult
    from etcdtool.operations.conversion_proof import Proof
    from etcdtool.operations.read_v2 import V2Data

__all__ = ["SCHEMA", "ConversionReport"]

SCHEMA = "etcdtool.conversion/1"


@dataclass(slots=True, kw_only=True)
class ConversionReport:
    """Everything that a conversion has to say for itself.

    Attributes:
        data: the source.
        options_shown: what the user chose, as JSON.
        digest: of all nodes of the source, as `digest_nodes` makes it: by it the report is known to be of this tree.
        result: what became of the nodes.
        plan: what was written.
        target: the file, or None.
        proof: what was read back and compared; None for a dry run and for a pipe.
        findings: of reading, of the converters, of the mapping.
        written_size: bytes of the target, 0 when there is none.
    """

    data: V2Data
    options_shown: dict[str, object]
    digest: str
    result: ChainResult
    plan: Plan
    target: Path | None
    proof: Proof | None = None
    findings: list[Finding] = field(default_factory=list)
    written_size: int = 0

    def __post_init__(self) -> None:
        self.findings = [*self.data.report.findings, *self.result.findings, *self.plan.findings, *self.findings]

    @property
    def exit_code(self) -> int:
        """0 good, 3 when a finding is an error."""
        return Report(self.findings).exit_code

    def counts(self) -> dict[str, Any]:
        """Nodes, puts, leases, and skipped nodes by reason; ``adds_up`` is their sum held against the nodes."""
        skipped = {reason: len(paths) for reason, paths in sorted(self.result.skipped_by_reason().items())}
        return {
            "nodes": self.result.node_count,
            "converted": self.result.converted_count,
            "converted_by": self.result.converted_by,
            "puts": len(self.plan.records),
            "leases": len(self.plan.leases),
            "skipped": skipped,
            "adds_up": self.result.node_count == self.result.converted_count + sum(skipped.values()),
        }

    def as_json(self) -> dict[str, Any]:
        """The report as ``--report-file`` writes it."""
        return {
            "schema": SCHEMA,
            "sources": [{"path": str(origin.path), "kind": origin.kind} for origin in self.data.origins],
            "complete": self.data.complete,
            "as_of": format_time(self.data.as_of),
            "current_index": self.data.current_index,
            "tree_digest": self.digest,
            "raft_index": self.data.raft_index,
            "raft_term": self.data.raft_term,
            "commit_index": self.data.commit_index,
            "tail": [{"index": entry.index, "term": entry.term, "summary": entry.summary} for entry in self.data.tail],
            "options": self.options_shown,
            "target": str(self.target) if self.target else None,
            "target_size": self.written_size,
            "head_revision": self.plan.head,
            "compact_revision": self.plan.compact_revision,
            "counts": self.counts(),
            "skipped": self.result.skipped_by_reason(),
            "proof": self.proof.as_json() if self.proof else None,
            "findings": [finding.as_json() for finding in self.findings],
        }
