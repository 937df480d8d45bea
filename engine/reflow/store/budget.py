"""How memory is split between the database and what lies beside it: the one place."""


def database_bytes(total: int, others: int) -> int:
    """The database's part of what a whole process may take: what `others` leave, but a quarter at least."""
    return max(total - others, total // 4)


def bytes_for_arrays(database: int) -> int:
    """Of the database's part, what arrays take while they are needed."""
    return database // 2
