"""Protocol buffer messages of etcd, under a package name of our own so that other etcd clients can be loaded too."""
