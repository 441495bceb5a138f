"""``etcdtool import``: a snapshot from the JSON lines of an export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from etcdtool.cli._exported import RecordsView
from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli.printers import show
from etcdtool.cli.progress import Progress
from etcdtool.operations.import_snapshot import import_snapshot
from etcdtool.sources.lines import open_lines
from etcdtool.targets import refuse_existing

if TYPE_CHECKING:
    from etcdtool.operations.import_snapshot import Imported

__all__ = ["import_command"]


@command(
    "import",
    short_help="Make a snapshot of the JSON lines that export wrote.",
    examples=[
        "etcdtool import everything.jsonl -o snapshot.db",
        "grep -v '\"/tmp/' keys.jsonl | etcdtool import - -o snapshot.db",
    ],
    exit_codes=exit_status({12: "the target exists; nothing is overwritten"}),
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "-o", "--output", metavar="SNAPSHOT", required=True, type=click.Path(path_type=Path), help="The new snapshot."
)
def import_command(*, file: Path, output: Path) -> None:
    """Make a snapshot of JSON lines, as export and convert write them; etcdutl snapshot restore takes it.

    FILE may be packed with gzip or zstd; - is stdin. From an export with --history all comes back as it was, with
    the same hashes. From live keys alone a store comes that is compacted at its newest revision. Lines of your own
    need a key and a value; revisions are counted then. The snapshot is read back from disk before it has its name.
    """
    refuse_existing(output)
    with open_lines(file) as lines, Progress("import") as progress:
        imported = import_snapshot(lines, output, progress=progress)
        name = lines.name
    show(_view(name, imported), write_out())


def _view(source: str, imported: Imported) -> RecordsView:
    notes = []
    if imported.without_lease:
        notes.append(f"{imported.without_lease} keys hang on a lease that is not there, so that nothing ends them")
    if imported.exported_revision is not None and imported.exported_revision > imported.revision:
        notes.append(
            f"the export went up to revision {imported.exported_revision}, and what came behind {imported.revision} is "
            "not in it: was it cut short?"
        )
    counts = {kind: count for kind, count in imported.counts.items() if kind != "export"}
    if not (counts.keys() & {"put", "delete"}):
        notes.append("there is no key in it")
    return RecordsView(
        source=source,
        target=str(imported.target),
        size=imported.size,
        counts=counts,
        history=imported.history,
        revision=imported.revision,
        more={"withoutLease": imported.without_lease},
        notes=notes,
    )
