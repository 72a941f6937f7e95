"""Measurements. `python -m bench` is what `make bench` runs; each figure comes with what limits it in docs/."""
