"""The benchmark suite; see run.py."""
