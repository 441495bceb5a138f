"""The proof of a conversion: what stands in the target is read back and held against the source's nodes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from etcdtool.model.conversion_plan import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etcdtool.model.conversion_plan import Plan, Record
    from etcdtool.model.ports import WrittenRecord
    from etcdtool.operations.conversion_chain import ChainResult

__all__ = ["Proof", "prove"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was compared.

    Attributes:
        records_compared: records read back, each with key, value, revisions, version and lease as its node asks for.
        nodes_compared: nodes of the source that those records come from.
        values_as_in_source: records whose value is the node's own, byte for byte.
        values_changed: records that a converter gave another value.
        leases_compared: records with a lease, whose TTL was compared too.
    """

    records_compared: int
    nodes_compared: int
    values_as_in_source: int
    values_changed: int
    leases_compared: int

    def as_json(self) -> dict[str, Any]:
        """The proof as it stands in a report."""
        return asdict(self)


def prove(result: ChainResult, plan: Plan, written: Iterator[WrittenRecord] | None) -> Proof | None:
    """Compare what was read back with the nodes, one by one.

    Returns:
        What was compared, or None when the target cannot be read back.

    Raises:
        ConversionError: something differs; the target must not get its name.
    """
    if written is None:
        return None
    ttl_of = dict(plan.leases)
    own_values = leases = 0
    for record, found in zip_longest(plan.records, written):
        if record is None or found is None:
            raise ConversionError("the target holds another number of records than were to be written")
        _compare(record, found, ttl_of)
        own_values += found.value == record.put.node.value
        leases += found.lease != 0
    total = nodes = len(plan.records)
    if total != result.converted_count:  # some nodes became several keys
        nodes = len({record.put.node.path for record in plan.records})
    if nodes != result.converted_count:
        raise ConversionError(f"{result.converted_count} nodes were converted, {nodes} are in the target")
    return Proof(
        records_compared=total,
        nodes_compared=nodes,
        values_as_in_source=own_values,
        values_changed=total - own_values,
        leases_compared=leases,
    )


def _compare(record: Record, found: WrittenRecord, ttl_of: dict[int, int]) -> None:
    put = record.put
    if (
        found.key == put.key
        and found.value == put.value
        and found.main == found.mod_revision == record.main
        and found.sub == record.sub
        and found.create_revision == record.create_revision
        and found.version == record.version
        and found.lease == record.lease
        and found.ttl_seconds == (ttl_of[record.lease] if record.lease else 0)
    ):
        return
    path = put.node.path.decode("utf-8", "backslashreplace")
    raise ConversionError(f"{path} reads back from the target differently than it was written")
