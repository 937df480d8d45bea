"""The payment paths behind one cell as a graph: coinbase → pool → payout → miner → transaction → exchange.

As files: GraphML for other programs, and an SVG picture for people.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import networkx as nx

from reflow.amounts import plain
from reflow.errors import OutputError
from reflow.explanations.explanation import Explanation, Part, Party
from reflow.explanations.reasons import Role
from reflow.files import write_together

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Graph = nx.MultiDiGraph[str]

LAYERS: Final = ("coinbase", "pool (0-hop)", "payout", "sender", "transaction", "receiver")
"""What stands in each layer, left to right."""

_COINBASE, _POOL, _PAYOUT, _SENDER, _TRANSACTION, _RECEIVER = range(len(LAYERS))
_ENDS: Final = 7

TRANSACTIONS: Final = 8
"""A picture of more transactions cannot be read; GraphML has all of them."""
_PARTIES: Final = 3
_COLUMN_INCHES: Final = 2.9
_ROW_INCHES: Final = 0.62
_BARYCENTRE_ROUNDS: Final = 6
_COLOURS: Final = {"coinbase": "#fff3c4", "account": "#e3eefb", "transaction": "#f1f1f1"}


def payment_paths(
    found: Explanation, *, transactions: int | None = None, parties: int | None = None
) -> "Graph":
    """A graph of who paid whom in the cell, and of how the miners among them got their coins.

    Nodes have `kind` (coinbase, account or transaction), `layer` (a number, see LAYERS), `label` (short, for pictures),
    `name` (address, txid or block) and `entity`; edges have `sat`. Change, and accounts without a role in the metric,
    are left out. The `transactions` largest transactions are kept, each with at most `parties` senders and receivers;
    the others are drawn as one.
    """
    graph: Graph = nx.MultiDiGraph()
    for part in found.parts[:transactions]:
        node = _transaction(graph, found, part.tx, _TRANSACTION)
        for role, side in _sides(part):
            shown = side[:parties] if parties and len(side) > parties + 1 else side
            for party in shown:
                _connect(graph, node, _account(graph, found, party, role), role, party.value)
                _add_origin(graph, found, party)
            if rest := side[len(shown) :]:
                _connect(graph, node, _others(graph, node, role, rest), role, sum(p.value for p in rest))
    return graph


def _sides(part: Part) -> Iterable[tuple[Role, Sequence[Party]]]:
    yield "sender", [party for party in part.debits if party.role == "sender"]
    yield "receiver", [party for party in part.credits if party.role == "receiver" and party.value > 0]


def _connect(graph: "Graph", transaction: str, account: str, role: Role, sat: int) -> None:
    ends = (account, transaction) if role == "sender" else (transaction, account)
    graph.add_edge(*ends, sat=sat)


def _transaction(graph: "Graph", found: Explanation, tx: int, layer: int) -> str:
    name = found.names[tx]
    node = f"transaction {name.txid}"
    if node not in graph:
        label = f"{shortened(name.txid)}\nheight {name.height}"
        graph.add_node(node, kind="transaction", layer=layer, label=label, name=name.txid, entity="")
    return node


def _account(graph: "Graph", found: Explanation, party: Party, role: Role) -> str:
    mines_itself = any(reason.kind == "coinbase" for reason in party.reasons)
    layer = _RECEIVER if role == "receiver" else _POOL if mines_itself else _SENDER
    entities = [reason.entity for reason in party.reasons]
    return _account_node(graph, found, party.account, layer, entities)


def _account_node(
    graph: "Graph", found: Explanation, account: int, layer: int, entities: Sequence[str]
) -> str:
    node = f"account {account}"
    if node not in graph:
        address, entity = found.addresses[account], ", ".join(dict.fromkeys(entities))
        label = f"{shortened(address)}\n{entity}".rstrip()
        graph.add_node(node, kind="account", layer=layer, label=label, name=address, entity=entity)
    return node


def _others(graph: "Graph", transaction: str, role: Role, rest: Sequence[Party]) -> str:
    node = f"{role}s of {transaction}"
    layer = _RECEIVER if role == "receiver" else _SENDER
    label = f"{len(rest):,} more accounts"
    graph.add_node(node, kind="account", layer=layer, label=label, name=label, entity="")
    return node


def _add_origin(graph: "Graph", found: Explanation, party: Party) -> None:
    """How an account became a mining account: by a coinbase, or by a payout of accounts that coinbases paid."""
    node = f"account {party.account}"
    for reason in party.reasons:
        if reason.tx is None:
            continue
        if reason.kind == "coinbase":
            _add_coinbase(graph, found, reason.tx, party.account, node)
        if reason.kind == "payout":
            payout = _transaction(graph, found, reason.tx, _PAYOUT)
            if graph.has_edge(payout, node):
                continue
            graph.add_edge(payout, node, sat=found.amounts[reason.tx, party.account, False])
            for pool in found.origins[reason.tx]:
                _add_pool(graph, found, reason.tx, pool, payout)


def _add_pool(graph: "Graph", found: Explanation, tx: int, pool: int, payout: str) -> None:
    node = _account_node(graph, found, pool, _POOL, ["0-hop"])
    if not graph.has_edge(node, payout):
        graph.add_edge(node, payout, sat=found.amounts[tx, pool, True])
    minted = found.owners[pool].first_minted
    if minted is not None:
        _add_coinbase(graph, found, minted, pool, node)


def _add_coinbase(graph: "Graph", found: Explanation, tx: int, account: int, node: str) -> None:
    name = found.names[tx]
    coinbase = f"coinbase {name.height}"
    label = f"block {name.height}"
    graph.add_node(coinbase, kind="coinbase", layer=_COINBASE, label=label, name=name.txid, entity="")
    if not graph.has_edge(coinbase, node):
        graph.add_edge(coinbase, node, sat=found.amounts[tx, account, False])


def shortened(text: str) -> str:
    """The ends of an address or a txid."""
    return text if len(text) <= 2 * _ENDS + 1 else f"{text[:_ENDS]}…{text[-_ENDS:]}"


def check_graph(target: Path) -> None:
    """Raise OutputError if the files cannot be made: no matplotlib for the picture, or another ending of a name."""
    if target.suffix not in ("", ".graphml", ".svg"):
        raise OutputError(f"{target}: expected a folder, or a file that ends in .graphml or .svg")
    if target.suffix != ".graphml" and find_spec("matplotlib") is None:
        raise OutputError(f"{target}: a picture needs matplotlib: install reflow[graph], or ask for .graphml")


def write_graph(found: Explanation, target: Path) -> list[Path]:
    """Write METRIC-DAY.graphml and METRIC-DAY.svg into a folder, or one file by its ending; gives their paths.

    Raises OutputError as `check_graph` does, or when it cannot be written.
    """
    check_graph(target)
    writers = {
        ".graphml": lambda path: nx.write_graphml(payment_paths(found), path, encoding="utf-8"),
        ".svg": lambda path: _draw(found, path),
    }
    if target.suffix:
        return write_together(target.parent, {target.name: writers[target.suffix]})
    stem = f"{found.metric.id}-{found.day}"
    return write_together(target, {f"{stem}{ending}": write for ending, write in writers.items()})


def _draw(found: Explanation, path: Path) -> None:
    """The same graph gives the same bytes: no date, no random ids; text stays text."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    graph = payment_paths(found, transactions=TRANSACTIONS, parties=_PARTIES)
    places = _places(graph)
    rows = max((y for _, y in places.values()), default=0) + 1
    with mpl.rc_context({"svg.hashsalt": "reflow", "svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(_COLUMN_INCHES * len(LAYERS), _ROW_INCHES * (rows + 2)))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(-0.5, len(LAYERS) - 0.5)
        axes.set_ylim(rows, -2)
        _draw_titles(axes, found)
        _draw_edges(axes, graph, places)
        _draw_nodes(axes, graph, places)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _places(graph: "Graph") -> dict[str, tuple[float, float]]:
    """Layer and row of every node; neighbours come near each other by the barycentre rule (Sugiyama et al., 1981)."""
    layers: defaultdict[int, list[str]] = defaultdict(list)
    for node, attributes in graph.nodes(data=True):
        layers[int(attributes["layer"])].append(node)
    tallest = max(map(len, layers.values()), default=0)
    row: dict[str, float] = {}
    for number in range(_BARYCENTRE_ROUNDS):
        for layer in sorted(layers, reverse=number % 2 == 0):
            layers[layer].sort(key=lambda node: _barycentre(graph, node, row))
            gap = tallest / len(layers[layer])
            row |= {node: gap * (place + 0.5) - 0.5 for place, node in enumerate(layers[layer])}
    return {node: (float(graph.nodes[node]["layer"]), y) for node, y in row.items()}


def _barycentre(graph: "Graph", node: str, row: dict[str, float]) -> float:
    near = [row[other] for other in nx.all_neighbors(graph, node) if other in row]
    return sum(near) / len(near) if near else row.get(node, 0.0)


def _draw_titles(axes: "Axes", found: Explanation) -> None:
    shown = min(TRANSACTIONS, len(found.parts))
    text = f"{found.metric.id}, {found.day}: {found.cell()}"
    text += f" ({shown} largest of {found.number} transactions)" if shown < found.number else ""
    axes.text(-0.45, -1.7, text, fontsize=12, weight="bold", va="center")
    for layer, title in enumerate(LAYERS):
        axes.text(layer, -1, title, fontsize=10, ha="center", va="center", color="#555555")


def _draw_edges(axes: "Axes", graph: "Graph", places: dict[str, tuple[float, float]]) -> None:
    for start, end, attributes in graph.edges(data=True):
        (x0, y0), (x1, y1) = places[start], places[end]
        side = 1 if x1 > x0 else -1
        tail, head = (x0 + 0.24 * side, y0), (x1 - 0.24 * side, y1)
        arrow = {"arrowstyle": "-|>", "color": "#888888", "linewidth": 0.8}
        axes.annotate("", xy=head, xytext=tail, arrowprops=arrow)
        # The amount stands near the end where fewer edges meet.
        at = 0.25 if graph.out_degree(start) <= graph.in_degree(end) else 0.7
        x, y = (t + at * (h - t) for t, h in zip(tail, head, strict=True))
        amount = plain(int(attributes["sat"]))
        axes.text(x, y, amount, fontsize=7, ha="center", va="center", bbox=_box("white", "none"))


def _draw_nodes(axes: "Axes", graph: "Graph", places: dict[str, tuple[float, float]]) -> None:
    for node, attributes in graph.nodes(data=True):
        box = _box(_COLOURS[attributes["kind"]], "#999999")
        axes.text(*places[node], attributes["label"], fontsize=7.5, ha="center", va="center", bbox=box)


def _box(face: str, edge: str) -> dict[str, str | float]:
    return {"boxstyle": "round,pad=0.2", "facecolor": face, "edgecolor": edge, "linewidth": 0.6}
