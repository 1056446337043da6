"""Measurements of osnowa beside its peers; run one with `python -m benchmarks.NAME`."""
