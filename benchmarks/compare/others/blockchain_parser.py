"""Every transaction of a regtest blocks folder with blockchain-parser: txid, outpoints, values, scripts; in file order.

    python blockchain_parser.py BLOCKS

Prints the number of blocks, transactions and outputs. The library knows mainnet's magic only; here it gets regtest's.
"""

import sys

sys.path.pop(0)  # this folder, where the library's name is this file's

from blockchain_parser import blockchain

blockchain.BITCOIN_CONSTANT = bytes.fromhex("fabfb5da")


def main() -> None:
    blocks = transactions = outputs = 0
    for block in blockchain.Blockchain(sys.argv[1]).get_unordered_blocks():
        blocks += 1
        for transaction in block.transactions:
            transactions += len(transaction.txid) == 64
            for source in transaction.inputs:
                _ = source.transaction_hash, source.transaction_index
            for output in transaction.outputs:
                outputs += output.value >= 0 and output.script.hex is not None
    print(blocks, transactions, outputs)


if __name__ == "__main__":
    main()
