"""Every transaction of a regtest node's folder with py-bitcoinkernel: txid, values, scripts, spent ones too.

    python py_bitcoinkernel.py DATADIR

Prints the number of blocks, transactions and outputs. The folder is a stopped node's, with its indexes.
"""

import sys
from pathlib import Path

import pbk


def main() -> None:
    chainman = pbk.load_chainman(Path(sys.argv[1]) / "regtest", pbk.ChainType.REGTEST)
    blocks = transactions = outputs = 0
    for entry in chainman.get_active_chain().block_tree_entries:
        block = chainman.blocks[entry]
        blocks += 1
        for transaction in block.transactions:
            transactions += len(bytes(transaction.txid)) == 32
            for output in transaction.outputs:
                outputs += output.amount >= 0 and bytes(output.script_pubkey) is not None
        if entry.height == 0:
            continue  # genesis spends nothing, and has no record of it
        for spent in chainman.block_spent_outputs[entry].transactions:
            for coin in spent.coins:
                _ = coin.output.amount, bytes(coin.output.script_pubkey)
    print(blocks, transactions, outputs)


if __name__ == "__main__":
    main()
