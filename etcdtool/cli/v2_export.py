"""``etcdtool v2 export``: the whole key space as JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from etcdtool.cli._groups import command
from etcdtool.cli._v2_nodes import node_json
from etcdtool.cli._v2_source import opened, rows_of, source_options
from etcdtool.cli.printers import write_lines
from etcdtool.cli.text import json_text
from etcdtool.cli.v2 import SOURCE_EXIT_STATUS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["export_command"]


@command(
    "export",
    short_help="Print every node as one line of JSON.",
    examples=[
        "etcdtool v2 export /var/lib/etcd > nodes.jsonl",
        "etcdtool v2 export /var/lib/etcd | jq -r 'select(.dir | not) | .key'",
    ],
    exit_codes=SOURCE_EXIT_STATUS,
)
@source_options
def export_command(sources: tuple[Path, ...], **reading: Any) -> None:
    """Print every node of SOURCE as one line of JSON, in path order, hidden ones included.

    The names are those of the v2 API: key, dir, value, createdIndex, modifiedIndex, expiration. A key or value that
    is no UTF-8 stands under key_b64 or value_b64. The output is the same in every form of -w.
    """
    with opened(sources, **reading) as data:
        write_lines(json_text(node_json(node, own_expires)) for node, own_expires in rows_of(data))
    click.get_current_context().exit(data.report.exit_code)  # 3 where nodes are known to be missing
