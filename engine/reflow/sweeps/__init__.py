"""Many methodologies, ranked by their distance to the vendor."""
