"""One HTML file that shows reconstructions: a table to sort and a slider between their pictures.

It asks nobody for anything: style, script and pictures are in it, and its Content-Security-Policy
forbids every request. ``page.html``, ``page.css`` and the scripts are what a browser sees;
``write_page`` puts them into one file together with the entries.
"""

from invscore.viewer.entry import PICTURES, Entry
from invscore.viewer.page import write_page

__all__ = ["PICTURES", "Entry", "write_page"]
