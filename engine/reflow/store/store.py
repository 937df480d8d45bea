"""What the rooms above need from a database: named relations, questions, and ordered work on several threads.

A question is the name of a file in queries/. Another engine than DuckDB needs exactly these methods.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

import pyarrow as pa
from numpy.typing import NDArray

from reflow.store.relations import Relation
from reflow.store.resources import Arrays

Item = TypeVar("Item")
Result = TypeVar("Result")


class Store(Protocol):
    """The relations of a ledger, and those that are made from them; the latter are gone when the store is closed.

    Every relation that is made or lent stands in reflow.store.relations. Parameters are those of the question.
    """

    def keep(self, relation: Relation, source: str | pa.Table, /, **parameters: object) -> None:
        """Make a relation from the answer of a question, or from a table, in place of one that has its name."""

    def add(self, relation: Relation, source: str | pa.Table, /, **parameters: object) -> None:
        """Add the answer of a question, or a table, to a relation that was made."""

    def empty(self, relation: Relation, /) -> None:
        """Make a relation without rows."""

    def drop(self, relation: Relation, /) -> None:
        """Take back a relation that was made, for the room that it takes."""

    def lend(self, relation: Relation, table: pa.Table, /) -> AbstractContextManager[None]:
        """Let questions that are asked inside read `table` as the relation."""

    def rows(self, question: str, /, **parameters: object) -> list[dict[str, Any]]:
        """The answer as one dictionary a row, for answers of a few thousand rows at most."""

    def columns(self, question: str, /, **parameters: object) -> dict[str, NDArray[Any]]:
        """The answer as one numpy array a column; no column may have nulls."""

    def batches(self, question: str, /, **parameters: object) -> Iterator[tuple[NDArray[Any], ...]]:
        """The answer batch by batch, as one numpy array a column: for answers larger than memory; without nulls."""

    def reader(self, question: str, /, **parameters: object) -> pa.RecordBatchReader:
        """The answer as Arrow batches: for answers larger than memory, of any type. Ask nothing else meanwhile."""

    def over_ranges(
        self, work: "Callable[[Store, Item], Result]", ranges: Iterable[Item], workers: int
    ) -> Iterator[Result]:
        """`work` on each of the ranges, on `workers` threads; the results are in order.

        Each call has a store of its own, without the relations that were made or lent here.
        """

    @property
    def threads(self) -> int:
        """How many threads the database uses."""

    def memory(self) -> AbstractContextManager[int]:
        """Bytes for arrays beside the database: half of its memory, which has the other half meanwhile."""

    def spill(self) -> Arrays:
        """Makes arrays in files, where the database has its temporary ones."""
