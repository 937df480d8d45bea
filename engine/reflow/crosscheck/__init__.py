"""The vendor's series beside ours: read, compare, and say what a difference means."""
