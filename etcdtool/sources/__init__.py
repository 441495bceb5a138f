"""What a file or folder is, and how it is opened: the only place that opens inputs.

Inputs are opened read-only and mapped read-only; nothing in here creates, renames or touches a file of the user's.
What has to be unpacked first goes to a private temporary folder that is removed again.
"""

from __future__ import annotations

from etcdtool.sources.database import Database, open_database, open_place
from etcdtool.sources.datadir import DataDir, locate, locate_database
from etcdtool.sources.files import InputFile, Workspace, bytes_on_disk
from etcdtool.sources.locks import Holder, holder_of
from etcdtool.sources.place import Place, find_place
from etcdtool.sources.recognise import Kind, recognise

__all__ = [
    "DataDir",
    "Database",
    "Holder",
    "InputFile",
    "Kind",
    "Place",
    "Workspace",
    "bytes_on_disk",
    "find_place",
    "holder_of",
    "locate",
    "locate_database",
    "open_database",
    "open_place",
    "recognise",
]
