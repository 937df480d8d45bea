"""What moved between entities each day, and the metrics made of it."""
