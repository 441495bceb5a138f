"""``etcdtool wal dump``: what ``etcd-dump-logs`` prints, of damaged logs too."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from etcdtool.cli._groups import command, exit_status, write_out
from etcdtool.cli._wal import decoded_cells, decoded_json, entry_json, entry_line, json_line, record_json, record_line
from etcdtool.cli.printers import WriteOut
from etcdtool.cli.text import hex_id, printable
from etcdtool.errors import UsageError
from etcdtool.formats.snap import parse_snap_name
from etcdtool.formats.wal.every_record import Damage, iter_all_records
from etcdtool.operations.wal_dump import ALIASES, Selection, dump_entries, known_types
from etcdtool.operations.wal_source import open_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from etcdtool.operations.stream_decoder import Decoded, StreamDecoder
    from etcdtool.operations.wal_dump import Dump, DumpedEntry
    from etcdtool.operations.wal_source import OpenedLog

__all__ = ["dump_command"]

Shown = TypeVar("Shown")

_DAMAGED = 3
_DAY_SECONDS = 86_400


def _types(_: click.Context, __: click.Parameter, given: Sequence[str]) -> frozenset[str]:
    known = known_types() if given else []
    chosen = set()
    for name in (word for words in given for word in words.split(",") if word):
        kind = ALIASES.get(name.lower(), name.lower())
        if kind == "normal":
            chosen |= {"empty", "v2", "v3", "unreadable"}
        elif kind in known:
            chosen.add(kind)
        else:
            raise UsageError(f"there is no type {name!r}", hint=f"There are: {', '.join(known)}")
    return frozenset(chosen)


@command(
    "dump",
    short_help="Print the entries of a log, decoded.",
    examples=[
        "etcdtool wal dump /var/lib/etcd",
        "etcdtool wal dump /var/lib/etcd --type delete_range,txn --from-index 1000",
        "etcdtool wal dump /var/lib/etcd -w json --values | jq .request",
        "etcdtool wal dump /var/lib/etcd --type put --stream-decoder ./my-decoder",
        "etcdtool wal dump /var/lib/etcd --raw",
    ],
    exit_codes=exit_status({3: "the log was printed as far as it can be read; it is damaged"}),
)
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--wal-dir", type=click.Path(path_type=Path), help="Where the log is when it is kept apart.")
@click.option("--from-index", "--start-index", type=click.IntRange(0), metavar="INDEX", help="Entries from here on.")
@click.option(
    "--from-snap",
    "--start-snap",
    "from_snap",
    metavar="NAME.snap",
    callback=lambda _, __, name: None if name is None else parse_snap_name(Path(name).name)[1] + 1,
    help="Entries behind this .snap file, as a server reads them.",
)
@click.option("--to-index", type=click.IntRange(0), metavar="INDEX", help="Entries up to here, this one included.")
@click.option(
    "--type",
    "--entry-type",
    "types",
    multiple=True,
    callback=_types,
    metavar="TYPE[,TYPE]...",
    help="Only these: put, delete_range, txn, compaction, lease_grant, auth_enable ...; conf, empty, v2, v3; "
    "the names of etcd-dump-logs too.",
)
@click.option("--term", type=click.IntRange(0), help="Only entries of this term.")
@click.option("--values", is_flag=True, help="Print values, not their sizes. Passwords are never printed.")
@click.option(
    "--hex", "as_hex", is_flag=True, help="Add the data of each entry in hex, secrets too, for a decoder of your own."
)
@click.option(
    "--stream-decoder",
    default="",
    metavar="'PROGRAM [ARGUMENT]...'",
    help="Run this, hand it the data of each entry printed, secrets too, in hex, one a line, and print the line "
    "STATUS|DECODED that it writes for each. Words are split at single spaces; no shell reads them.",
)
@click.option(
    "--decoder-timeout",
    type=click.IntRange(0, _DAY_SECONDS),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Give up a decoder that neither reads nor writes for so long; 0: never.",
)
@click.option("--raw", is_flag=True, help="Print every record as it stands in the files, replaced entries too.")
def dump_command(
    *,
    source: Path,
    wal_dir: Path | None,
    from_index: int | None,
    from_snap: int | None,
    to_index: int | None,
    types: frozenset[str],
    term: int | None,
    values: bool,
    as_hex: bool,
    stream_decoder: str,
    decoder_timeout: int,
    raw: bool,
) -> None:
    """Print the entries of the log in DIR, one a line: term, index, type, and the request in it, of v2 or of v3.

    DIR is a data dir, its member or wal folder, or a single .wal file. The text is that of etcd-dump-logs; -w json
    prints JSON lines. Damaged places are told on stderr with file, offset and record, and what comes behind them is
    printed too. With --raw --values the data of entries are printed as they are, passwords' hashes too.
    """
    from_index = max(from_index or 0, from_snap or 0) or None
    if raw and (types or as_hex or stream_decoder or any(one is not None for one in (term, from_index, to_index))):
        raise UsageError("--raw prints every record", hint="Leave the filters, --hex and --stream-decoder out.")
    with open_log(source, wal_dir=wal_dir) as log:
        for note in log.notes:
            print(printable(f"note: {note}"), file=sys.stderr)
        if raw:
            damage = _print_records(log, values=values)
            _tell(log, damage)
        else:
            dump = dump_entries(log.segments)
            damage = dump.damage
            selection = Selection(from_index=from_index, to_index=to_index, types=types, term=term)
            try:
                with _decoder(stream_decoder, decoder_timeout) as decoder:
                    _print_entries(dump, selection, decoder, values=values, as_hex=as_hex)
            finally:  # a decoder that fails hides no damage
                _tell(log, damage)
    if any(not one.is_tail for one in damage):
        click.get_current_context().exit(_DAMAGED)


@contextlib.contextmanager
def _decoder(command: str, silence_seconds: int) -> Iterator[StreamDecoder | None]:
    if not command:
        yield None
        return
    from etcdtool.operations.stream_decoder import StreamDecoder  # noqa: PLC0415  few ask for it

    def on_stderr(line: bytes) -> None:
        print(printable(f"decoder stderr: {line.decode('utf-8', 'surrogateescape')}"), file=sys.stderr)

    with StreamDecoder(command, silence_seconds=silence_seconds, on_stderr=on_stderr) as decoder:
        yield decoder


def _print_entries(
    dump: Dump, selection: Selection, decoder: StreamDecoder | None, *, values: bool, as_hex: bool
) -> None:
    entries = dump.entries(selection)
    if write_out() is WriteOut.JSON:

        def as_json(entry: DumpedEntry) -> dict[str, Any]:
            return entry_json(entry, values=values, as_hex=as_hex)

        for document, decoded in _with_answers(entries, as_json, decoder):
            sys.stdout.write(f"{json_line(document | decoded_json(decoded))}\n")
        return
    columns = [*(["hex"] if as_hex else []), *(["decoder_status", "decoded_data"] if decoder else [])]
    _print_head(dump, columns)

    def as_line(entry: DumpedEntry) -> tuple[str, str]:
        return entry_line(entry, values=values, as_hex=as_hex), "" if entry.committed else "\t(not committed)"

    for (line, mark), decoded in _with_answers(entries, as_line, decoder):
        sys.stdout.write(f"{line}{decoded_cells(decoded)}{mark}\n")


def _print_head(dump: Dump, more_columns: Sequence[str]) -> None:
    sys.stdout.write(
        f"WAL metadata:\nnodeID={hex_id(dump.node_id)} clusterID={hex_id(dump.cluster_id)} term={dump.term} "
        f"commitIndex={dump.commit} vote={hex_id(dump.vote)}\n"
    )
    for index, term in dump.snapshots:
        if index:
            sys.stdout.write(f"Snapshot: term={term} index={index}\n")
    replaced = f", {dump.replaced} more were replaced by a later leader" if dump.replaced else ""
    sys.stdout.write(f"WAL entries: {len(dump.places)}{replaced}\n")
    columns = "\t".join([f"{'term':>4}", f"{'index':>10}", "type", "data", *more_columns])
    sys.stdout.write(f"{columns}\n")


def _with_answers(
    entries: Iterable[DumpedEntry], shown_as: Callable[[DumpedEntry], Shown], decoder: StreamDecoder | None
) -> Iterator[tuple[Shown, Decoded | None]]:
    """Yield entries as they are shown, and what the decoder says of each."""
    if decoder is None:
        yield from ((shown_as(entry), None) for entry in entries)
        return
    without_status = 0
    for shown, decoded in decoder.decode((entry.index, entry.data, shown_as(entry)) for entry in entries):
        without_status += decoded.status is None
        yield shown, decoded
    if without_status:
        print(f"note: lines of the decoder that are not STATUS|DECODED: {without_status}", file=sys.stderr)


def _print_records(log: OpenedLog, *, values: bool) -> list[Damage]:
    damage = []
    as_json = write_out() is WriteOut.JSON
    for found in iter_all_records(log.segments):
        name = log.segments[found.segment].name
        if isinstance(found, Damage):
            damage.append(found)
        elif as_json:
            sys.stdout.write(f"{json_line(record_json(found, name, values=values))}\n")
        else:
            sys.stdout.write(f"{record_line(found, name, values=values)}\n")
    return damage


def _tell(log: OpenedLog, damage: Sequence[Damage]) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    for one in damage:
        print(_told(log, one), file=sys.stderr)


def _told(log: OpenedLog, one: Damage) -> str:
    what = "torn tail" if one.is_tail else "damaged"
    return printable(f"{what}: {log.segments[one.segment].name} at {one.offset:#x}, record {one.number}: {one.problem}")
