"""Benchmarks of the service against its peers. Not part of the wheel; start with ``python -m benchmarks --help``."""
