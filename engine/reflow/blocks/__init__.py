"""A node's bytes to columns: files or RPC in, one shape of rows out."""
