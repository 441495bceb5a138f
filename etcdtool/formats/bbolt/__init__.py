"""The bbolt file format, version 2, as used by etcd 3.0 to 3.7."""
