"""Grids of a sweep: which methodologies a file stands for, which mean the same, and what can be wrong with it."""

from pathlib import Path

import pytest

from reflow.errors import MethodologyError
from reflow.flows.methodology import ALLOWED, REFERENCE, Methodology
from reflow.sweeps.grid import changed, changes, grid_of, meaning, read_grid


def read(tmp_path: Path, text: str) -> list[Methodology]:
    file = tmp_path / "grid.toml"
    file.write_text(text)
    return read_grid(file).methodologies


def test_every_combination_once_in_the_order_of_the_lists(tmp_path: Path) -> None:
    found = read(tmp_path, 'one_hop = ["exact", "within"]\nnetting = ["net", "gross"]\n')
    assert found == [
        Methodology(one_hop=one_hop, netting=netting)
        for one_hop in ("exact", "within")
        for netting in ("net", "gross")
    ]


def test_alone_means_everything_else_as_in_the_base(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        'sender = ["pro_rata", "any_input"]\n[alone]\nclock = ["header", "mediantime"]\nsender = ["min_net"]\n',
    )
    assert found == [
        Methodology(sender="pro_rata"),
        Methodology(sender="any_input"),
        Methodology(sender="pro_rata", clock="header"),
        Methodology(sender="min_net"),
    ]


def test_an_empty_file_is_the_reference_methodology(tmp_path: Path) -> None:
    assert read(tmp_path, "") == [REFERENCE]


def test_what_means_the_same_is_tried_once_and_told() -> None:
    grid = grid_of({"sender": ["any_input", "all_inputs"], "netting": ["gross", "net"]})
    assert grid.methodologies == [
        Methodology(netting="gross"),
        REFERENCE,
        Methodology(sender="all_inputs"),
    ]
    assert grid.base == Methodology(netting="gross")
    assert grid.equivalent == [
        (Methodology(sender="all_inputs", netting="gross"), Methodology(sender="all_inputs"))
    ]
    assert all(meaning(one) == one for one in grid.methodologies)


def test_the_grid_that_ships_tries_every_value_of_every_parameter_alone() -> None:
    grid = read_grid()
    assert grid.base == REFERENCE
    singles = [
        Methodology(),
        *(changed(REFERENCE, k, v) for k, values in ALLOWED.items() for v in values[1:]),
    ]
    assert set(singles) <= set(grid.methodologies)
    assert len(grid.methodologies) == len(set(grid.methodologies)) == 59
    assert len(grid.equivalent) == 8
    mining = Methodology(exchange_accounts_as_miners="hop0", sender="pro_rata", clusters="labels_only")
    assert mining in grid.methodologies


def test_changes_are_told_against_any_base() -> None:
    assert changes(Methodology(clock="header", netting="gross")) == {"clock": "header", "netting": "gross"}
    assert changes(REFERENCE, Methodology(clock="header")) == {"clock": "mediantime"}


KEYS = "expected one of clock, clusters, one_hop, membership, exchange_accounts_as_miners, sender, netting"
SENDERS = "any_input, all_inputs, pro_rata, min_net"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('sendr = ["any_input"]', 1, f"unknown key sendr, {KEYS}"),
        ('clock = ["header"]\nsender = [\n "anyone"]', 2, f"sender = 'anyone', expected one of {SENDERS}"),
        ('\nsender = "any_input"', 2, f"sender = 'any_input', expected a list with some of {SENDERS}"),
        ("sender = []", 1, f"sender = [], expected a list with some of {SENDERS}"),
        ('netting = ["net", "net"]', 1, "netting has 'net' twice, expected each value once"),
        ("netting = [1]", 1, "netting = 1, expected one of net, gross"),
        ('[alone]\nclock = ["header"]\nsendr = []', 3, f"unknown key sendr, {KEYS}"),
        ('clock = ["header"]\n\n[alone]\nclock = ["noon"]', 4, "clock = 'noon', expected one of"),
        ('alone.clock = "header"', 1, "clock = 'header', expected a list with some of mediantime, header"),
        ('clock = ["header"]\nalone = "header"', 2, "alone = 'header', expected a table"),
        ("clock = [", 1, "not a TOML file"),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, text: str, line: int, message: str) -> None:
    with pytest.raises(MethodologyError) as caught:
        read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'grid.toml'}:{line}: {message}")


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(MethodologyError, match=r"none\.toml: no such grid file"):
        read_grid(tmp_path / "none.toml")
    with pytest.raises(MethodologyError, match="cannot read the grid"):
        read_grid(tmp_path)


def test_lists_in_python_are_checked_too() -> None:
    with pytest.raises(MethodologyError, match="clock = 'noon', expected one of mediantime, header"):
        grid_of({"clock": ["noon"]})
