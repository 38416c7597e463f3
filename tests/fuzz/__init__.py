"""Hostile input to the whole command line: ``python -m tests.fuzz`` (see CONTRIBUTING.md)."""
