"""A generated chain of any size in the shape of mainnet, as a node's own files."""
