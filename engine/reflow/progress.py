"""Callbacks for the progress of long work."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the stage, what is done and what there is in all, in the stage's own unit; all = 0 means not known."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""
