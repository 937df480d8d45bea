"""A recomputation that is replaced while it is served: there at once, never mixed, and pages end as they began."""

import json
import os
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest

from support.serving import DAYS, SERIES, Server, day, days_of, known_values, results, serving

EX = "FlowMinerIn0HopAllExNtv"
NET = "FlowMinerNet1HopAllNtv"


def replace(folder: Path, factor: int) -> None:
    results(folder, known_values(factor), digest=f"of {factor}")


def newest(server: Server) -> str:
    return str(server.series(EX, limit_per_asset=1)["data"][0][EX])


def test_a_new_one_is_there_for_the_next_request(tmp_path: Path) -> None:
    replace(tmp_path, 1)
    with serving(tmp_path) as server:
        for factor in (1, 2, 3):
            replace(tmp_path, factor)
            assert newest(server) == newest(server) == f"{29 * factor}.{29 * factor:08d}"


def test_pages_go_on_as_they_began(tmp_path: Path) -> None:
    replace(tmp_path, 1)
    with serving(tmp_path) as server:
        first = server.series(EX, page_size=20)
        replace(tmp_path, 2)
        assert newest(server) == "58.00000058"
        rest = server.series(EX, page_size=20, next_page_token=first["next_page_token"])
        rows = rest["data"] + first["data"]
        assert [Decimal(row[EX]) for row in rows] == [n + Decimal(n).scaleb(-8) for n in range(DAYS)]
        for factor in range(3, 8):  # more than are kept
            replace(tmp_path, factor)
            newest(server)
        gone = server.get(
            SERIES, assets="btc", metrics=EX, page_size=20, next_page_token=first["next_page_token"]
        )
        assert gone.status == 400
        assert "has been replaced; start again" in gone.json()["error"]["message"]


def test_a_token_holds_after_a_restart_with_the_same_files(tmp_path: Path) -> None:
    replace(tmp_path, 1)
    with serving(tmp_path) as server:
        token = server.series(EX, page_size=20)["next_page_token"]
    with serving(tmp_path) as server:
        rest = server.series(EX, page_size=20, next_page_token=token)
        assert days_of(rest) == [day(n) for n in range(10)]


def test_files_that_do_not_fit_are_not_served(tmp_path: Path) -> None:
    """Between the renames of metrics.parquet and run.json the one before is served, whichever comes first."""
    replace(tmp_path / "old", 1)
    replace(tmp_path / "new", 2)
    replace(tmp_path / "served", 1)
    with serving(tmp_path / "served") as server:
        for name in ("metrics.parquet", "run.json"):
            assert newest(server) == "29.00000029"
            (tmp_path / "new" / name).rename(tmp_path / "served" / name)
        assert newest(server) == "58.00000058"
        assert server.get("/methodology/reference").json()["run"]["digests"]["ledger"] == "of 2"


def test_folders_that_come_and_go(tmp_path: Path) -> None:
    results(tmp_path / "strict", known_values(3), methodology="strict")
    with serving(tmp_path) as server:
        assert newest(server) == "87.00000087"
        replace(tmp_path / "new.part", 1)
        (tmp_path / "new.part").rename(tmp_path / "reference")
        _wait_for(server, "29.00000029")
        for file in ("run.json", "metrics.parquet", "metrics.csv"):
            (tmp_path / "reference" / file).unlink()
        _wait_for(server, "87.00000087")


def _wait_for(server: Server, value: str) -> None:
    deadline = time.monotonic() + 10
    while newest(server) != value:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("form", ["json", "json_stream"])
def test_answers_are_of_one_recomputation_while_others_replace_it(tmp_path: Path, form: str) -> None:
    """Readers and a writer at the same time: within an answer every value tells the same factor."""
    number = 4000
    served, versions = tmp_path / "served", 4

    def values(factor: int) -> dict[str, list[int | None]]:
        return {EX: [factor] * number, NET: [factor] * number, "MOMR": [factor] * number}

    for factor in range(versions):
        results(tmp_path / f"v{factor}", values(factor + 1), digest=f"of {factor}")
    results(served, values(1), digest="of 0")
    seen: set[str] = set()
    stop = threading.Event()

    def write() -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            for name in ("metrics.parquet", "run.json"):
                part = served / f".{name}.part"
                part.write_bytes((tmp_path / f"v{turn % versions}" / name).read_bytes())
                os.replace(part, served / name)  # noqa: PTH105  # the call that the project's writer makes
            stop.wait(0.15)

    with serving(served) as server:
        writer = threading.Thread(target=write)
        writer.start()
        try:
            deadline = time.monotonic() + 60
            while len(seen) < versions and time.monotonic() < deadline:
                reply = server.get(SERIES, assets="btc", metrics="*", format=form, page_size=10_000)
                assert reply.status == 200, reply.text()
                rows = (
                    reply.json()["data"]
                    if form == "json"
                    else list(map(json.loads, reply.text().splitlines()))
                )
                assert len(rows) == number
                [found] = {row[metric] for row in rows for metric in (EX, NET, "MOMR")}
                seen.add(found)
        finally:
            stop.set()
            writer.join()
    assert len(seen) == versions
