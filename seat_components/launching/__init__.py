"""Starting a bundle's run: its folder found by name, its command line, the words that follow it.

Nothing here loads torch: a command is refused, or handed on, at once.
"""

from seat_components.launching.folders import bundle_folder
from seat_components.launching.line import bundle_command

__all__ = ["bundle_command", "bundle_folder"]
