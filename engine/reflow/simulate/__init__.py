"""A simulated economy: consensus-valid regtest blocks in a node's own files, and books that know better."""
