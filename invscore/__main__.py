"""``python -m invscore``."""

from invscore.cli.main import main

main()
