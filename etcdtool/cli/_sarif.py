"""Verdicts as SARIF 2.1.0, for viewers and code scanning: a result a finding, a rule a code.

The few objects that are needed stand here as structs; why no library, says docs/adr/0012-sarif.md.
Spec: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from etcdtool import __version__
from etcdtool.checks.registry import BY_CODE
from etcdtool.cli.text import printable, safe_json

if TYPE_CHECKING:
    from etcdtool.cli._verdicts import Verdict, Verdicts
    from etcdtool.findings import Finding

__all__ = ["render"]

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


class _Object(msgspec.Struct, omit_defaults=True, rename="camel"):
    """Properties that are not set are left out."""


class _Message(_Object):
    text: str


class _ArtifactLocation(_Object):
    uri: str


class _Region(_Object):
    byte_offset: int


class _PhysicalLocation(_Object):
    artifact_location: _ArtifactLocation
    region: _Region | None = None


class _LogicalLocation(_Object):
    fully_qualified_name: str


class _Location(_Object):
    physical_location: _PhysicalLocation
    logical_locations: list[_LogicalLocation] = []


class _Result(_Object):
    rule_id: str
    rule_index: int
    level: str
    message: _Message
    locations: list[_Location]
    partial_fingerprints: dict[str, str]


class _Configuration(_Object):
    level: str


class _Rule(_Object):
    id: str
    default_configuration: _Configuration
    short_description: _Message | None = None
    full_description: _Message | None = None
    help: _Message | None = None


class _Driver(_Object):
    name: str
    version: str
    rules: list[_Rule]


class _Tool(_Object):
    driver: _Driver


class _Notification(_Object):
    level: str
    message: _Message
    locations: list[_Location]


class _Invocation(_Object):
    execution_successful: bool
    exit_code: int
    tool_execution_notifications: list[_Notification] = []


class _Run(_Object):
    tool: _Tool
    invocations: list[_Invocation]
    results: list[_Result]


class _Log(_Object):
    schema: str = msgspec.field(name="$schema")
    version: str
    runs: list[_Run]


def render(verdicts: Verdicts) -> bytes:
    """Return the document."""
    codes = sorted({finding.code for finding in verdicts.all_findings.findings})
    run = _Run(
        tool=_Tool(
            driver=_Driver(name="etcdtool", version=__version__, rules=[_rule(code, verdicts) for code in codes])
        ),
        invocations=[_invocation(verdicts)],
        results=[
            _result(verdict, finding, codes.index(finding.code))
            for verdict in verdicts.verdicts
            for finding in verdict.report.findings
        ],
    )
    document = msgspec.json.encode(_Log(schema=_SCHEMA, version="2.1.0", runs=[run]))
    return safe_json(f"{msgspec.json.format(document.decode())}\n").encode()


def _rule(code: str, verdicts: Verdicts) -> _Rule:
    known = BY_CODE.get(code)
    if known is None:  # a code that is not registered: what is found is said all the same
        seen = next(finding for finding in verdicts.all_findings.findings if finding.code == code)
        return _Rule(id=code, default_configuration=_Configuration(level=seen.severity.value))
    return _Rule(
        id=code,
        default_configuration=_Configuration(level=known.severity.value),
        short_description=_Message(text=f"{known.meaning.partition('. ')[0].rstrip('.')}."),
        full_description=_Message(text=known.meaning),
        help=_Message(text=known.remedy),
    )


def _invocation(verdicts: Verdicts) -> _Invocation:
    notifications = [
        _Notification(
            level="error",
            message=_Message(text=printable(verdict.failure.message, newlines=True)),
            locations=[_Location(physical_location=_place(verdict))],
        )
        for verdict in verdicts.verdicts
        if verdict.failure is not None
    ]
    return _Invocation(
        execution_successful=not notifications,
        exit_code=verdicts.exit_code,
        tool_execution_notifications=notifications,
    )


def _result(verdict: Verdict, finding: Finding, rule_index: int) -> _Result:
    where = printable(finding.where)
    advice = f". {finding.hint}" if finding.hint else ""
    return _Result(
        rule_id=finding.code,
        rule_index=rule_index,
        level=finding.severity.value,
        message=_Message(text=printable(f"{finding.where}: {finding.detail}{advice}")),
        locations=[
            _Location(
                physical_location=_place(verdict, offset=finding.offset),
                logical_locations=[_LogicalLocation(fully_qualified_name=where)],
            )
        ],
        partial_fingerprints={"codeAndPlace/v1": _fingerprint(finding.code, where, finding.offset)},
    )


def _place(verdict: Verdict, *, offset: int | None = None) -> _PhysicalLocation:
    region = _Region(byte_offset=offset) if offset is not None else None
    return _PhysicalLocation(artifact_location=_ArtifactLocation(uri=_uri(verdict.source)), region=region)


def _uri(source: str) -> str:
    if source == "-":
        return "stdin"
    path = quote(os.fsencode(source))
    return f"file://{path}" if source.startswith("/") else path


def _fingerprint(*facts: Any) -> str:
    """Return by what a viewer knows a finding again in the next run."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()
