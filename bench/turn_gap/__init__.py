"""Turn gaps at the person's ear, over many kinds of turns. See `__main__.py`."""
