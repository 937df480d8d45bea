"""Which methodologies a sweep tries: a TOML file with a list of values for each parameter."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

from reflow.errors import MethodologyError
from reflow.flows.methodology import ALLOWED, REFERENCE, Methodology, TomlFile, fault, read_toml
from reflow.store.resources import folder
from reflow.text import shown

ALONE: Final = "alone"
"""The table of a grid file whose values are tried one at a time."""

Lists = Mapping[str, Sequence[str]]
"""Parameter to the values that are tried."""


class Grid(NamedTuple):
    """Methodologies that differ in meaning, the base first, then in the order of the lists."""

    methodologies: list[Methodology]
    equivalent: list[tuple[Methodology, Methodology]]
    """Combinations that are not tried, with the methodology that means the same."""

    @property
    def base(self) -> Methodology:
        """The first value of each list: single changes start from here."""
        return self.methodologies[0]


def default_grid_file() -> Path:
    """The grid of the package, to read or copy."""
    return folder("grids") / "default.toml"


def read_grid(path: str | Path | None = None) -> Grid:
    """Read a grid file, or the grid of the package.

    At top level each parameter has a list of values; all combinations are tried. Values in the table `alone` are tried
    one at a time, with everything else as in the base. Raises MethodologyError naming file and line: no file, not
    TOML, an unknown parameter or value (with those that are allowed), no list, an empty list, a value twice.
    """
    file = read_toml(
        default_grid_file() if path is None else Path(path), what="the grid", missing="no such grid file"
    )
    alone = file.content.pop(ALONE, {})
    if not isinstance(alone, dict):
        raise MethodologyError(f"{file.place(ALONE)}: {ALONE} = {shown(alone)}, expected a table")
    _check(file, file.content)
    _check(file, alone, ALONE)
    return grid_of(file.content, alone)


def grid_of(lists: Lists, alone: Lists | None = None) -> Grid:
    """The grid of these lists, as `read_grid` describes them; raises MethodologyError for what is not allowed."""
    tried: dict[Methodology, None] = {}
    equivalent: dict[Methodology, Methodology] = {}
    for combination in _combinations(lists, alone or {}):
        tried[meaning(combination)] = None
        if combination != meaning(combination):
            equivalent[combination] = meaning(combination)
    return Grid(list(tried), list(equivalent.items()))


def meaning(methodology: Methodology) -> Methodology:
    """The methodology that means the same: all_inputs has nothing to net (methodology 9.2)."""
    return replace(methodology, netting="net") if methodology.sender == "all_inputs" else methodology


def changes(methodology: Methodology, base: Methodology = REFERENCE) -> dict[str, str]:
    """The parameters that differ from those of `base`, with their values."""
    before = base.parameters()
    return {key: value for key, value in methodology.parameters().items() if value != before[key]}


def changed(methodology: Methodology, key: str, value: str) -> Methodology:
    """The methodology with one parameter changed."""
    change: dict[str, Any] = {key: value}
    return replace(methodology, **change)


def _combinations(lists: Lists, alone: Lists) -> Iterator[Methodology]:
    for combination in product(*lists.values()):
        chosen: dict[str, Any] = dict(zip(lists, combination, strict=True))
        yield Methodology(**chosen)
    first: dict[str, Any] = {key: values[0] for key, values in lists.items()}
    for key, values in alone.items():
        for value in values:
            yield changed(Methodology(**first), key, value)


def _check(file: TomlFile, lists: Mapping[str, object], *table: str) -> None:
    for key, values in lists.items():
        if reason := _fault(key, values):
            raise MethodologyError(f"{file.place(*table, key)}: {reason}")


def _fault(key: str, values: object) -> str | None:
    """The fault in one line of a grid, or None."""
    if key not in ALLOWED:
        return fault(key, values)
    if not isinstance(values, list) or not values:
        return f"{key} = {shown(values)}, expected a list with some of {', '.join(ALLOWED[key])}"
    for place, value in enumerate(values):
        if reason := fault(key, value):
            return reason
        if value in values[:place]:
            return f"{key} has {value!r} twice, expected each value once"
    return None
