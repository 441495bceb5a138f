"""Whom an output is given to, as ``chown`` is told: ``user``, ``user:group`` or numbers."""

from __future__ import annotations

import grp
import pwd
from dataclasses import dataclass
from typing import Self

from etcdtool.errors import UsageError

__all__ = ["Owner"]

_ID_MAX = (1 << 32) - 2


@dataclass(frozen=True, slots=True)
class Owner:
    """A user and a group; -1 leaves one as it is."""

    uid: int = -1
    gid: int = -1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``user``, ``user:group`` or ``:group``; names or numbers.

        Raises:
            UsageError: there is no such user or group on this machine.
        """
        user, _, group = text.partition(":")
        if not user and not group:
            raise UsageError(f"{text!r} names no owner", hint="Write user, user:group or numbers.")
        return cls(_user_id(user) if user else -1, _group_id(group) if group else -1)


def _user_id(name: str) -> int:
    if name.isascii() and name.isdecimal() and int(name) <= _ID_MAX:
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError):
        raise UsageError(f"there is no user {name!r} on this machine", hint="Give the number instead.") from None


def _group_id(name: str) -> int:
    if name.isascii() and name.isdecimal() and int(name) <= _ID_MAX:
        return int(name)
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        raise UsageError(f"there is no group {name!r} on this machine", hint="Give the number instead.") from None
