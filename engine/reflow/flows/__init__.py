"""Flows between entities by day, and the metrics made of them."""
