"""A local server that speaks the vendor's API dialect, so that the vendor's own client reads the recomputation."""
