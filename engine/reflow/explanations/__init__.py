"""A cell taken apart: transactions, accounts, owners and reasons, payment graphs."""
