"""The system calls by which a process changes files: watched from outside, and what happens at the n-th of them.

A filter in the child has the kernel ask a listener before each such call (``seccomp(2)``, SECCOMP_RET_USER_NOTIF), so
that nothing is missed: neither what C code calls, nor what other threads do.  The listener lets it pass, kills the
child before it or in the middle of a write, or answers that the disk is full.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NUMBERS = {
    "x86_64": {
        "arch": 0xC000003E,
        "seccomp": 317,
        "open": 2,
        "openat": 257,
        "write": 1,
        "pwrite64": 18,
        "writev": 20,
        "pwritev": 296,
        "pwritev2": 328,
        "sendfile": 40,
        "copy_file_range": 326,
        "fallocate": 285,
        "truncate": 76,
        "ftruncate": 77,
        "fsync": 74,
        "fdatasync": 75,
        "rename": 82,
        "renameat": 264,
        "renameat2": 316,
        "link": 86,
        "linkat": 265,
        "unlink": 87,
        "unlinkat": 263,
        "mkdir": 83,
        "mkdirat": 258,
        "rmdir": 84,
        "fchmod": 91,
        "fchown": 93,
    },
    "aarch64": {
        "arch": 0xC00000B7,
        "seccomp": 277,
        "openat": 56,
        "write": 64,
        "pwrite64": 68,
        "writev": 66,
        "pwritev": 70,
        "pwritev2": 287,
        "sendfile": 71,
        "copy_file_range": 285,
        "fallocate": 47,
        "truncate": 45,
        "ftruncate": 46,
        "fsync": 82,
        "fdatasync": 83,
        "renameat": 38,
        "renameat2": 276,
        "linkat": 37,
        "unlinkat": 35,
        "mkdirat": 34,
        "fchmod": 52,
        "fchown": 55,
    },
}
WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range"}
SYNCS = {"fsync", "fdatasync"}
SIZES = {"truncate", "ftruncate", "fallocate"}
NAMES = {"rename", "renameat", "renameat2", "link", "linkat"}
TAKES_SPACE = WRITES | {"fallocate", "open", "openat", "mkdir", "mkdirat"}

_BY_PATH = {"open": (None, 0), "truncate": (None, 0), "unlink": (None, 0), "mkdir": (None, 0), "rmdir": (None, 0)}
_BY_PATH |= {"openat": (0, 1), "unlinkat": (0, 1), "mkdirat": (0, 1)}
_BY_PATH |= {"rename": (None, 1), "link": (None, 1), "renameat": (2, 3), "renameat2": (2, 3), "linkat": (2, 3)}
_OUTPUT = {"copy_file_range": 2}  # the argument that is the descriptor written to; else the first

_CREATES = os.O_CREAT | os.O_TRUNC | os.O_TMPFILE & ~os.O_DIRECTORY
_AT_FDCWD = -100
_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER, _NEW_LISTENER = 1, 8
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1
_PIDFD_GETFD = 438
_ASKED = struct.Struct("<QII iIQ 6Q")
_ANSWER = struct.Struct("<QqiI")
_U64 = struct.Struct("<Q")
_PAGE_SIZE = 4096

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its name, the file it changes, and how many bytes it was told to write."""

    name: str
    path: str
    size: int = 0


@dataclass(slots=True)
class Watched:
    """How a child ended, and its calls in their order; the last was not or not wholly done if it was stopped."""

    code: int
    calls: list[Call]

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "calls": [asdict(call) for call in self.calls]}


def install(channel: socket.socket) -> None:
    """Have every such call of this process ask; the listener's descriptor goes through the channel."""
    numbers = NUMBERS[platform.machine()]
    program = _filter(numbers)
    buffer = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *one) for one in program))
    bpf = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    no = ctypes.c_ulong(0)
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), no, no, no))
    number = ctypes.c_long(numbers["seccomp"])
    listener = _checked(_libc.syscall(number, ctypes.c_long(_SET_MODE_FILTER), ctypes.c_long(_NEW_LISTENER), bpf))
    socket.send_fds(channel, [b"l"], [listener])
    os.close(listener)


def supervise(child: int, listener: int, *, under: str, stop: int = 0, how: str = "") -> Watched:
    """Answer a child's calls until it ends.

    Args:
        child: its process id.
        listener: that its filter gave.
        under: only calls on files below this folder count.
        stop: the number of the call at which something happens, from 1; 0: nothing does.
        how: "kill" before it, "half" (kill when half of a write is done), or "full" (the disk is, from here on; half
            of a write still fits).
    """
    seen = _Supervision(child, listener, under, stop, how)
    pidfd = os.pidfd_open(child)
    poller = select.poll()
    poller.register(listener, select.POLLIN)
    poller.register(pidfd, select.POLLIN)
    try:
        while True:
            ready = dict(poller.poll())
            if ready.get(listener, 0) & select.POLLIN:
                seen.answer()
            elif pidfd in ready:
                break
    finally:
        os.close(listener)
        os.close(pidfd)
    _, status = os.waitpid(child, 0)
    return Watched(os.waitstatus_to_exitcode(status), seen.calls)


class _Supervision:
    def __init__(self, child: int, listener: int, under: str, stop: int, how: str) -> None:
        self.calls: list[Call] = []
        self._child, self._listener = child, listener
        self._under, self._stop, self._how = under, stop, how
        numbers = NUMBERS[platform.machine()]
        self._names = {number: name for name, number in numbers.items() if name not in ("arch", "seccomp")}

    def answer(self) -> None:
        buffer = bytearray(_ASKED.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, buffer)
        except OSError as error:  # it was killed meanwhile
            if error.errno == errno.ENOENT:
                return
            raise
        asked, thread, _, number, _, _, *arguments = _ASKED.unpack(buffer)
        result, failure, flags = self._decide(thread, self._names[number], arguments)
        try:
            fcntl.ioctl(self._listener, _SEND, bytearray(_ANSWER.pack(asked, result, failure, flags)))
        except OSError as error:
            if error.errno != errno.ENOENT:
                raise

    def _decide(self, thread: int, name: str, arguments: list[int]) -> tuple[int, int, int]:
        path = _path(thread, name, arguments)
        if not path.startswith(self._under):
            return 0, 0, _CONTINUE
        self.calls.append(Call(name, path, _size(name, arguments)))
        at = len(self.calls) - self._stop if self._stop else -1
        if at < 0:
            return 0, 0, _CONTINUE
        if self._how == "full":
            return self._full(name, arguments, is_first=at == 0)
        if self._how == "half":
            self._half(name, arguments)
        os.kill(self._child, signal.SIGKILL)
        return 0, -errno.EINTR, 0

    def _full(self, name: str, arguments: list[int], *, is_first: bool) -> tuple[int, int, int]:
        if is_first and name in WRITES:
            done = self._half(name, arguments)
            if done:
                return done, 0, 0
        if name in TAKES_SPACE or is_first:  # a sync may be the first that tells
            return 0, -errno.ENOSPC, 0
        return 0, 0, _CONTINUE

    def _half(self, name: str, arguments: list[int]) -> int:
        """Do half of a write in the child's stead; return how many bytes that was."""
        size = _size(name, arguments) // 2
        if name not in ("write", "pwrite64", "copy_file_range") or not size:
            return 0
        output = self._descriptor(arguments[_OUTPUT.get(name, 0)])
        try:
            if name == "copy_file_range":
                source = self._descriptor(arguments[0])
                offsets = [_word(self._child, arguments[at]) if arguments[at] else None for at in (1, 3)]
                done = os.copy_file_range(source, output, size, *offsets)
                os.close(source)
                return done
            data = _memory(self._child, arguments[1], size)
            return os.pwrite(output, data, arguments[3]) if name == "pwrite64" else os.write(output, data)
        finally:
            os.close(output)

    def _descriptor(self, number: int) -> int:
        """Get a descriptor of the child's, with the same position."""
        pidfd = os.pidfd_open(self._child)
        try:
            words = [ctypes.c_long(word) for word in (_PIDFD_GETFD, pidfd, number, 0)]
            return _checked(_libc.syscall(*words))
        finally:
            os.close(pidfd)


def _filter(numbers: dict[str, int]) -> list[tuple[int, int, int, int]]:
    allow, notify = (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _NOTIFY)
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, numbers["arch"]), allow, (_LOAD, 0, 0, 0)]
    for name, number in numbers.items():
        if name in ("arch", "seccomp", "open", "openat"):
            continue
        program += [(_EQUAL, 0, 1, number), notify]
    for name, flags in (("open", 1), ("openat", 2)):
        if name in numbers:
            program += [(_EQUAL, 0, 4, numbers[name]), (_LOAD, 0, 0, 16 + 8 * flags)]
            program += [(_ANY_BIT, 0, 1, _CREATES), notify, allow]
    return [*program, allow]


def _path(thread: int, name: str, arguments: list[int]) -> str:
    process = Path(f"/proc/{thread}")
    try:
        if name not in _BY_PATH:
            return str((process / "fd" / str(_signed(arguments[_OUTPUT.get(name, 0)]))).readlink())
        folder, text = _BY_PATH[name]
        path = os.fsdecode(_text(thread, arguments[text]))
        at = _AT_FDCWD if folder is None else _signed(arguments[folder])
        base = (process / "cwd" if at == _AT_FDCWD else process / "fd" / str(at)).readlink()
        return os.path.normpath(base / path)
    except FileNotFoundError:  # a descriptor that is not open, or the child has gone
        return ""


def _size(name: str, arguments: list[int]) -> int:
    at = {"write": 2, "pwrite64": 2, "copy_file_range": 4, "sendfile": 3}.get(name)
    return arguments[at] if at is not None else 0


def _signed(word: int) -> int:
    return (word & 0xFFFFFFFF) - ((word & 0x80000000) << 1)


def _memory(thread: int, address: int, size: int) -> bytes:
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        return os.pread(memory.fileno(), size, address)


def _word(thread: int, address: int) -> int:
    return int(_U64.unpack(_memory(thread, address, 8))[0])


def _text(thread: int, address: int) -> bytes:
    found = b""
    while b"\0" not in found:
        found += _memory(thread, address + len(found), _PAGE_SIZE - (address + len(found)) % _PAGE_SIZE)
    return found.partition(b"\0")[0]


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(result)
