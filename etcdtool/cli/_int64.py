"""Whole numbers as Go's flags take them, with the words of a refusal that scripts may look for."""

from __future__ import annotations

from typing import Any

import click

from etcdtool.errors import EtcdtoolError

__all__ = ["Int64"]

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1


class Int64(click.ParamType[int]):
    """An int64 the way etcdctl and etcdutl read it: decimal, or hex with 0x."""

    name = "int64"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:  # noqa: ARG002
        problem = "value out of range"
        try:
            number = int(value, 0) if isinstance(value, str) else int(value)
        except ValueError:
            problem = "invalid syntax"
        else:
            if _INT64_MIN <= number <= _INT64_MAX:
                return number
        name = param.opts[0] if param is not None else ""
        raise EtcdtoolError(
            f'invalid argument "{value}" for "{name}" flag: strconv.ParseInt: parsing "{value}": {problem}'
        )
