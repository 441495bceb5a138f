"""What a verb of etcdutl's tells while it works, on stderr, in the form of etcdutl's log."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etcdtool.cli.text import json_text, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Log", "say"]


class Log:
    """Prints events as they come."""

    def tell(self, message: str, fields: Mapping[str, object] | None = None, *, warning: bool = False) -> None:
        """Print one line: time, level, program, message, facts."""
        time = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = [time, "warn" if warning else "info", "etcdtool", printable(message)]
        if fields:
            words.append(json_text(fields).replace('":', '": ').replace(',"', ', "'))
        say("\t".join(words))


def say(line: str) -> None:
    """Print a line on stderr at once; work does not fail for a log that cannot be written, a full disk say."""
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:  # whoever read it has gone, and does not want the rest
        raise
    except OSError:
        pass
