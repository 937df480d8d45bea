"""Methodologies: defaults of the contract, TOML files and what is wrong with them, canonical form and digest."""

from pathlib import Path
from typing import Any

import pytest

from reflow.errors import MethodologyError
from reflow.flows.methodology import ALLOWED, REFERENCE, Methodology


def test_reference_is_the_contract() -> None:
    assert REFERENCE.canonical() == (
        'clock = "mediantime"\nclusters = "common_input"\none_hop = "within"\nmembership = "as_of"\n'
        'exchange_accounts_as_miners = "never"\nsender = "any_input"\nnetting = "net"\n'
    )
    assert REFERENCE.digest() == "654ae02105131e0f73092661cc93c2a62f30f62aedc3dd87628131b3b6dab32d"
    assert REFERENCE.name() == "reference"


def test_read_preset_and_file(tmp_path: Path) -> None:
    assert Methodology.read("reference") == REFERENCE
    file = tmp_path / "mine.toml"
    file.write_text('netting = "gross"\nsender = "pro_rata"  # a comment\n')
    found = Methodology.read(file)
    assert found == Methodology(sender="pro_rata", netting="gross")
    assert found.name() == "custom"


def test_canonical_form_reads_back(tmp_path: Path) -> None:
    for key, values in ALLOWED.items():
        for value in values:
            method = Methodology(**{key: value})  # type: ignore[arg-type]
            (tmp_path / "m.toml").write_text(method.canonical())
            assert Methodology.read(tmp_path / "m.toml") == method


def test_every_methodology_has_its_own_digest() -> None:
    changes: list[dict[str, Any]] = [{key: value} for key, values in ALLOWED.items() for value in values[1:]]
    some = [Methodology(**change) for change in changes]
    assert len({method.digest() for method in [REFERENCE, *some]}) == len(some) + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('sendr = "any_input"', "unknown key sendr, expected one of clock, clusters"),
        ('sender = "anyone"', "sender = 'anyone', expected one of any_input, all_inputs, pro_rata, min_net"),
        ("netting = true", "netting = True, expected one of net, gross"),
        ("[sender]\na = 1", "sender = {'a': 1}, expected one of any_input"),
        ("sender = ", "not a TOML file"),
        ("sender = \xff", "not a TOML file"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(MethodologyError) as caught:
        Methodology.read(file)
    assert str(caught.value).startswith(f"{file}: {message}")
    assert "\n" not in str(caught.value)


def test_neither_preset_nor_file() -> None:
    with pytest.raises(MethodologyError, match=r"^refrence: neither a preset \(reference\) nor a file$"):
        Methodology.read("refrence")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MethodologyError, match="cannot read the methodology"):
        Methodology.read(tmp_path)


def test_a_wrong_value_in_python() -> None:
    with pytest.raises(MethodologyError, match="clock = 'noon', expected one of mediantime, header"):
        Methodology(clock="noon")  # type: ignore[arg-type]
