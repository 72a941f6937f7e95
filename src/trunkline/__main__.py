"""`python -m trunkline`: the command line."""

from trunkline.cli import main

main()
