"""Matched spectrum, the default method, and what it alone needs."""
