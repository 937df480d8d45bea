"""The report on clusters: every number of a small economy by hand, the files, and the warning at its bound."""

import csv
from pathlib import Path

import networkx as nx
import pytest

from reflow.errors import LedgerError, OutputError
from reflow.owners.cluster_report import ClusterReport, report_clusters
from support.economy import Block, coinbase, labels_of, ledger_of, on_day, pay

A, B, C, D, E, M = 1, 2, 3, 4, 5, 6
LABELS = labels_of({A: "AAA", B: "BBB"})


def economy() -> list[Block]:
    """C joins A, D joins by C; E is claimed by A and B; a CoinJoin of A, B and M claims nothing; M is a miner."""
    return [
        on_day(0, coinbase((M, 50)), pay([(M, 40)], [(A, 30), (C, 10)])),
        on_day(0, pay([(A, 5), (C, 4)], [(D, 9)]), pay([(C, 1), (A, 1)], [])),
        on_day(0, pay([(D, 2), (C, 1)], [(A, 3)]), pay([(C, 1), (D, 1)], [])),
        on_day(0, pay([(A, 1), (E, 1)], []), pay([(B, 1), (E, 1)], []), pay([(A, 1), (E, 1)], [])),
        on_day(0, pay([(A, 2), (B, 2), (M, 2)], [(90, 2), (91, 2), (92, 2)])),
    ]


def report(growth: int = 10, out: Path | None = None, graph_accounts: int = 100) -> ClusterReport:
    with ledger_of(economy()) as ledger:
        return report_clusters(ledger, LABELS, growth=growth, out=out, graph_accounts=graph_accounts)


def test_every_cluster_with_its_numbers() -> None:
    a, b = report().clusters
    assert (a.entity, a.labelled, a.joined, a.accounts) == ("AAA", 1, [1, 1], 3)
    assert (b.entity, b.labelled, b.joined, b.accounts) == ("BBB", 1, [], 1)
    assert a.balance == (30 + 3 - 5 - 1 - 1 - 1 - 2) + (10 - 4 - 1 - 1 - 1) + (9 - 2 - 1)
    assert b.balance == -3
    assert (a.conflicts, b.conflicts) == (1, 1)
    assert (a.coinjoins, b.coinjoins) == (1, 1)


def test_a_coinjoin_that_two_rounds_meet_is_one() -> None:
    mix = pay([(A, 2), (C, 2), (E, 2)], [(90, 2), (91, 2), (92, 2)])
    with ledger_of([on_day(0, coinbase((M, 5)), mix, pay([(A, 1), (C, 1)], []))]) as ledger:
        [cluster] = report_clusters(ledger, labels_of({A: "AAA"})).clusters
    assert (cluster.joined, cluster.coinjoins) == ([1], 1)


def test_a_conflict_names_each_claim_and_its_first_transaction() -> None:
    told = report()
    assert [(c.account, c.entity, c.round, c.claims, c.height) for c in told.conflicts] == [
        (E, "AAA", 1, 2, 4),
        (E, "BBB", 1, 1, 4),
    ]
    assert len({claim.txid for claim in told.conflicts}) == 2


def leaping(children: int) -> list[Block]:
    """C joins the two of exchange AAA, and then brings in `children` more."""
    grown = [pay([(C, 1), (100 + n, 1)], []) for n in range(children)]
    return [on_day(0, coinbase((M, 5)), pay([(A, 1), (C, 1)], []), *grown)]


@pytest.mark.parametrize(("children", "growth", "warned"), [(4, 2, False), (5, 2, True), (5, 3, False)])
def test_a_round_that_adds_more_than_growth_times_the_cluster(
    children: int, growth: int, warned: bool
) -> None:
    with ledger_of(leaping(children)) as ledger:
        told = report_clusters(ledger, labels_of({A: "AAA"}), growth=growth)
        [(txid,)] = ledger.con.execute("SELECT lower(hex(txid)) FROM tx WHERE tx = 1").fetchall()
    assert len(told.leaps) == warned
    for leap in told.leaps:
        assert (leap.entity, leap.round, leap.before, leap.joined) == ("AAA", 2, 2, children)
        assert (leap.source, leap.accounts, leap.height, leap.txid) == (C, children, 1, txid)
        assert f"round 2 added {children} accounts to 2, {children} of them by account {C}" in leap.warning()


def test_the_first_round_may_add_many() -> None:
    grown = [pay([(A, 1), (100 + n, 1)], []) for n in range(50)]
    with ledger_of([on_day(0, coinbase((M, 5)), *grown)]) as ledger:
        assert report_clusters(ledger, labels_of({A: "AAA"}), growth=1).leaps == []


def read(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_files_have_every_account_conflict_and_coinjoin(tmp_path: Path) -> None:
    told = report(out=tmp_path)
    names = ["accounts.csv", "conflicts.csv", "coinjoins.csv", "cluster-AAA.graphml", "cluster-BBB.graphml"]
    assert [file.name for file in told.files] == names
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
    accounts = [list(row.values()) for row in read(tmp_path / "accounts.csv")]
    with ledger_of(economy()) as ledger:
        txids = [
            row[0] for row in ledger.con.execute("SELECT lower(hex(txid)) FROM tx ORDER BY tx").fetchall()
        ]
    assert accounts == [
        ["AAA", str(A), str(A), "0", "0.00000023", "", "", ""],
        ["AAA", str(C), "", "1", "0.00000003", str(A), "2", txids[3]],
        ["AAA", str(D), "", "2", "0.00000006", str(C), "3", txids[6]],
        ["BBB", str(B), str(B), "0", "-0.00000003", "", "", ""],
    ]
    conflicts = read(tmp_path / "conflicts.csv")
    assert [(row["account"], row["entity"], row["txid"]) for row in conflicts] == [
        (str(E), "AAA", txids[9]),
        (str(E), "BBB", txids[10]),
    ]
    coinjoins = read(tmp_path / "coinjoins.csv")
    assert coinjoins == [{"entity": e, "height": "5", "txid": txids[13]} for e in ("AAA", "BBB")]


def test_the_graph_leads_from_labels_to_all_that_joined(tmp_path: Path) -> None:
    report(out=tmp_path)
    graph = nx.read_graphml(tmp_path / "cluster-AAA.graphml", node_type=int)
    assert set(graph.nodes) == {A, C, D}
    assert set(graph.edges) == {(A, C), (C, D)}
    assert graph.edges[A, C]["height"] == 2
    assert graph.nodes[A]["address"] == str(A)
    assert graph.nodes[D] == {"round": 2, "balance": "0.00000006"}


def test_the_files_are_the_same_bytes_again(tmp_path: Path) -> None:
    one, two = (report(out=tmp_path / name).files for name in ("one", "two"))
    assert [file.read_bytes() for file in one] == [file.read_bytes() for file in two]


def test_a_cluster_too_large_for_a_graph_has_none(tmp_path: Path) -> None:
    told = report(out=tmp_path, graph_accounts=2)
    assert told.without_graph == ["AAA"]
    assert not (tmp_path / "cluster-AAA.graphml").exists()
    assert (tmp_path / "cluster-BBB.graphml").exists()


def test_what_cannot_be_done_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write the results"):
        report(out=tmp_path / "file")
    with ledger_of([]) as ledger, pytest.raises(LedgerError, match="no blocks in it yet"):
        report_clusters(ledger, LABELS)
