"""Plug-ins: functions with names, files of the user's own, installed packages.

The examples of its functions go on from this one:

>>> from invscore.plugins import *
"""

from invscore.plugins.entry_points import Kind, find_plugin, installed, is_address

__all__ = ["Kind", "find_plugin", "installed", "is_address"]
