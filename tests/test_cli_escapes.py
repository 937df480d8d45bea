"""Names from files are text: in a terminal, in a spreadsheet, on a page. None is markup, a command or a formula."""

import csv
import json
from pathlib import Path

import pytest

from reflow.cli import console
from reflow.files import write_csv
from reflow.text import csv_cell, escaped, escaped_json, listed, shown
from support.command import run

EVIL = "[bold]a[/] [/x] [link=http://x]b \x1b[31m\x9b2J\x07 \u202eevil\u2066\u200f\u2028\r\n\udc80"
PLAIN = "[bold]a[/] [/x] [link=http://x]b \\x1b[31m\\x9b2J\\x07 \\u202eevil\\u2066\\u200f\\u2028\\r\\n\\udc80"


def test_a_name_is_never_markup_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(EVIL, "next")
    console.print_table((EVIL, "b"), [(EVIL, "[/]")], title=EVIL)
    console.complain(f"one {EVIL}")
    out, err = capsys.readouterr()
    assert out.split("\n")[:2] == [PLAIN, "next"]
    assert out.count("[link=http://x]b \\x1b[31m\\x9b2J\\x07 \\u202eevil") == 4
    assert err.startswith("reflow: one [bold]a[/]")
    assert err.count("\n") == 1
    assert not [letter for letter in out + err if letter in "\x1b\x9b\x07\u202e\u2066\u200f\u2028\r\udc80"]


def test_json_says_the_same_with_escapes_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"name": EVIL, "unit": "ü"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"name": EVIL, "unit": "ü"}
    assert "ü" in out
    assert not [letter for letter in out if letter in "\x1b\x9b\u202e\u2028\udc80"]
    assert escaped_json('"\x7f"') == '"\\u007f"'
    assert escaped("plain ü 字 [x]") == "plain ü 字 [x]"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "\\t=1"),
        ("a\r=1", "a\\r=1"),
        ("\uff1d1", "'\uff1d1"),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        ("-", "'-"),
        ("a=1", "a=1"),
        (-5, -5),
        (None, None),
        ("", ""),
    ],
)
def test_cells_that_a_spreadsheet_would_run_are_text(cell: object, written: object, tmp_path: Path) -> None:
    assert csv_cell(cell) == written
    write_csv(tmp_path / "file.csv", [str(cell or "a")], [[cell]])
    with (tmp_path / "file.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == [str(csv_cell(str(cell or "a")))]
    assert rows == [["" if written is None else str(written)]]


def test_what_is_shown_of_others_is_short() -> None:
    assert shown("x" * 100) == f"'{'x' * 80}' and 20 more characters"
    assert shown([1] * 99) == "a list"
    assert shown(10**5000) == "a int"
    assert listed(map(str, range(10))) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more"


def test_names_in_files_reach_the_terminal_escaped(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("address,entity,category\n\x1b[31m\u202e,[/bold],x\n")
    done = run("labels", "check", tmp_path / "labels.csv")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert "\u202e" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    "options",
    [
        ["verify", "x", "--threads", str(10**30)],
        ["verify", "x", "--threads", "9" * 5001],
        ["verify", "x", "--threads", "0"],
        ["verify", "x", "--memory", "-1"],
        ["verify", "x", "--memory", "1e999GB"],
        ["verify", "x", "--memory", "9" * 30 + "TB"],
        ["ingest", "x", "--datadir", ".", "--to-height", str(2**31)],
        ["serve", ".", "--port", str(10**30)],
        ["clusters", "x", "--labels", "y", "--growth", str(10**30)],
        ["crosscheck", "--metrics", ".", "--vendor", "x", "--tolerance", "1e999"],
        ["crosscheck", "--metrics", ".", "--vendor", "x", "--from", "2021-W01-1"],
        ["explain", "x", "BlkCnt", "\u0662\u0660\u0662\u0661-01-01", "--labels", "y"],
    ],
    ids=lambda options: " ".join(options)[:40],
)
def test_numbers_and_days_that_no_option_takes_are_wrong_usage(options: list[str], tmp_path: Path) -> None:
    done = run(*options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr.splitlines()[-1]
