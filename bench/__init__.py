"""Measurements. `python -m bench` is what `make bench` runs; each figure comes with what limits it in docs/."""

import trunkline as trunkline  # before numpy, as in the service itself: it says how many threads numpy may use
