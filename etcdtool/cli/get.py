"""``etcdtool get``: what ``etcdctl get`` answers, from a file (``etcdctl/ctlv3/command/get_command.go`` @ v3.7.3)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import UPSTREAM_EXIT_STATUS, BadFeatureError, command, write_out
from etcdtool.cli._index import index_option
from etcdtool.cli._int64 import Int64
from etcdtool.cli._kubernetes_options import kubernetes_options, take_kubernetes
from etcdtool.cli._records import range_response, record_fields, record_json, record_lines
from etcdtool.cli._scanned import asked_keys, opened_rows, source_argument
from etcdtool.cli.printers import WriteOut, write_binary, write_bytes, write_lines
from etcdtool.cli.text import json_text
from etcdtool.errors import EtcdtoolError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from etcdtool.cli._scanned import Opened
    from etcdtool.operations.range_request import RangeAnswer, RangeRequest

__all__ = ["get_command"]

_ORDERS = {"", "ASCEND", "DESCEND"}
_TARGETS = {"", "CREATE", "KEY", "MODIFY", "VALUE", "VERSION"}


@command(
    "get",
    short_help="Print keys and values as etcdctl get does, from a file.",
    examples=[
        "etcdtool get snapshot.db /app/config",
        "etcdtool get /var/lib/etcd /app/ --prefix --keys-only",
        "etcdtool get snapshot.db /app/config --rev 1200 --print-value-only",
        "etcdtool get snapshot.db /app/ --prefix --order DESCEND --limit 5 -w json",
    ],
    exit_codes={
        **UPSTREAM_EXIT_STATUS,
        1: "it failed: a file that cannot be read, a revision that is compacted or not reached",
        4: "-w, --order, --sort-by or --consistency got what does not exist, or a minimum is above its maximum",
        128: "too few or too many arguments, or flags that exclude each other",
    },
    upstream=True,
    other_forms=("protobuf",),
)
@source_argument
@click.argument("words", metavar="KEY [RANGE_END]", nargs=-1)
@click.option("--consistency", default="l", metavar="l|s", help="Taken as etcdctl takes it; a file reads the same.")
@click.option("--order", default="", metavar="ORDER", help="Order of results: ASCEND or DESCEND (ASCEND by default).")
@click.option(
    "--sort-by", default="", metavar="TARGET", help="Sort by CREATE, KEY, MODIFY, VALUE or VERSION (KEY by default)."
)
@click.option("--limit", type=Int64(), default=0, metavar="N", help="Give N keys at the most.")
@click.option("--prefix", is_flag=True, help="Get the keys that begin with KEY.")
@click.option("--from-key", is_flag=True, help="Get KEY and all keys behind it, by their bytes.")
@click.option("--rev", "revision", type=Int64(), default=0, metavar="REV", help="Read at this revision.")
@click.option("--keys-only", is_flag=True, help="Get the keys without their values.")
@click.option("--count-only", is_flag=True, help="Get the number of keys alone; for -w fields.")
@click.option("--print-value-only", is_flag=True, help="Print values without their keys; for -w simple.")
@click.option("--min-create-rev", type=Int64(), default=0, metavar="REV", help="Least create revision.")
@click.option("--max-create-rev", type=Int64(), default=0, metavar="REV", help="Greatest create revision.")
@click.option("--min-mod-rev", type=Int64(), default=0, metavar="REV", help="Least modification revision.")
@click.option("--max-mod-rev", type=Int64(), default=0, metavar="REV", help="Greatest modification revision.")
@click.option("--stream", is_flag=True, help="Taken as etcdctl 3.7 takes it: by key and without such revisions alone.")
@index_option
@click.option("--hex", "as_hex", is_flag=True, help=r"Print each byte as \x61 (simple), the lease in hex (fields).")
@kubernetes_options
def get_command(
    source: Path, words: tuple[str, ...], *, print_value_only: bool, as_hex: bool, index: bool | None, **flags: Any
) -> None:
    """Print what KEY holds, or the keys from KEY to just before RANGE_END, as etcdctl get prints it.

    SOURCE is a snapshot, a database file, either of them compressed, a data dir, or - for stdin. The newest revision is
    read, or that of --rev. No server is asked: of the header that -w json and fields print, only the revision is known.

    Keys and values are printed byte for byte; on a terminal, what could drive it is escaped. A key that is not there
    prints nothing, and ends with 0. -w protobuf writes the RangeResponse message, for a file or a pipe.

    With --k8s, values are shown as objects of Kubernetes: YAML documents, or JSON; without KEY, all that --resource and
    --namespace leave in.
    """
    form = write_out()
    kubernetes = take_kubernetes(flags)
    if kubernetes is not None:
        _refuse_with_objects(form, as_hex=as_hex, print_value_only=print_value_only, **flags)
        if not words:
            words, flags["prefix"] = ("",), True
    _refuse_words(words, **flags)
    with opened_rows(source, "get", index=index) as opened:
        find = opened.find if kubernetes is None else kubernetes.finder(opened.find)
        answer = _answer(opened._replace(find=find), words, **flags)
        if kubernetes is not None:
            from etcdtool.cli._kubernetes import write_objects  # noqa: PLC0415  most calls go without

            write_objects(kubernetes, answer, revision=answer.revision, form=form)
            return
        _refuse_form(form, count_only=flags["count_only"], value_only=print_value_only)
        match form:
            case WriteOut.SIMPLE:
                write_bytes(
                    line
                    for record in answer
                    for line in record_lines(record, as_hex=as_hex, value_only=print_value_only)
                )
            case WriteOut.FIELDS:
                write_lines(f'"{name}" : {value}' for name, value in _fields(answer, as_hex=as_hex))
            case WriteOut.PROTOBUF:
                write_binary(range_response(answer, revision=answer.revision, more=answer.more, count=answer.count))
            case _:
                _write_json(answer)


def _answer(opened: Opened, words: tuple[str, ...], *, stream: bool, **flags: Any) -> RangeAnswer:
    from etcdtool.operations.get import get  # noqa: PLC0415  the file is mapped meanwhile

    request = _request(words, **flags)
    if stream and request.keys.start:  # a server looks at the key first
        _refuse_stream(request)
    return get(opened.image, request, find=opened.find, advance=opened.advance)


def _request(
    words: tuple[str, ...], *, prefix: bool, from_key: bool, order: str, sort_by: str, **rest: Any
) -> RangeRequest:
    from etcdtool.operations.range_request import RangeRequest, SortOrder, SortTarget  # noqa: PLC0415  likewise

    return RangeRequest(
        keys=asked_keys(*words, prefix=prefix, from_key=from_key),
        revision=max(rest["revision"], 0),
        limit=rest["limit"],
        order=SortOrder[order.upper() or "NONE"],
        sort_by=SortTarget[sort_by.upper() or "KEY"],
        keys_only=rest["keys_only"],
        count_only=rest["count_only"],
        create_revision_min=max(rest["min_create_rev"], 0),
        create_revision_max=max(rest["max_create_rev"], 0),
        mod_revision_min=max(rest["min_mod_rev"], 0),
        mod_revision_max=max(rest["max_mod_rev"], 0),
    )


def _refuse_words(
    words: tuple[str, ...], *, prefix: bool, from_key: bool, consistency: str, order: str, sort_by: str, **rest: Any
) -> None:
    """Refuse what etcdctl refuses, in its order and words."""
    if not words:
        raise _refused("get command needs one argument as key and an optional argument as range_end")
    if prefix and from_key:
        raise _refused("`--prefix` and `--from-key` cannot be set at the same time, choose one")
    if rest["keys_only"] and rest["count_only"]:
        raise _refused("`--keys-only` and `--count-only` cannot be set at the same time, choose one")
    if consistency not in {"l", "s"}:
        raise _not_there(f'unknown consistency flag "{consistency}"')
    if len(words) > 1 + (not (prefix or from_key)):
        only = "one argument when `--prefix` or `--from-key` is set" if prefix or from_key else "a key and a range_end"
        raise _refused(f"too many arguments, only accept {only}")
    if order.upper() not in _ORDERS:
        raise _not_there(f"bad sort order {order}")
    if sort_by.upper() not in _TARGETS:
        raise _not_there(f"bad sort target {sort_by}")
    for what in ("Create", "Mod"):
        least, greatest = rest[f"min_{what.lower()}_rev"], rest[f"max_{what.lower()}_rev"]
        if 0 < greatest < least:
            raise _not_there(f"getMin{what}Rev(={least}) > getMax{what}Rev(={greatest})")


def _refuse_stream(request: RangeRequest) -> None:
    """Say what a server says of what its RangeStream has not."""
    if not request.is_by_key:
        what = "custom sort orders"
    elif request.has_revision_filters:
        what = "revision filters"
    else:
        return
    raise EtcdtoolError(f"RangeStream does not support {what}", hint="Leave --stream out; a file needs it for nothing")


def _refuse_with_objects(form: WriteOut, **flags: Any) -> None:
    if form is WriteOut.PROTOBUF:
        raise UsageError("-w protobuf does not go with --k8s", hint="-w json gives the objects.")
    given = [name for name in ("keys_only", "count_only", "print_value_only", "as_hex") if flags[name]]
    if given:
        name = given[0].removeprefix("as_").replace("_", "-")
        raise UsageError(f"--{name} does not go with --k8s", hint="etcdtool k8s list gives names and sizes.")


def _refuse_form(form: WriteOut, *, count_only: bool, value_only: bool) -> None:
    if count_only and form is not WriteOut.FIELDS:
        raise _refused("--count-only is only for `--write-out=fields`")
    if value_only and form is not WriteOut.SIMPLE:
        raise _refused("print-value-only is only for `--write-out=simple`")
    if form is WriteOut.TABLE:
        raise _not_there("table not supported as output format")


def _refused(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context())


def _not_there(message: str) -> BadFeatureError:
    return BadFeatureError(message, click.get_current_context())


def _fields(answer: RangeAnswer, *, as_hex: bool) -> Iterable[tuple[str, str]]:
    yield "ClusterID", "0"
    yield "MemberID", "0"
    yield "Revision", str(answer.revision)
    yield "RaftTerm", "0"
    for record in answer:
        yield from record_fields(record, as_hex=as_hex)
    yield "More", "true" if answer.more else "false"
    yield "Count", str(answer.count)


def _write_json(answer: RangeAnswer) -> None:
    """Print one document, record by record: all of a big answer need not be in memory."""
    write = sys.stdout.write
    write(f'{{"header":{json_text({"revision": answer.revision})}')
    for number, record in enumerate(answer):
        write(',"kvs":[' if number == 0 else ",")
        write(json_text(record_json(record)))
    write("]" if len(answer) else "")
    write(',"more":true' if answer.more else "")
    write(f',"count":{answer.count}' if answer.count else "")
    write("}\n")
