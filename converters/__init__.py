"""Converters from v2 nodes to v3 puts, one a file. Copy one, edit it, pass it by path."""
