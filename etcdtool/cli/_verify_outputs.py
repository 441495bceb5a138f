"""The files that ``verify`` writes for pipelines, beside what it prints: JUnit XML, SARIF, a Prometheus textfile.

JUnit and SARIF files never replace anything; the metrics file replaces its own predecessor and nothing else.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.errors import EtcdtoolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etcdtool.cli._verdicts import Verdicts

__all__ = ["OUTPUT_NAMES", "Outputs", "output_options"]

_MODE = 0o644
_MODULES = {"junit": "_junit", "sarif": "_sarif", "metrics": "_metrics"}
OUTPUT_NAMES = tuple(f"{kind}_file" for kind in _MODULES)
"""Parameters that `output_options` adds to a command and `Outputs` takes."""


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add one flag for each file."""
    helps = {
        "junit": "Write JUnit XML there, one test case a source, for CI servers.",
        "sarif": "Write SARIF 2.1.0 there, one result a finding, for viewers and code scanning.",
        "metrics": "Write a Prometheus textfile there for the node exporter; it replaces that of the run before.",
    }
    for kind, text in reversed(helps.items()):
        decorate = click.option(f"--{kind}-file", metavar="FILE", type=click.Path(path_type=Path), help=text)
        function = decorate(function)
    return function


@dataclass(frozen=True, slots=True)
class _Output:
    kind: str
    path: Path
    module: Any

    @property
    def replaces(self) -> bytes | None:
        """How a file begins that may be replaced, None where none may be."""
        return self.module.OWN_START if self.kind == "metrics" else None

    def refuse(self) -> None:
        """Raise where it could not be written."""
        from etcdtool.targets import refuse_existing, refuse_foreign  # noqa: PLC0415  most runs write no file

        if self.replaces is None:
            refuse_existing(self.path)
        else:
            refuse_foreign(self.path, self.replaces)

    def write(self, verdicts: Verdicts) -> None:
        """Write it, all or nothing."""
        from etcdtool.targets import StagedFile, replace_own_file  # noqa: PLC0415  as above

        content: bytes = self.module.render(verdicts)
        if self.replaces is not None:
            replace_own_file(self.path, content, own_start=self.replaces, mode=_MODE)
            return
        with StagedFile(self.path, mode=_MODE) as staged:
            with staged.reporting():
                staged.file.write(content)
            staged.commit()


class Outputs:
    """The files that were asked for; what can be refused is refused before any work."""

    def __init__(self, **paths: Path | None) -> None:
        """Take ``junit_file``, ``sarif_file`` and ``metrics_file``.

        Raises:
            UsageError: two of them are the same file.
            EtcdtoolError: one cannot be written, or the package that makes it is not installed.
        """
        given = {name.removesuffix("_file"): path for name, path in paths.items() if path is not None}
        if len({path.absolute() for path in given.values()}) < len(given):
            names = " and ".join(f"--{kind}-file" for kind in given)
            raise UsageError(f"{names} name the same file")
        self._outputs = [_Output(kind, path, _load(kind)) for kind, path in given.items()]
        for output in self._outputs:
            output.refuse()

    def write(self, verdicts: Verdicts) -> Iterator[EtcdtoolError]:
        """Write each file, and yield why one could not be; the others are written all the same."""
        for output in self._outputs:
            try:
                output.write(verdicts)
            except EtcdtoolError as error:
                yield error


def _load(kind: str) -> Any:
    try:
        return importlib.import_module(f"etcdtool.cli.{_MODULES[kind]}")
    except ModuleNotFoundError as error:
        raise EtcdtoolError(
            f"--{kind}-file needs the package {error.name}, which is not installed",
            hint="Install the extra: pip install 'etcdtool[pipelines]'.",
        ) from error
