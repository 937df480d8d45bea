"""The payment paths behind one cell as a graph: coinbase → pool → payout → miner → transaction → exchange."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

import networkx as nx

from reflow.explanations.explanation import Explanation, Part, Party
from reflow.explanations.reasons import Role

if TYPE_CHECKING:
    Graph = nx.MultiDiGraph[str]

LAYERS: Final = ("coinbase", "pool (0-hop)", "payout", "sender", "transaction", "receiver")
"""What stands in each layer, left to right."""

_COINBASE, _POOL, _PAYOUT, _SENDER, _TRANSACTION, _RECEIVER = range(len(LAYERS))
_ENDS: Final = 7


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
