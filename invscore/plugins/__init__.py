"""What others add: functions with names, files of the user's own, installed packages."""

from invscore.plugins.entry_points import Kind, find_plugin, installed, is_address

__all__ = ["Kind", "find_plugin", "installed", "is_address"]
