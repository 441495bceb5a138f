"""Checks, one subject a file. Each yields findings and goes on."""
