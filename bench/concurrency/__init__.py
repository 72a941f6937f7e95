"""How many conversations at once, and at what cost: `python -m bench.concurrency`."""
