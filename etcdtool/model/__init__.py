"""What the bytes mean in etcd. Pure: no files, no output."""
