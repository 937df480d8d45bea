"""Payment paths of cells of the simulated economy: what leads where, the same bytes each time, readable text."""

from collections.abc import Iterable, Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx as nx
import pytest

from reflow.amounts import plain
from reflow.errors import OutputError
from reflow.explanations.explain import explain
from reflow.explanations.explanation import Explanation
from reflow.explanations.payment_graph import TRANSACTIONS, payment_paths, shortened, write_graph
from reflow.ledger.ledger import Ledger
from reflow.network import REGTEST
from reflow.owners.labels import read_labels
from reflow.script import address_of
from support.chains import ingest_folder, simulation, write_simulation
from support.plain_parser import parse_block
from support.surroundings import need

DAY = date(2020, 1, 20)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Explanation]]:
    base = tmp_path_factory.mktemp("paths")
    ingest_folder(base / "ledger", write_simulation(base / "blocks"))
    lines = [
        f"{address_of(x.address.script, REGTEST)},{x.entity},{x.category}\n" for x in simulation().labels
    ]
    (base / "labels.csv").write_text("address,entity,category\n" + "".join(lines))
    with Ledger.open(base / "ledger", read_only=True) as ledger:
        labels = read_labels([base / "labels.csv"], ledger.network)
        ids = ("FlowMinerOut1HopAllExNtv", "FlowMinerIn1HopAllExNtv")
        yield {metric: explain(ledger, labels, metric, DAY) for metric in ids}


def sat_of(edges: Iterable[Any]) -> int:
    return sum(int(attributes["sat"]) for *_, attributes in edges)


@pytest.mark.parametrize("metric", ["FlowMinerOut1HopAllExNtv", "FlowMinerIn1HopAllExNtv"])
def test_every_miner_leads_back_to_a_coinbase(found: dict[str, Explanation], metric: str) -> None:
    graph, cell = payment_paths(found[metric]), found[metric]
    miners = "sender" if "Out" in metric else "receiver"
    assert cell.parts
    for part in cell.parts:
        node = f"transaction {cell.names[part.tx].txid}"
        near = graph.predecessors(node) if miners == "sender" else graph.successors(node)
        for account in near:
            before = {graph.nodes[other]["kind"] for other in nx.ancestors(graph, account)}
            assert "coinbase" in before
        senders = sum(p.value for p in part.debits if p.role == "sender")
        receivers = sum(p.value for p in part.credits if p.role == "receiver")
        assert sat_of(graph.in_edges(node, data=True)) == senders
        assert sat_of(graph.out_edges(node, data=True)) == receivers
    layers = nx.get_node_attributes(graph, "layer")
    kinds = nx.get_node_attributes(graph, "kind")
    assert {layer for node, layer in layers.items() if kinds[node] == "coinbase"} == {0}
    assert {layer for node, layer in layers.items() if kinds[node] == "transaction"} == {2, 4}


def test_paths_run_from_left_to_right(found: dict[str, Explanation]) -> None:
    graph = payment_paths(found["FlowMinerOut1HopAllExNtv"])
    assert all(graph.nodes[a]["layer"] < graph.nodes[b]["layer"] for a, b in graph.edges())


def test_what_coinbases_paid_is_what_the_blocks_say(found: dict[str, Explanation]) -> None:
    graph = payment_paths(found["FlowMinerOut1HopAllExNtv"])
    edges = [(a, d["sat"]) for a, _, d in graph.edges(data=True) if graph.nodes[a]["kind"] == "coinbase"]
    assert edges
    for node, sat in edges:
        block = simulation().blocks[int(node.split()[1])]
        assert sat in [value for value, _ in parse_block(block.raw)[0].outputs]


def test_many_accounts_become_one_in_a_picture_and_keep_their_sum(found: dict[str, Explanation]) -> None:
    cell = found["FlowMinerOut1HopAllExNtv"]
    whole, small = payment_paths(cell, transactions=5), payment_paths(cell, transactions=5, parties=1)
    assert len(small) < len(whole)
    for part in cell.parts[:5]:
        node = f"transaction {cell.names[part.tx].txid}"
        before = sat_of(whole.in_edges(node, data=True))
        assert sat_of(small.in_edges(node, data=True)) == before


def test_graphml_is_read_back_whole(found: dict[str, Explanation], tmp_path: Path) -> None:
    cell = found["FlowMinerOut1HopAllExNtv"]
    [path] = write_graph(cell, tmp_path / "paths.graphml")
    back: Any = nx.read_graphml(path, force_multigraph=True)
    graph: Any = payment_paths(cell)
    assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
    assert sorted(back.edges(data="sat")) == sorted(graph.edges(data="sat"))


def test_the_picture_is_the_same_each_time_and_tells_amounts(
    found: dict[str, Explanation], tmp_path: Path
) -> None:
    need(find_spec("matplotlib") is not None, "no matplotlib")
    cell = found["FlowMinerOut1HopAllExNtv"]
    files = [write_graph(cell, tmp_path / name) for name in ("one", "two")]
    assert [path.name for path in files[0]] == [f"{cell.metric.id}-{DAY}.{e}" for e in ("graphml", "svg")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    text = "\n".join(ElementTree.parse(files[0][1]).getroot().itertext())
    for part in cell.parts[:TRANSACTIONS]:
        assert shortened(cell.names[part.tx].txid) in text
        for party in part.credits:
            if party.role == "receiver":
                assert shortened(party.address) in text
                assert plain(party.value) in text
    assert f"{TRANSACTIONS} largest of {cell.number} transactions" in text


def test_a_graph_that_cannot_be_written_is_one_line(
    found: dict[str, Explanation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = found["FlowMinerOut1HopAllExNtv"]
    with pytest.raises(OutputError, match=r"ends in \.graphml or \.svg"):
        write_graph(cell, tmp_path / "paths.png")
    monkeypatch.setattr("reflow.explanations.payment_graph.find_spec", lambda name: None)
    with pytest.raises(OutputError, match=r"install reflow\[graph\]"):
        write_graph(cell, tmp_path)
    assert write_graph(cell, tmp_path / "paths.graphml") == [tmp_path / "paths.graphml"]
