"""Benchmarks: ratios within one run against the plainest thing that does the same. Never part of a test."""
