"""Benchmarks: `python -m benchmarks [NAME ...]` measures and writes `results.json`."""
