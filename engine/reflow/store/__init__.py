"""Named relations in a store: temporary tables, arrays in memory or in files, ordered work on several threads."""
