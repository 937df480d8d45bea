"""A recomputation that is replaced while it is served: there at once, never mixed, and pages end as they began."""

import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from support.serving import DAYS, SERIES, Reply, Server, day, days_of, known_values, results, serving

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
        assert newest(server) == "29.00000029"  # for a moment, in which a writer may put it back
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


def test_what_is_gone_is_asked_for_again_later(tmp_path: Path) -> None:
    """Nothing there at all is a moment's state: 503, until something is there again."""
    served, away = tmp_path / "served", tmp_path / "away"
    replace(served, 1)
    with serving(served) as server:
        assert newest(server) == "29.00000029"
        served.rename(away)
        assert newest(server) == "29.00000029"
        deadline = time.monotonic() + 10
        while (reply := ask(server, "json")).status == 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert_try_again(reply)
        assert_try_again(server.get("/methodology/reference"))
        replace(away, 2)
        away.rename(served)
        assert newest(server) == "58.00000058"


def test_a_file_that_is_written_over_is_never_half_read(tmp_path: Path) -> None:
    """Nobody writes so, but a copy does: the file that was opened is another one then, and is not answered from."""
    replace(tmp_path / "new", 2)
    replace(tmp_path / "served", 1)
    with serving(tmp_path / "served") as server:
        assert newest(server) == "29.00000029"
        file = tmp_path / "served" / "metrics.parquet"
        whole = (tmp_path / "new" / "metrics.parquet").read_bytes()
        with file.open("r+b") as stream:
            stream.write(whole[: len(whole) // 2])
        assert_try_again(ask(server, "json"))
        for name in ("metrics.parquet", "run.json"):
            shutil.copyfile(tmp_path / "new" / name, tmp_path / "served" / name)
        assert newest(server) == "58.00000058"


def assert_try_again(reply: Reply) -> None:
    assert (reply.status, reply.headers["retry-after"]) == (503, "1"), reply.text()
    assert list(reply.json()["error"]) == ["type", "message"]
    assert b"\n" not in reply.body


def ask(server: Server, form: str) -> Reply:
    return server.get(SERIES, assets="btc", metrics="*", format=form, page_size=10_000)


RUNS, FIRST_LENGTH = 3, 400
"""Versions that take each other's place; each has its own value in every cell, its own digest and number of days."""


def replace_files(new: Path, served: Path) -> None:
    """As recompute replaces its files, one rename after the other."""
    served.mkdir(exist_ok=True)
    for name in ("metrics.parquet", "run.json"):
        shutil.copyfile(new / name, served / f".{name}.part")
        (served / f".{name}.part").replace(served / name)


def replace_folder(new: Path, served: Path) -> None:
    """As a whole, by renames, with a moment of nothing between them."""
    shutil.copytree(new, served.with_name("next"))
    served.rename(served.with_name("old"))
    time.sleep(0.01)
    served.with_name("next").rename(served)
    shutil.rmtree(served.with_name("old"))


def remove_and_make(new: Path, served: Path) -> None:
    """First nothing is there, then one file, then the other."""
    shutil.rmtree(served)
    time.sleep(0.01)
    shutil.copytree(new, served)


def write_over(new: Path, served: Path) -> None:
    """Into the very files that are open."""
    for name in ("metrics.parquet", "run.json"):
        shutil.copyfile(new / name, served / name)


WAYS = (replace_files, replace_folder, remove_and_make, write_over)


def test_requests_during_replacements_get_one_whole_run_or_are_told_to_come_again(tmp_path: Path) -> None:
    served = tmp_path / "served"
    for run in range(RUNS):
        number = FIRST_LENGTH + run
        values = {EX: [run + 1] * number, NET: [run + 1] * number, "MOMR": [run + 1] * number}
        results(tmp_path / f"run{run}", values, digest=f"of {run}")
    shutil.copytree(tmp_path / "run0", served)
    stop, statuses, faults = threading.Event(), Counter[int](), list[BaseException]()

    def write() -> None:
        turn = 0
        while not stop.wait(0.1):
            turn += 1
            WAYS[turn // 4 % len(WAYS)](tmp_path / f"run{turn % RUNS}", served)

    def read(server: Server, form: str) -> None:
        while not stop.is_set():
            check_series(ask(server, form), form, statuses)
            check_run(server.get("/methodology/reference"), statuses)

    def attempt(work: Callable[..., None], *given: object) -> Callable[[], None]:
        def run() -> None:
            try:
                work(*given)
            except BaseException as fault:
                faults.append(fault)

        return run

    with serving(served) as server:
        works = [attempt(write), *(attempt(read, server, form) for form in ("json", "csv", "json_stream"))]
        threads = [threading.Thread(target=work) for work in works]
        for thread in threads:
            thread.start()
        stop.wait(6)
        stop.set()
        for thread in threads:
            thread.join()
        assert faults == []
        assert set(statuses) <= {200, 503}
        assert statuses[200] >= 5
        replace_files(tmp_path / "run1", served)
        reply = ask(server, "json")
        assert (reply.status, len(reply.json()["data"])) == (200, FIRST_LENGTH + 1)


def check_series(reply: Reply, form: str, statuses: Counter[int]) -> None:
    """Every value of an answer, and the number of its rows, are those of one run."""
    statuses[reply.status] += 1
    if reply.status != 200:
        assert_try_again(reply)
        return
    if form == "csv":
        header, *lines = reply.text().splitlines()
        rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    else:
        rows = reply.json()["data"] if form == "json" else list(map(json.loads, reply.text().splitlines()))
    [value] = {row[metric] for row in rows for metric in (EX, NET, "MOMR")}
    assert len(rows) == FIRST_LENGTH + int(Decimal(value).scaleb(18)) - 1


def check_run(reply: Reply, statuses: Counter[int]) -> None:
    """run.json and the figures beside it are of one run."""
    statuses[reply.status] += 1
    if reply.status != 200:
        assert_try_again(reply)
        return
    content = reply.json()
    run = int(content["run"]["digests"]["ledger"].removeprefix("of "))
    assert content["last_day"] == content["run"]["last_day"] == day(FIRST_LENGTH + run - 1)
