"""Find converters: by name among the installed ones, or by path in a file of the user's.

Installed converters are entry points of the group ``etcdtool.converters``, ours among them; they are looked up and
loaded only when asked for.  A file holds one converter: one class (made without arguments) or one object.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from etcdtool.errors import UsageError
from etcdtool.model.conversion import Converter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.metadata import EntryPoint

__all__ = ["DEFAULT_CHAIN", "GROUP", "ConverterInfo", "list_converters", "load_chain", "load_converter"]

GROUP = "etcdtool.converters"
DEFAULT_CHAIN = ("discovery", "keys")
_HOW_TO = "A converter is a class with name, summary, claims and convert; see docs/how-to/write-a-converter.md."


@dataclass(frozen=True, slots=True, kw_only=True)
class ConverterInfo:
    """One line of ``etcdtool converters``.

    Attributes:
        name: what ``-c`` calls it.
        summary: its own line about itself, "" when it cannot be loaded.
        origin: the package it comes from.
        problem: why it cannot be used, or "".
    """

    name: str
    summary: str
    origin: str
    problem: str = ""


def load_chain(references: Sequence[str] = DEFAULT_CHAIN) -> list[Converter]:
    """Load converters, in the order in which they may claim nodes.

    Args:
        references: names, or paths of ``.py`` files.

    Raises:
        UsageError: one is not there, cannot be loaded, or two have one name.
    """
    chain: dict[str, Converter] = {}
    for reference in references:
        converter = load_converter(reference)
        if converter.name in chain:
            raise UsageError(
                f"two converters of the chain are named {converter.name!r}",
                hint="Reports count by this name: give each once, and your own a name of its own.",
            )
        chain[converter.name] = converter
    if not chain:
        raise UsageError("no converter was given", hint="Leave -c out for the usual ones.")
    return list(chain.values())


def load_converter(reference: str) -> Converter:
    """Load one converter by name, or from a file where the reference ends in ``.py`` or has a slash in it.

    Raises:
        UsageError: it is not there, or it cannot be loaded; with file and line of what went wrong.
    """
    if reference.endswith(".py") or os.sep in reference:
        return _from_file(Path(reference))
    candidates = [point for point in _entry_points() if point.name == reference]
    if not candidates:
        names = ", ".join(sorted({point.name for point in _entry_points()}))
        hint = f"There are: {names}." if names else "None is installed: install etcdtool with pip."
        if Path(reference + ".py").is_file():
            hint += f" For the file give ./{reference}.py."
        raise UsageError(f"there is no converter {reference!r}", hint=hint)
    if len(candidates) > 1:
        origins = " and ".join(_origin(point) for point in candidates)
        raise UsageError(f"there are several converters {reference!r}: in {origins}", hint="Uninstall all but one.")
    return _from_entry_point(candidates[0])


def list_converters() -> list[ConverterInfo]:
    """Return what is installed, the usual chain first; one that cannot be loaded says why and spoils nothing."""
    order = {name: position for position, name in enumerate(DEFAULT_CHAIN)}
    points = sorted(_entry_points(), key=lambda point: (order.get(point.name, len(order)), point.name, point.value))
    return [_info(point) for point in points]


def _info(point: EntryPoint) -> ConverterInfo:
    try:
        converter = _from_entry_point(point)
    except UsageError as error:
        return ConverterInfo(name=point.name, summary="", origin=_origin(point), problem=error.message)
    return ConverterInfo(name=point.name, summary=converter.summary, origin=_origin(point))


def _entry_points() -> list[EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415  slow, and --help must not pay for it

    # a package that is on the path twice (editable and built) offers the same object twice
    return list({(point.name, point.value): point for point in entry_points(group=GROUP)}.values())


def _origin(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "?"
    return f"{package} ({point.value})"


def _from_entry_point(point: EntryPoint) -> Converter:
    what = f"converter {point.name!r} of {_origin(point)}"
    try:
        loaded = point.load()
        converter = loaded() if isinstance(loaded, type) else loaded
    except (Exception, SystemExit) as error:
        raise UsageError(f"{what} cannot be loaded: {_told(error)}") from error
    return _checked(converter, what)


def _from_file(path: Path) -> Converter:
    module = _run(path)
    found = _candidates(module)
    if not found:
        raise UsageError(f"{path} holds no converter{_near_miss(module)}", hint=_HOW_TO)
    if len(found) > 1:
        raise UsageError(
            f"{path} holds {len(found)} converters: {', '.join(found)}",
            hint="Begin the names of those that are not meant with an underscore.",
        )
    ((name, candidate),) = found.items()
    what = f"converter {name} in {path}"
    try:
        converter = candidate() if isinstance(candidate, type) else candidate
    except (Exception, SystemExit) as error:
        raise UsageError(f"{what} cannot be made: {_told(error, str(path))}", hint=_HOW_TO) from error
    return _checked(converter, what)


def _run(path: Path) -> ModuleType:
    try:
        source = path.read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"converter file {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    # by path, so that two files of one name do not meet; compiled here, so that no __pycache__ appears beside it
    module = ModuleType(f"etcdtool_converter_{hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickle look a class's module up there
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102  the user named the file
    except (Exception, SystemExit) as error:
        del sys.modules[module.__name__]
        raise UsageError(f"converter file {path} cannot be loaded: {_told(error, str(path))}") from error
    return module


def _candidates(module: ModuleType) -> dict[str, Any]:
    """Return by name the public converters that a module makes itself: its objects, or else its classes."""
    public = {name: thing for name, thing in vars(module).items() if not name.startswith("_")}
    things = {name: thing for name, thing in public.items() if not isinstance(thing, type) and _fits(thing)}
    if not things:
        own = {name: thing for name, thing in public.items() if getattr(thing, "__module__", "") == module.__name__}
        things = {name: thing for name, thing in own.items() if isinstance(thing, type) and _fits(thing)}
    by_identity = {id(thing): name for name, thing in reversed(things.items())}
    return {name: thing for name, thing in things.items() if by_identity[id(thing)] == name}


def _fits(thing: object) -> bool:
    return all(callable(getattr(thing, method, None)) for method in ("claims", "convert"))


def _near_miss(module: ModuleType) -> str:
    for name, thing in vars(module).items():
        if isinstance(thing, type) and thing.__module__ == module.__name__:
            missing = [method for method in ("claims", "convert") if not callable(getattr(thing, method, None))]
            if len(missing) == 1:
                return f": class {name} has no {missing[0]}"
    return ""


def _checked(converter: object, what: str) -> Converter:
    for attribute in ("name", "summary"):
        text = getattr(converter, attribute, None)
        if not isinstance(text, str) or not text:
            raise UsageError(f"{what} has no {attribute}", hint=_HOW_TO)
    if not _fits(converter) or not isinstance(converter, Converter):
        raise UsageError(f"{what} has no claims or no convert", hint=_HOW_TO)
    return converter


def _told(error: BaseException, file: str = "") -> str:
    """Return an exception in one line, with the place it came from: the last line of ``file``, or of any file."""
    text = f"{type(error).__name__}: {error}".replace("\n", " ")
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == file]
    if own:
        return f"line {own[-1].lineno}: {text}"
    return f"{text} ({frames[-1].filename}:{frames[-1].lineno})" if frames else text
