"""YAML as ``kubectl get -o yaml`` prints it: keys sorted, texts of several lines as blocks.

Kubernetes reads YAML by Go's rules, which take more for a number than those of PyYAML do (``1e3``, ``0o7``); so every
text that may be taken for one is quoted.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from etcdtool.cli.text import UNSAFE_BUT_NEWLINE

__all__ = ["yaml_text"]

_LIKE_A_NUMBER = re.compile(  # of texts without underscores, which Go takes out first
    r"[-+]?(?:0b[-+]?[01]+|0o?[-+]?[0-7]+|0x[0-9a-f]+|(?:\.[0-9]+|[0-9][0-9,]*(?:\.[0-9]*)?)(?:e[-+]?[0-9]+)?"
    r"|[0-9]+(?::[0-9]+)+(?:\.[0-9]*)?|\.?(?:inf|infinity|nan))|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*",
    re.IGNORECASE | re.DOTALL,
)
_LIKE_A_WORD = re.compile(r"|y|n|yes|no|on|off|true|false|null|~|=|<<", re.IGNORECASE)
_WIDTH = 1 << 30
_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_BASE):  # type: ignore[misc]  # of the two that there may be
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the base's signature
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    style = None
    if UNSAFE_BUT_NEWLINE.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    elif _LIKE_A_NUMBER.fullmatch(text.replace("_", "")) or _LIKE_A_WORD.fullmatch(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def yaml_text(document: object) -> str:
    """Return a document as YAML, a line feed at its end; nothing in it can drive a terminal."""
    text = yaml.dump(
        document, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True, width=_WIDTH
    )
    # these stand in double quotes alone, where the escape means the same
    return UNSAFE_BUT_NEWLINE.sub(lambda match: f"\\u{ord(match[0]):04x}", str(text))
