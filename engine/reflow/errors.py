"""Errors that a user can do something about.

Each message is a sentence for a person: where, what was found, what was expected. The command line prints it as one
line on stderr and exits with status 1. A library user catches `ReflowError` or a subclass. Any other exception is a bug
and keeps its traceback.
"""


class ReflowError(Exception):
    """Bad input or a failed check, in one line."""


class BadBlockError(ReflowError):
    """A block or its undo data failed a check: names file, offset, height and what differed."""

    def __init__(self, text: str, block: int = 0) -> None:
        """`block` is its number in the batch: so many before it are sound."""
        super().__init__(text)
        self.block = block


class SourceError(ReflowError):
    """The node's files or its RPC cannot be read: missing, unreadable, unreachable, pruned, too old."""


class ChainMovedError(SourceError):
    """The node's chain changed while it was read: the blocks before are sound, the others must be looked for again."""


class LedgerError(ReflowError):
    """The ledger cannot be used: other network, newer or older schema, locked, damaged, or no room to write."""


class LabelError(ReflowError):
    """A label file is wrong: names file and line."""


class PriceError(ReflowError):
    """A price file is wrong: names file and line."""


class MethodologyError(ReflowError):
    """A methodology is wrong: names the key, what was found and what is allowed."""


class MetricError(ReflowError):
    """The catalogue does not have the metric."""


class ResultsError(ReflowError):
    """A folder is not what recompute writes."""


class VendorError(ReflowError):
    """A vendor's series cannot be read or compared: names file and line, or what the vendor's server said."""


class OutputError(ReflowError):
    """Results cannot be written to the wanted place."""


class ServeError(ReflowError):
    """The server cannot start: its address is taken or is none, or a library it needs is missing."""
