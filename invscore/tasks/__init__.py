"""Inverse problems from words: operators by name, specifications, tasks with their truth."""
