"""reflow: daily Bitcoin flows between miners and exchanges, recomputed exactly from raw blocks."""

__version__ = "0.1.0"
