"""Run the chain of converters over the nodes of a v2 store, and account for every node.

Each node goes to the first converter that claims it, and ends as converted or as skipped with a reason: Σ nodes =
Σ converted + Σ skipped, or the run fails.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from etcdtool.errors import AnswerIsNoError, EtcdtoolError
from etcdtool.model.conversion import ConversionContext, Converter, Finding, Node, Put, Skipped
from etcdtool.model.conversion_plan import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["OUTSIDE_PREFIX", "UNCLAIMED", "ChainResult", "Selection", "TtlPolicy", "run_chain"]

OUTSIDE_PREFIX = "outside --prefix"
UNCLAIMED = "claimed by no converter"
_NAMED_AT_MOST = 5
_WHAT_TO_YIELD = "It must yield a Put or a Skipped for each node."


class TtlPolicy(Enum):
    """What becomes of nodes that have a TTL."""

    LEASE = "lease"
    PERMANENT = "permanent"
    DROP = "drop"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which nodes the converters see, and how.

    Attributes:
        prefix: a path; it and what is below it is converted. ``b""`` for all.
        ttl: what becomes of nodes with a TTL.
        drop_expired: leave out what has expired by ``context.as_of`` instead of asking.
        context: what the converters are told.
    """

    prefix: bytes = b""
    ttl: TtlPolicy = TtlPolicy.LEASE
    drop_expired: bool = False
    context: ConversionContext


@dataclass(slots=True)
class ChainResult:
    """What became of the nodes.

    Attributes:
        node_count: nodes that came in.
        converted_count: nodes that became at least one put.
        converted_by: how many of them by which converter.
        puts: in the converters' order.
        skipped: the rest, each with its reason.
        findings: what the converters had to say.
    """

    node_count: int = 0
    converted_count: int = 0
    converted_by: dict[str, int] = field(default_factory=dict)
    puts: list[Put] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def skipped_by_reason(self) -> dict[str, list[str]]:
        """Paths of the skipped nodes, by reason."""
        reasons: dict[str, list[str]] = {}
        for skipped in self.skipped:
            reasons.setdefault(skipped.reason, []).append(skipped.node.path.decode("utf-8", "backslashreplace"))
        return reasons


def run_chain(nodes: Sequence[Node], converters: Sequence[Converter], selection: Selection) -> ChainResult:
    """Give every node to the first converter that claims it, and gather the answers.

    Raises:
        AnswerIsNoError: nodes have expired and nobody said what to do about it, or ``--ttl fail`` met a TTL.
        ConversionError: a converter left a node unanswered, answered one that it did not claim, or answered twice.
    """
    result = ChainResult(node_count=len(nodes))
    claimed, outside, expired = _claim(nodes, converters, selection, result)
    if expired and any(expired.values()) and not selection.drop_expired:
        _ask_about([node for group in expired.values() for node in group])
    for converter in converters:
        context = msgspec.structs.replace(
            selection.context, expired=expired.get(converter.name, ()), outside=outside.get(converter.name, ())
        )
        _run(converter, claimed[converter.name], context, result)
    if result.node_count != result.converted_count + len(result.skipped):
        raise ConversionError(
            f"{result.node_count} nodes came in, {result.converted_count} were converted and "
            f"{len(result.skipped)} skipped: the sum is wrong"
        )
    return result


_Groups = dict[str, list[Node]]


def _claim(
    nodes: Sequence[Node], converters: Sequence[Converter], selection: Selection, result: ChainResult
) -> tuple[_Groups, _Groups, _Groups]:
    """Sort the nodes by the converter that claims them, and the expired and those outside ``--prefix`` apart."""
    claimed: _Groups = {converter.name: [] for converter in converters}
    outside: _Groups = {}
    expired: _Groups = {}
    chain = [(converter.name, converter.claims) for converter in converters]
    below = selection.prefix.rstrip(b"/") + b"/"
    everything = below == b"/"
    as_of = selection.context.as_of
    skipped = result.skipped
    for node in nodes:
        owner = name = ""
        try:
            for name, claims in chain:  # a generator here costs as much as all the rest of the loop
                if claims(node):
                    owner = name
                    break
        except EtcdtoolError:
            raise
        except Exception as error:
            raise _failed(name, error) from error
        if not (everything or (node.path + b"/").startswith(below)):
            outside.setdefault(owner, []).append(node)
            skipped.append(Skipped(node=node, reason=OUTSIDE_PREFIX))
        elif not owner:
            skipped.append(Skipped(node=node, reason=UNCLAIMED))
        elif node.expires is not None and node.expires <= as_of:
            expired.setdefault(owner, []).append(node)
            skipped.append(Skipped(node=node, reason="expired"))
        else:
            claimed[owner].append(node)
    if selection.ttl is not TtlPolicy.LEASE:
        claimed = {name: _under_policy(group, selection.ttl, skipped) for name, group in claimed.items()}
    return claimed, outside, expired


def _under_policy(nodes: list[Node], policy: TtlPolicy, skipped: list[Skipped]) -> list[Node]:
    """Do what ``--ttl`` says with the nodes that have one."""
    with_ttl = [node for node in nodes if node.expires is not None]
    if policy is TtlPolicy.PERMANENT:
        return [node if node.expires is None else msgspec.structs.replace(node, expires=None) for node in nodes]
    if policy is TtlPolicy.FAIL and with_ttl:
        raise AnswerIsNoError(
            f"{_counted(with_ttl)} a TTL, and --ttl fail was given: {_named(with_ttl)}",
            hint="Choose --ttl lease, permanent or drop.",
        )
    skipped += [Skipped(node=node, reason="has a TTL (--ttl drop)") for node in with_ttl]
    return [node for node in nodes if node.expires is None]


def _run(converter: Converter, nodes: list[Node], context: ConversionContext, result: ChainResult) -> None:
    """Take one converter's answers and check that they cover its nodes, each once."""
    converted: set[bytes] = set()
    skipped: set[bytes] = set()
    for outcome in _answers(converter, nodes, context):
        if isinstance(outcome, Finding):
            result.findings.append(outcome)
            continue
        if not isinstance(outcome, Put | Skipped):  # it may be anybody's code
            raise ConversionError(f"converter {converter.name} yielded a {type(outcome).__name__}", hint=_WHAT_TO_YIELD)
        path = outcome.node.path
        if path in skipped or (isinstance(outcome, Skipped) and path in converted):
            raise ConversionError(f"converter {converter.name} answered {_shown(path)} twice, and skipped it")
        if isinstance(outcome, Put):
            result.puts.append(outcome)
            converted.add(path)
        else:
            result.skipped.append(outcome)
            skipped.add(path)
    unanswered = [node for node in nodes if node.path not in converted and node.path not in skipped]
    if unanswered:
        raise ConversionError(
            f"converter {converter.name} gave no answer for {len(unanswered)} of the {len(nodes)} nodes it claimed, "
            f"first of them {_shown(unanswered[0].path)}",
            hint=_WHAT_TO_YIELD,
        )
    if len(converted) + len(skipped) > len(nodes):
        foreign = (converted | skipped) - {node.path for node in nodes}
        raise ConversionError(f"converter {converter.name} answered {_shown(min(foreign))}, which it did not claim")
    result.converted_by[converter.name] = len(converted)
    result.converted_count += len(converted)


def _answers(converter: Converter, nodes: list[Node], context: ConversionContext) -> Iterator[object]:
    try:
        yield from converter.convert(nodes, context)
    except EtcdtoolError:
        raise
    except Exception as error:
        raise _failed(converter.name, error) from error


def _failed(name: str, error: Exception) -> ConversionError:
    """Say what went wrong in somebody's converter, and where."""
    told = f"{type(error).__name__}: {error}".replace("\n", " ")
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return ConversionError(f"converter {name} failed: {told} ({frame.f_code.co_filename}:{line})")


def _ask_about(expired: list[Node]) -> None:
    raise AnswerIsNoError(
        f"{_counted(expired)} expired by the as-of time: {_named(expired)}",
        hint="Leave them out with --drop-expired, or fix the time that counts with --as-of.",
    )


def _counted(nodes: Sequence[Node]) -> str:
    return f"{len(nodes)} node{' has' if len(nodes) == 1 else 's have'}"


def _named(nodes: Sequence[Node]) -> str:
    names = ", ".join(_shown(node.path) for node in nodes[:_NAMED_AT_MOST])
    return f"{names} and {len(nodes) - _NAMED_AT_MOST} more" if len(nodes) > _NAMED_AT_MOST else names


def _shown(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
