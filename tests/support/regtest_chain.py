"""A regtest chain that a real node makes: wallets, every kind of output, several days, a reorg.

The node's wallets pay each other with every type of address. What no address exists for (P2PK, bare multisig, OP_RETURN
with value, an empty script, a script that anyone can spend) goes into blocks as raw transactions, and is spent again.
"""

import hashlib
from decimal import Decimal

import coincurve
from embit import base58

from reflow.script import account_of
from reflow.simulate.serialize import Input, Output, Prevout, Transaction, serialize_transaction
from support.bitcoin_node import Node

DAY = 86_400
START = 1_577_836_800  # 2020-01-01
ADDRESS_TYPES = ("legacy", "p2sh-segwit", "bech32", "bech32m")
WALLETS = ("pool", "exchange", "stranger")
BURNED = 1_000_000
"""Satoshis in the OP_RETURN output: in the ledger for ever, but not among the node's unspent outputs."""

KEY = coincurve.PrivateKey(b"\x07" * 32)
COMPRESSED, UNCOMPRESSED = KEY.public_key.format(), KEY.public_key.format(compressed=False)
OTHER = coincurve.PrivateKey(b"\x08" * 32).public_key.format()


def _one_of_two(*keys: bytes) -> bytes:
    return b"\x51" + b"".join(bytes([len(key)]) + key for key in keys) + b"\x52\xae"


WITNESS_SCRIPT = _one_of_two(COMPRESSED, OTHER)
REDEEM_SCRIPT = _one_of_two(OTHER, COMPRESSED)
BURN_SCRIPT = b"\x6a\x04burn"
SPENDABLE = {
    "P2PK": b"\x21" + COMPRESSED + b"\xac",
    "P2PK, uncompressed": b"\x41" + UNCOMPRESSED + b"\xac",
    "bare multisig": _one_of_two(COMPRESSED, UNCOMPRESSED),
    "P2SH multisig": b"\xa9\x14"
    + hashlib.new("ripemd160", hashlib.sha256(REDEEM_SCRIPT).digest()).digest()
    + b"\x87",
    "P2WSH multisig": b"\x00\x20" + hashlib.sha256(WITNESS_SCRIPT).digest(),
    "anyone can spend": b"\x51",
    "empty": b"",
    "unknown witness version": b"\x60\x02\x4e\x73",
}
"""Scripts that the tests pay to and spend from, beside the wallets' own."""


def build(node: Node) -> None:
    """Mine the chain on a fresh node: heights 1 to about 190, five days, one reorg with its stale blocks."""
    node.rpc("setmocktime", START - DAY)  # a wallet looks for nothing in blocks older than itself
    for name in WALLETS:
        node.rpc("createwallet", name)
    pool = address(node, "pool", "bech32")
    clock = node.mine(105, pool, START)
    for day in range(4):
        for address_type in ADDRESS_TYPES:
            pay(node, "pool", "exchange", address_type, Decimal(day + 2))
            pay(node, "pool", "stranger", address_type, Decimal("1.23456789"))
        clock = node.mine(4, address(node, "pool", ADDRESS_TYPES[day]), clock)
        for address_type in ADDRESS_TYPES:
            pay(node, "exchange", "stranger", address_type, Decimal("0.5") + day)
            pay(node, "stranger", "exchange", address_type, Decimal("0.1"))
        clock = node.mine(4, pool, clock) + DAY // 2
    clock = node.mine(4, pool, spend_raw(node, pay_raw(node, clock), clock))
    reorganize(node, depth=3, clock=clock)


def address(node: Node, wallet: str, address_type: str) -> str:
    """A new address of a wallet."""
    return str(node.rpc("getnewaddress", "", address_type, wallet=wallet))


def pay(node: Node, payer: str, payee: str, address_type: str, amount: Decimal) -> None:
    """A wallet's ordinary payment, into the mempool."""
    node.rpc("sendtoaddress", address(node, payee, address_type), str(amount), wallet=payer)


def pay_raw(node: Node, clock: int) -> str:
    """One block that pays to every script of SPENDABLE and burns something; gives the transaction's id."""
    outputs = (*(Output(100_000 * n, script) for n, script in enumerate(SPENDABLE.values(), start=1)),
               Output(BURNED, BURN_SCRIPT), Output(0, b"\x6a"))  # fmt: skip
    bare = serialize_transaction(Transaction((), outputs)).hex()
    funded = node.rpc("fundrawtransaction", bare, {"changePosition": len(outputs)}, False, wallet="pool")[
        "hex"
    ]
    signed = node.rpc("signrawtransactionwithwallet", funded, wallet="pool")
    assert signed["complete"]
    _mine_raw(node, signed["hex"], clock)
    return str(node.rpc("decoderawtransaction", signed["hex"])["txid"])


def spend_raw(node: Node, txid: str, clock: int) -> int:
    """One block that spends all that `pay_raw` paid to SPENDABLE; gives the time after it."""
    inputs = tuple(
        Input(Prevout(bytes.fromhex(txid)[::-1], n), b"\x51" if script == b"" else b"")
        for n, script in enumerate(SPENDABLE.values())
    )
    tx = Transaction(inputs, (Output(3_000_000, SPENDABLE["P2PK"]),))
    hidden = {
        "P2SH multisig": ("redeemScript", REDEEM_SCRIPT),
        "P2WSH multisig": ("witnessScript", WITNESS_SCRIPT),
    }
    prevouts = [
        {
            "txid": txid,
            "vout": n,
            "scriptPubKey": script.hex(),
            "amount": str(Decimal(100_000 * (n + 1)).scaleb(-8)),
            hidden[name][0]: hidden[name][1].hex(),
        }
        for n, (name, script) in enumerate(SPENDABLE.items())
        if name in hidden
    ]
    keys = [_wif(b"\x07" * 32 + b"\x01"), _wif(b"\x07" * 32)]
    signed = node.rpc("signrawtransactionwithkey", serialize_transaction(tx).hex(), keys, prevouts)
    _mine_raw(node, signed["hex"], clock + 600)
    return clock + 1200


def reorganize(node: Node, depth: int, clock: int) -> None:
    """Leave the last `depth` blocks for a branch that is one block longer and has other transactions."""
    first_stale = node.rpc("getblockhash", node.height() - depth + 1)
    node.rpc("setmocktime", clock)
    node.rpc("invalidateblock", first_stale)
    pay(node, "pool", "exchange", "bech32", Decimal("3.21"))
    node.mine(depth + 1, address(node, "pool", "legacy"), clock)


def burned_account() -> int:
    """The account of the OP_RETURN output that has a value."""
    return account_of(BURN_SCRIPT)


def _mine_raw(node: Node, raw: str, clock: int) -> None:
    node.rpc("setmocktime", clock)
    node.rpc("generateblock", address(node, "pool", "bech32"), [raw])


def _wif(key: bytes) -> str:
    return str(base58.encode_check(b"\xef" + key))
