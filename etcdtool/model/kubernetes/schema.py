"""Messages of Kubernetes as a descriptor set describes them, and how Go writes their fields as JSON.

A descriptor set is what ``protoc --descriptor_set_out`` makes of ``generated.proto`` files; docs/formats/kubernetes.md
has the line.  Which fields are written though they are zero, and which stand in their parent's place, is Go's to know:
`etcdtool.model.kubernetes.go_fields` is a table of it, and for types that are younger than it numbers and truth values
are written wherever the protobuf has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

from etcdtool.errors import FormatError
from etcdtool.formats import wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorSet

__all__ = ["Field", "Message", "Schemas", "Shape", "Written", "own_schemas"]

_OWN = "etcdtool.wire.kubernetes."
_META = "k8s.io.apimachinery.pkg.apis.meta.v1."
_REPEATED = 3
_TYPE_MESSAGE, _TYPE_STRING, _TYPE_BYTES = 11, 9, 12
_ITEMS = "items"


class Written(Enum):
    """When Go writes a field into JSON."""

    IF_SET = ""  # left out where it is zero, or not there
    IF_PRESENT = "?"  # written where the protobuf has it, zero or not
    ALWAYS = "!"  # zero or null where it is not there
    NULL = "n"  # null where it is not there
    IF_TIME = "z"  # left out where the time is zero
    INLINE = ">"  # its own fields stand in its place
    NEVER = "-"


class Shape(Enum):
    """How many values a field has."""

    SINGLE = "single"
    LIST = "list"
    MAP = "map"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a message.

    Attributes:
        number: its number.
        name: what it is called in JSON.
        shape: whether it is a list or a map.
        type: of the values, as ``FieldDescriptorProto.Type`` numbers them.
        message_name: of the values, where they are messages.
        written: when Go writes it.
    """

    number: int
    name: str
    shape: Shape
    type: int
    message_name: str
    written: Written


@dataclass(frozen=True, slots=True)
class Message:
    """A message.

    Attributes:
        name: its full name, without a leading dot.
        fields: by number.
        is_list: whether Go has a list in its place (``ExtraValue``).
        never_absent: numbers of the fields that JSON may show though the message does not have them.
    """

    name: str
    fields: Mapping[int, Field]
    is_list: bool
    never_absent: tuple[int, ...]


@dataclass(slots=True)
class Schemas:
    """The messages of a descriptor set; each is made when it is first asked for."""

    _descriptors: dict[str, DescriptorProto]
    _messages: dict[str, Message] = field(default_factory=dict)
    _kinds: dict[tuple[str, str], str | None] = field(default_factory=dict)

    @classmethod
    def parse(cls, data: bytes) -> Schemas:
        """Read a descriptor set.

        Raises:
            FormatError: it is none, or it holds no object of Kubernetes'.
        """
        from google.protobuf.descriptor_pb2 import FileDescriptorSet  # noqa: PLC0415  only objects need it

        try:
            found = FileDescriptorSet.FromString(data)
        except wire.DecodeError:
            raise FormatError("descriptor set", "it is no FileDescriptorSet", hint=_HOW_TO) from None
        if not any(message.name == "ObjectMeta" for file in found.file for message in file.message_type):
            raise FormatError("descriptor set", "it holds no types of Kubernetes", hint=_HOW_TO)
        return cls.of(found)

    @classmethod
    def of(cls, files: FileDescriptorSet) -> Schemas:
        """Take the messages of some files."""
        return cls({f"{file.package}.{found.name}": found for file in files.file for found in file.message_type})

    def __contains__(self, name: str) -> bool:
        return name in self._descriptors

    def message(self, name: str) -> Message | None:
        """Return a message by its full name."""
        if name not in self._messages:
            descriptor = self._descriptors.get(name)
            if descriptor is None:
                return None
            self._messages[name] = _message_of(name, descriptor)
        return self._messages[name]

    def of_kind(self, api_version: str, kind: str) -> Message | None:
        """Return the message of a kind, or None where the set does not have it.

        ``apps/v1`` and ``Deployment`` are ``k8s.io.api.apps.v1.Deployment``: the group up to its first dot and the
        version end the package's name.
        """
        asked = api_version, kind
        if asked not in self._kinds:
            self._kinds[asked] = min(self._candidates(api_version, kind), default=None)
        name = self._kinds[asked]
        return self.message(name) if name is not None else None

    def _candidates(self, api_version: str, kind: str) -> Iterator[str]:
        group, _, version = api_version.rpartition("/")
        label = _PACKAGE_OF_GROUP.get(group, group.partition(".")[0])
        for name, descriptor in self._descriptors.items():
            package, _, own = name.rpartition(".")
            if own != kind or package.split(".")[-2:] != [label, version]:
                continue
            if any(part.number == 1 and part.type_name.endswith(".ObjectMeta") for part in descriptor.field):
                yield name


_HOW_TO = "See docs/how-to/get-a-kubernetes-object-back.md for the lines that make one."
_PACKAGE_OF_GROUP = {"": "core", "internal.apiserver.k8s.io": "apiserverinternal"}
"""Where it is not the group's first label."""


@cache
def own_schemas() -> Schemas:
    """Return what is known of every object, and of Secrets and ConfigMaps."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet  # noqa: PLC0415  as above

    file = FileDescriptorProto()
    wire.kubernetes_pb2.DESCRIPTOR.CopyToProto(file)
    return Schemas.of(FileDescriptorSet(file=[file]))


def _message_of(name: str, descriptor: DescriptorProto) -> Message:
    from etcdtool.model.kubernetes.go_fields import go_fields  # noqa: PLC0415  only objects need it

    table = go_fields()
    upstream = _upstream_name(name)
    odd = table.get(upstream)
    entries = {nested.name: nested for nested in descriptor.nested_type if nested.options.map_entry}
    fields = {part.number: _field_of(part, entries, odd) for part in descriptor.field}
    only = next(iter(fields.values())) if len(fields) == 1 else None
    is_list = only is not None and only.shape is Shape.LIST and (only.number, only.name) == (1, _ITEMS)
    shown = {Written.ALWAYS, Written.NULL, Written.INLINE}
    never_absent = tuple(number for number, own in fields.items() if own.written in shown)
    return Message(name, fields, is_list and odd is None, never_absent)


def _upstream_name(name: str) -> str:
    if not name.startswith(_OWN):
        return name
    own = name[len(_OWN) :]
    return f"k8s.io.api.core.v1.{own}" if own in {"Secret", "ConfigMap"} else f"{_META}{own}"


def _field_of(part: FieldDescriptorProto, entries: dict[str, Any], odd: dict[int, tuple[str, str]] | None) -> Field:
    how, name = (odd or {}).get(part.number, ("", ""))
    written = Written(how)
    if odd is None and part.type not in {_TYPE_MESSAGE, _TYPE_STRING, _TYPE_BYTES}:
        written = Written.IF_PRESENT
    shape = Shape.LIST if part.label == _REPEATED else Shape.SINGLE
    type_, type_name = int(part.type), part.type_name
    entry = entries.get(type_name.rpartition(".")[2]) if shape is Shape.LIST and type_ == _TYPE_MESSAGE else None
    if entry is not None:
        shape = Shape.MAP
        value = next(half for half in entry.field if half.number == 2)
        type_, type_name = int(value.type), value.type_name
    return Field(part.number, name or part.name, shape, type_, type_name.lstrip("."), written)
