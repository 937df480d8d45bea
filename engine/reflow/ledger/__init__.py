"""The ledger: every debit and credit of the best chain, in one DuckDB file."""
