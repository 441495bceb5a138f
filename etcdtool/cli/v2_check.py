"""``etcdtool v2 check``: is a data dir safe to start etcd 3.6 and 3.7 on?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._reports import count_line
from etcdtool.cli._v2_nodes import text_or_base64
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import printable, quoted
from etcdtool.findings import Report
from etcdtool.operations.v2_check import VERSIONS, check_v2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from etcdtool.model.schema import Version
    from etcdtool.model.v2_content import StoredPath
    from etcdtool.model.v2_leftovers import LoggedV2Request
    from etcdtool.operations.boot_outlook import Outlook
    from etcdtool.operations.v2_check import V2Check

__all__ = ["check_command"]

_ANSWER_IS_NO = 3
_SHOWN_AT_MOST = 10
_EXIT_STATUS = exit_status(
    {0: "safe: a server starts, and no v2 content is lost", 3: "not safe; what is in the way is named"}
)


@dataclass(frozen=True, slots=True)
class _View:
    """What was found; ``versions`` count for the verdict."""

    check: V2Check
    versions: Sequence[Version]
    shows_all: bool

    @property
    def exit_code(self) -> int:
        """0 where a server of each version starts and loses nothing, and nothing else is wrong."""
        is_safe = all(self.check.is_safe(version) for version in self.versions)
        # what speaks of one version is in its outlook
        others = [finding for finding in self.check.findings if not finding.code.startswith("boot.")]
        return 0 if is_safe and Report(others).good else _ANSWER_IS_NO

    def simple(self) -> Iterable[str]:
        """Facts, what each server would do, and findings."""
        for name, text in self._facts():
            yield f"{name:11}  {printable(text)}"
        content = self.check.content
        yield from self._listed("hidden", [_shown(one) for one in content if one.is_hidden])
        yield from self._listed("content", [_shown(one) for one in content if not one.is_hidden])
        yield from self._listed("requests", list(self._requests()))
        report = Report(self.check.findings)
        yield f"{'findings':11}  {count_line(report)}"
        for finding in report.findings:
            yield f"  {printable(str(finding))}"

    def _facts(self) -> Iterator[tuple[str, str]]:
        check = self.check
        yield "source", f"{check.name}: {check.kind}"
        yield "read", _read(check)
        more = "" if check.content_is_known else ", and what the log would say is not known"
        yield "v2 content", f"{_counted(check.content)}{more}"
        for version, one in check.outlooks.items():
            yield f"etcd {_text(version)}", self._verdict(version, one)
        yield from (("etcdutl", f"check v2store of {text}") for text in _said(check.said))

    def _requests(self) -> Iterator[str]:
        """Yield every request that a server stops at, with the versions that do."""
        found: dict[int, tuple[LoggedV2Request, list[str]]] = {}
        for version, one in self.check.outlooks.items():
            for request in one.requests:
                found.setdefault(request.index, (request, []))[1].append(_text(version))
        for index, (request, versions) in sorted(found.items()):
            asked = f"{request.request.method} {request.request.path}".rstrip()
            past = "" if index <= self.check.commit_index else ", past the commit index"
            yield f"raft index {index}, term {request.term}: {asked} (stops {' and '.join(versions)}{past})"

    def _verdict(self, version: Version, one: Outlook) -> str:
        if not one.starts:
            reasons = [f"{len(one.content)} in its .snap"] if one.content else []
            reasons += [f"{_number(len(one.requests), 'v2 request')} in its log"] if one.requests else []
            reasons += [finding.code for finding in one.others]
            return f"does not start: {', '.join(reasons)}"
        return "starts, and the v2 content is lost" if self.check.loses(version) else "starts"

    def _listed(self, name: str, lines: Sequence[str]) -> Iterator[str]:
        if not lines:
            return
        yield f"{name}:"
        most = len(lines) if self.shows_all else _SHOWN_AT_MOST
        for line in lines[:most]:
            yield f"  {printable(line)}"
        if len(lines) > most:
            yield f"  and {len(lines) - most} more; --all has them"

    def table(self) -> Table:
        """A row for each server."""
        rows = [
            [
                _text(version),
                "yes" if one.starts else "no",
                "yes" if self.check.loses(version) else "no",
                str(len(one.content)),
                str(len(one.requests)),
                ", ".join(finding.code for finding in one.others),
            ]
            for version, one in self.check.outlooks.items()
        ]
        headers = ["etcd", "starts", "loses content", "in .snap", "in log", "others"]
        return Table(headers=headers, rows=rows, left=frozenset({5}))

    def fields(self) -> Iterable[tuple[str, str]]:
        """The facts, quoted."""
        for name, text in self._facts():
            yield name.capitalize(), quoted(text)
        for finding in self.check.findings:
            yield "Finding", quoted(str(finding))

    def as_json(self) -> object:
        """Everything, for programs."""
        check = self.check
        return {
            "source": printable(check.name),
            "kind": check.kind,
            "safe": self.exit_code == 0,
            "snap": check.snap or None,
            "first_index": check.log_range[0] if check.log_range else None,
            "last_index": check.log_range[1] if check.log_range else None,
            "commit_index": check.commit_index,
            "content": [_path_json(one) for one in check.content],
            "content_known": check.content_is_known,
            "etcd": {_text(version): self._outlook_json(version, one) for version, one in check.outlooks.items()},
            "etcdutl_check": check.said,
            "findings": [finding.as_json() for finding in check.findings],
        }

    def _outlook_json(self, version: Version, one: Outlook) -> dict[str, Any]:
        return {
            "starts": one.starts,
            "loses_content": self.check.loses(version),
            "start_index": one.start_index,
            "content": [_path_json(path) for path in one.content],
            "requests": [
                {
                    "index": request.index,
                    "term": request.term,
                    "committed": request.index <= self.check.commit_index,
                    "method": request.request.method,
                    **text_or_base64("path", request.request.path.encode("utf-8", "surrogateescape")),
                    "of_members": request.of_members,
                }
                for request in one.requests
            ],
            "others": [finding.code for finding in one.others],
        }


def _text(version: Version) -> str:
    return ".".join(map(str, version))


def _number(count: int, noun: str) -> str:
    return f"{count} {noun if count == 1 else f'{noun}s'}"


def _read(check: V2Check) -> str:
    snap = check.snap or "no .snap"
    if check.log_range is None:
        return f"{snap}, no log"
    first, last = check.log_range
    if first > last:
        return f"{snap}, nothing behind it"
    return f"{snap}, log from raft index {first} to {last}, committed up to {check.commit_index}"


def _counted(content: Sequence[StoredPath]) -> str:
    if not content:
        return "none"
    auth = sum(one.path.startswith("/2/") for one in content)
    directories = sum(one.is_directory for one in content if not one.path.startswith("/2/"))
    hidden = sum(one.is_hidden for one in content)
    keys = len(content) - auth - directories
    parts = [_number(keys, "key"), f"{directories} {'directory' if directories == 1 else 'directories'}"]
    parts += [f"{auth} users and roles"] if auth else []
    return ", ".join(parts) + (f", {hidden} of them hidden" if hidden else "")


def _shown(one: StoredPath) -> str:
    """Name a node as clients do: their keys without the namespace."""
    name = one.path
    if name.startswith("/1/"):
        name = name.removeprefix("/1")
    elif name.startswith("/2/"):
        name = f"{name.removeprefix('/2/')} of v2 auth"
    return f"{name}{' (directory)' if one.is_directory else ''}"


def _said(said: dict[str, str]) -> Iterator[str]:
    """Yield what the real check says, by the versions of etcdutl that say it."""
    before, between, since = (text or "cannot read the log" for text in said.values())
    if before == between:
        yield f"3.5.18 to 3.5.31: {before}"
    else:
        yield f"3.5.18 to 3.5.21: {before}"
        yield f"3.5.22 to 3.5.31: {between}"
    yield f"3.5.32 on: {since}"


def _path_json(one: StoredPath) -> dict[str, Any]:
    path = text_or_base64("path", one.path.encode("utf-8", "surrogateescape"))
    return {**path, "dir": one.is_directory, "hidden": one.is_hidden}


@command(
    "check",
    short_help="Say whether etcd 3.6 and 3.7 start on a data dir, and what they would lose.",
    examples=[
        "etcdtool v2 check /var/lib/etcd",
        "etcdtool v2 check /var/lib/etcd --for-version 3.6 && echo upgrade",
        "etcdtool v2 check --data-dir /var/lib/etcd --wal-dir /var/lib/etcd-wal -w json",
    ],
    exit_codes=_EXIT_STATUS,
)
@click.argument("source", metavar="[SOURCE]", required=False, type=click.Path(path_type=Path))
@click.option("--data-dir", type=click.Path(path_type=Path), help="The same as SOURCE.")
@click.option(
    "--wal-dir",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the WAL is, if it is kept apart from the data dir.",
)
@click.option(
    "--for-version",
    type=click.Choice([_text(version) for version in VERSIONS]),
    help="The one etcd that shall start on it; by default each of them has to.",
)
@click.option("--all", "shows_all", is_flag=True, help="List everything, not the first of each kind.")
def check_command(
    *, source: Path | None, data_dir: Path | None, wal_dir: Path | None, for_version: str | None, shows_all: bool
) -> None:
    """Say whether etcd 3.6 and 3.7 start on a member's data dir, and what they would lose without a word.

    Looks at the .snap file, at the log behind it, and at hidden nodes, which the check of etcdutl 3.5 does not see, and
    says what that check would have said. Every key, user, role and request in the way is listed, with its raft index.
    """
    form = write_out()
    if (source is None) == (data_dir is None):
        raise click.UsageError("give SOURCE or --data-dir, one of them", click.get_current_context())
    path = source if source is not None else data_dir
    assert path is not None
    versions = [version for version in VERSIONS if for_version in {None, _text(version)}]
    view = _View(check_v2(path, wal_dir=wal_dir), versions, shows_all)
    show(view, form)
    click.get_current_context().exit(view.exit_code)
