"""``--report-file``: a whole report as JSON, in a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etcdtool.cli.text import json_text
from etcdtool.errors import UsageError
from etcdtool.targets import StagedFile, refuse_existing

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["refuse_report_file", "write_report_file"]


def refuse_report_file(path: Path | None, output: Path | None) -> None:
    """Raise, before any work, where the report could not be written."""
    if path is not None:
        refuse_existing(path)
        if path == output:
            raise UsageError("-o and --report-file name the same file")


def write_report_file(path: Path, document: object) -> None:
    """Write a JSON document to a file that does not exist."""
    with StagedFile(path, mode=0o644) as staged:
        with staged.reporting():
            staged.file.write(f"{json_text(document, indent=2)}\n".encode("utf-8", "backslashreplace"))
        staged.sync()
        staged.commit()
