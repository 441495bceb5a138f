"""Run the command line in this process, the way a shell would."""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest import mock

from etcdtool.cli.root import run

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Outcome:
    """What a command printed and ended with."""

    exit_code: int
    stdout: str
    stderr: str
    raw: bytes


def invoke(*arguments: object) -> Outcome:
    """Run ``etcdtool ARGUMENTS``."""
    out, err = io.BytesIO(), io.BytesIO()
    with _streams(out, err):
        exit_code = run([str(argument) for argument in arguments])
        sys.stdout.flush()
        sys.stderr.flush()
    return Outcome(exit_code, out.getvalue().decode("utf-8", "replace"), err.getvalue().decode(), out.getvalue())


@contextlib.contextmanager
def _streams(out: io.BytesIO, err: io.BytesIO) -> Iterator[None]:
    stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    with mock.patch.object(sys, "stdout", stdout), mock.patch.object(sys, "stderr", stderr):
        yield
    stdout.detach()
    stderr.detach()
