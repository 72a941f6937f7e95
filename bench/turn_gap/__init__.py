"""Turn gaps at the person's ear, over many kinds of turns. See `__main__.py`."""

from bench.turn_gap.gaps import measure, table

__all__ = ["measure", "table"]
