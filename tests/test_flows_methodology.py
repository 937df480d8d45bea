"""Methodologies: defaults of the contract, TOML files and what is wrong with them, canonical form and digest."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reflow.errors import MethodologyError
from reflow.flows.methodology import ALLOWED, PRESETS, PURPOSES, REFERENCE, Methodology, read_all
from support.economies import methodologies


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


@settings(max_examples=50, deadline=None)
@given(method=methodologies(), data=st.data())
def test_one_digest_however_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, method: Methodology, data: st.DataObject
) -> None:
    """Order of keys, quotes, spaces, comments and defaults left out change nothing."""
    written = list(method.parameters().items())
    written = [pair for pair in written if pair[1] != ALLOWED[pair[0]][0] or data.draw(st.booleans())]
    forms = st.sampled_from(['{} = "{}"', "'{}' = '{}'", '"{}"="{}"  # why', "\n# why\n{} =  '{}'\r"])
    lines = [data.draw(forms).format(*pair) for pair in data.draw(st.permutations(written))]
    file = tmp_path_factory.getbasetemp() / "m.toml"
    file.write_text("\n".join(lines), newline="")
    found = Methodology.read(file)
    assert (found, found.canonical(), found.digest()) == (method, method.canonical(), method.digest())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_what_its_canonical_form_says(name: str, tmp_path: Path) -> None:
    file = tmp_path / "other-name.toml"
    file.write_text(Methodology.read(name).canonical())
    assert Methodology.read(file).digest() == PRESETS[name].digest()
    assert Methodology.read(file).name() == name


def test_presets_differ_and_say_what_they_are_for() -> None:
    assert len({preset.digest() for preset in PRESETS.values()}) == len(PRESETS)
    assert list(PURPOSES) == list(PRESETS)
    assert not set(PRESETS) & {"custom"}


KEYS = "expected one of clock, clusters, one_hop, membership, exchange_accounts_as_miners, sender, netting"
SENDERS = "expected one of any_input, all_inputs, pro_rata, min_net"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('sendr = "any_input"', 1, f"unknown key sendr, {KEYS}"),
        ('# sender = "x"\n\nsender = "anyone"', 3, f"sender = 'anyone', {SENDERS}"),
        ('clock = "header"\n\n"sender" = """\nany\ninput"""\n', 3, f"sender = 'any\\ninput', {SENDERS}"),
        ('clock = "header"\r\nnetting = true\r\n', 2, "netting = True, expected one of net, gross"),
        ("one_hop = [\n 'within'\n]", 1, "one_hop = ['within'], expected one of within, exact"),
        ('clock = "mediantime"\n[sender]\na = 1', 2, f"sender = {{'a': 1}}, {SENDERS}"),
        ('a.clock = "header"\nclock = "noon"', 1, f"unknown key a, {KEYS}"),
        ('clock = "noon"\nnetting = "both"', 1, "clock = 'noon', expected one of mediantime, header"),
        ('sender = ""', 1, f"sender = '', {SENDERS}"),
        ("clock = 'header'\nsender = ", 2, "not a TOML file: Invalid value"),
        ('clock = "header"\nclock = "header"\n', 2, "not a TOML file: Cannot overwrite a value"),
        ("clock = 'header'\nsender = [1,\n2\n", 3, "not a TOML file: Unclosed array"),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, text: str, line: int, message: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(text.encode())
    with pytest.raises(MethodologyError) as caught:
        Methodology.read(file)
    assert str(caught.value).startswith(f"{file}:{line}: {message}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_bytes(b"sender = \xff")
    with pytest.raises(MethodologyError, match="not a TOML file, which is UTF-8"):
        Methodology.read(tmp_path / "bad.toml")


def test_neither_preset_nor_file() -> None:
    with pytest.raises(MethodologyError, match=r"^refrence: neither a preset \(reference, .*\) nor a file$"):
        Methodology.read("refrence")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(MethodologyError, match="cannot read the methodology"):
        Methodology.read(tmp_path)


def test_a_wrong_value_in_python() -> None:
    with pytest.raises(MethodologyError, match="clock = 'noon', expected one of mediantime, header"):
        Methodology(clock="noon")  # type: ignore[arg-type]


def test_several_have_names_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.toml").write_text('sender = "min_net"')
    mine = str(tmp_path / "a" / "mine.toml")
    assert read_all(["strict", mine]) == {"strict": PRESETS["strict"], "mine": Methodology(sender="min_net")}
    with pytest.raises(MethodologyError, match="another methodology is called mine too; names must differ"):
        read_all([mine, str(tmp_path / "b" / "mine.toml")])
