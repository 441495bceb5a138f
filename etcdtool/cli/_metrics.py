"""Verdicts as a textfile for the node exporter of Prometheus.  Needs the extra ``pipelines``.

Names are in the manner of etcd-backup-restore's ``etcdbr_…``: what, then the unit.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from etcdtool import __version__
from etcdtool.cli.text import printable

if TYPE_CHECKING:
    from etcdtool.cli._verdicts import Verdict, Verdicts

__all__ = ["OWN_START", "render"]

OWN_START = b"# Written by etcdtool verify --metrics-file, which replaces this file at every run.\n"
"""How such a file begins; by this line it is known as one that may be replaced."""

_SOURCE = ["source"]


class _Gauges:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.good = Gauge(
            "etcdtool_verify_good", "1 if the source was read and has no errors, else 0.", _SOURCE, registry=registry
        )
        self.exit_code = Gauge(
            "etcdtool_verify_exit_code", "What verify ends with for this source alone.", _SOURCE, registry=registry
        )
        self.findings = Gauge(
            "etcdtool_verify_findings", "Findings by severity.", [*_SOURCE, "severity"], registry=registry
        )
        self.size = Gauge(
            "etcdtool_verify_source_size_bytes", "Size of the source, unpacked.", _SOURCE, registry=registry
        )
        self.modified = Gauge(
            "etcdtool_verify_source_modified_timestamp_seconds",
            "When the source was last written to, as its file system says.",
            _SOURCE,
            registry=registry,
        )
        self.duration = Gauge(
            "etcdtool_verify_duration_seconds", "How long it took to verify the source.", _SOURCE, registry=registry
        )
        self.last_run = Gauge(
            "etcdtool_verify_last_run_timestamp_seconds", "When verify ended the last time.", registry=registry
        )
        self.build = Gauge("etcdtool_build_info", "1, and which version it was.", ["version"], registry=registry)

    def take(self, verdict: Verdict) -> None:
        """Set what there is to say of one source; a figure that is not known is left out."""
        source = printable(verdict.source)
        self.good.labels(source).set(verdict.good)
        self.exit_code.labels(source).set(verdict.exit_code)
        self.duration.labels(source).set(verdict.seconds)
        if verdict.failure is None:
            for severity, count in verdict.report.counts().items():
                self.findings.labels(source, severity).set(count)
        if verdict.size is not None:
            self.size.labels(source).set(verdict.size)
        if verdict.modified_seconds is not None:
            self.modified.labels(source).set(verdict.modified_seconds)


def render(verdicts: Verdicts) -> bytes:
    """Return the file."""
    registry = CollectorRegistry()
    gauges = _Gauges(registry)
    gauges.build.labels(__version__).set(1)
    gauges.last_run.set(time.time())
    for verdict in verdicts.verdicts:
        gauges.take(verdict)
    return OWN_START + generate_latest(registry)
