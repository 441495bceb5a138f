"""``etcdtool snapshot salvage``: what a damaged file still holds, as a new snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._report_file import refuse_report_file, write_report_file
from etcdtool.cli.printers import Table, show
from etcdtool.cli.text import human_size, printable, quoted
from etcdtool.operations.salvage import salvage
from etcdtool.sources import open_database
from etcdtool.targets import refuse_existing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from etcdtool.operations.salvage_report import BucketReport, SalvageReport

__all__ = ["salvage_command"]

_SHOWN_MAX = 10


@dataclass(frozen=True, slots=True)
class _Salvaged:
    report: SalvageReport

    def simple(self) -> Iterable[str]:
        report = self.report
        yield f"read      {printable(report.source)}: {human_size(report.size)}, {len(report.damage)} findings"
        yield f"by        {'; '.join(report.roots) or 'scanning alone'}"
        yield f"written   {printable(str(report.target))}: {human_size(report.written_size)}"
        yield f"revision  {report.current_revision}, compacted at {report.compact_revision}"
        for bucket in report.buckets:
            yield from _bucket_lines(bucket)
        for mended in report.mended:
            yield f"mended    {printable(mended)}"
        for finding in report.findings[:_SHOWN_MAX]:
            yield f"  now {printable(str(finding))}"
        if len(report.findings) > _SHOWN_MAX:
            yield f"  and {len(report.findings) - _SHOWN_MAX} more findings; --report-file has them all"
        yield "nothing was lost that can be told" if report.complete else "something was lost, see above"

    def table(self) -> Table:
        rows = [
            [
                printable(bucket.name.decode("utf-8", "backslashreplace")),
                str(bucket.pairs),
                str(bucket.recovered),
                str(len(bucket.lost)),
                str(len(bucket.doubtful)),
            ]
            for bucket in self.report.buckets
        ]
        headers = ["bucket", "pairs", "recovered", "ranges lost", "doubtful"]
        return Table(headers=headers, rows=rows, left=frozenset({0}))

    def fields(self) -> Iterable[tuple[str, str]]:
        report = self.report
        yield "Target", quoted(str(report.target))
        yield "Complete", str(report.complete).lower()
        yield "Revision", str(report.current_revision)
        yield "Compact revision", str(report.compact_revision)
        for bucket in report.buckets:
            yield "", ""
            yield "Bucket", quoted(bucket.name.decode("utf-8", "backslashreplace"))
            yield "Pairs", str(bucket.pairs)
            yield "Recovered", str(bucket.recovered)
            yield "Ranges lost", str(len(bucket.lost))
            yield "Doubtful", str(len(bucket.doubtful))

    def as_json(self) -> object:
        return self.report.as_json()


def _bucket_lines(bucket: BucketReport) -> Iterable[str]:
    found = bucket.as_json()
    name = printable(str(found["bucket"]))
    if bucket.pairs or not bucket.whole:
        more = f", {bucket.recovered} of them found outside of the tree" if bucket.recovered else ""
        yield f"bucket    {name}: {bucket.pairs} pairs{more}"
    if bucket.left_out:
        yield f"  left out {bucket.left_out} more, deleted before"
    for gap in found["lost"][:_SHOWN_MAX]:
        bounds = f"from {gap['from'] or 'the first key'} to {gap['to'] or 'the last key'}"
        yield f"  lost: {printable(bounds)}: {printable(gap['reason'])}"
    if len(bucket.lost) > _SHOWN_MAX:
        yield f"  and {len(bucket.lost) - _SHOWN_MAX} more ranges"
    if bucket.doubtful:
        yield f"  doubtful: {len(bucket.doubtful)} that may have been deleted before"


@command(
    "salvage",
    short_help="Write what a damaged snapshot still holds to a new one.",
    examples=[
        "etcdtool snapshot salvage damaged.db -o salvaged.db",
        "etcdtool snapshot salvage damaged.db -o salvaged.db --report-file lost.json",
    ],
    exit_codes=exit_status(
        {
            0: "it was written, and nothing was lost that can be told",
            3: "it was written, and something was lost: the report says what",
            10: "nothing of etcd's can be read, and nothing was written",
            12: "the target or the report file exists; nothing is overwritten",
        }
    ),
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="OUT", required=True, type=click.Path(path_type=Path), help="The new snapshot.")
@click.option(
    "--report-file", metavar="FILE", type=click.Path(path_type=Path), help="Write the whole report there, as JSON."
)
@click.pass_context
def salvage_command(context: click.Context, file: Path, output: Path, report_file: Path | None) -> None:
    """Write what can still be read of a damaged snapshot or db file to OUT, a new snapshot with a sha256 trailer.

    Pages are read from the tree of the meta in use; what it does not reach is looked for in the other meta's tree and
    on every page of the file. Revisions that a compaction deleted stay deleted where anything proves it. OUT is
    verified before it gets its name; FILE is never changed. A damaged value whose record still parses cannot be told
    from a good one: if there is any other copy, use that.
    """
    form = write_out()
    refuse_existing(output)
    refuse_report_file(report_file, output)
    with open_database(file) as database:
        report = salvage(database, output)
    if report_file is not None:
        write_report_file(report_file, report.as_json())
    show(_Salvaged(report), form)
    context.exit(report.exit_code)
