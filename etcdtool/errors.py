"""Every error etcdtool raises on purpose, with its exit code on the class.

Messages are lower case without a full stop.  A hint is a sentence of its own that says what to do next.
Only the command line catches, prints and exits.
"""

from __future__ import annotations

__all__ = [
    "AnswerIsNoError",
    "ChecksumError",
    "EtcdtoolError",
    "FormatError",
    "SourceError",
    "TargetExistsError",
    "UnsupportedVersionError",
    "UsageError",
    "as_message",
]


class EtcdtoolError(Exception):
    """Base of all errors that a user can cause or meet.

    Attributes:
        exit_code: what the command line exits with.
        message: one lower-case sentence without a full stop.
        hint: what to do next, or "".
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}" if self.hint else self.message


def as_message(text: str) -> str:
    """Return what a library said with a small first letter, as messages have it; JSON stays JSON."""
    return text if text[1:2].isupper() else text[:1].lower() + text[1:]


class UsageError(EtcdtoolError):
    """The call's words are off."""

    exit_code = 2


class SourceError(EtcdtoolError):
    """An input cannot be opened or does not hold what was asked of it."""


class AnswerIsNoError(EtcdtoolError):
    """The command ran, and the answer is no: errors were found, or a choice of the user's is needed."""

    exit_code = 3


class FormatError(EtcdtoolError):
    """Bytes that do not follow their format.

    Attributes:
        what: the thing that was read ("wal record", "bbolt page").
        where: the file's name, or "" while it is not known (parsers do not know names; sources add them).
        offset: byte offset in that file, or None.
    """

    exit_code = 10

    def __init__(self, what: str, problem: str, *, offset: int | None = None, where: str = "", hint: str = "") -> None:
        self.what = what
        self.problem = problem
        self.offset = offset
        self.where = where
        super().__init__("", hint=hint)
        self._compose()

    def _compose(self) -> None:
        place = f" at offset {self.offset:#x}" if self.offset is not None else ""
        name = f" in {self.where}" if self.where else ""
        self.message = f"{self.what}{place}{name}: {self.problem}"
        self.args = (self.message,)

    def at(self, where: str) -> FormatError:
        """Name the file, keeping a name that is already known."""
        if not self.where:
            self.where = where
            self._compose()
        return self


class ChecksumError(FormatError):
    """A stored checksum and the computed one differ."""

    exit_code = 11

    def __init__(
        self,
        what: str,
        *,
        stored: int | str,
        computed: int | str,
        offset: int | None = None,
        where: str = "",
        hint: str = "",
    ) -> None:
        self.stored = stored
        self.computed = computed
        super().__init__(
            what,
            f"stored {_hexadecimal(stored)}, computed {_hexadecimal(computed)}",
            offset=offset,
            where=where,
            hint=hint,
        )


class TargetExistsError(EtcdtoolError):
    """Something stands where the output would go; nothing that exists is overwritten."""

    exit_code = 12


class UnsupportedVersionError(EtcdtoolError):
    """Data of a version that this program does not know."""

    exit_code = 13


def _hexadecimal(checksum: int | str) -> str:
    return checksum if isinstance(checksum, str) else f"{checksum:08x}"
