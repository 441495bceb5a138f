"""Bytes to records and back. No I/O, no command line, no etcd meaning beyond the format."""
