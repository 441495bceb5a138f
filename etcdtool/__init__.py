"""etcd's data at rest: read v2 data and v3 snapshots, convert, verify and restore them without a server."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etcdtool.api import Snapshot, open  # noqa: A004  etcdtool.open(path) reads as what it does
    from etcdtool.errors import EtcdtoolError, FormatError, SourceError
    from etcdtool.findings import Finding, Report, Severity
    from etcdtool.model.key_range import KeyRange
    from etcdtool.model.keyvalue import KeyValue

__all__ = [
    "EtcdtoolError",
    "Finding",
    "FormatError",
    "KeyRange",
    "KeyValue",
    "Report",
    "Severity",
    "Snapshot",
    "SourceError",
    "__version__",
    "open",
]

__version__ = "0.1.0"

_PLACES = {
    "EtcdtoolError": "etcdtool.errors",
    "Finding": "etcdtool.findings",
    "FormatError": "etcdtool.errors",
    "KeyRange": "etcdtool.model.key_range",
    "KeyValue": "etcdtool.model.keyvalue",
    "Report": "etcdtool.findings",
    "Severity": "etcdtool.findings",
    "Snapshot": "etcdtool.api",
    "SourceError": "etcdtool.errors",
    "open": "etcdtool.api",
}


def __getattr__(name: str) -> Any:
    # loaded when asked for: the command line's help goes without NumPy
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
