"""What differs between Bitcoin's networks, one `Network` value for each.

Sources: Bitcoin Core `src/kernel/chainparams.cpp` (magic, genesis, prefixes, halving, proof of work), BIP 94
(testnet4), BIP 325 (signet; a custom signet has another magic, this is the default one).
"""

from typing import Final, NamedTuple

COIN: Final = 100_000_000
"""Satoshis in one native unit (methodology 1)."""

MAX_MONEY: Final = 21_000_000 * COIN
"""No amount can be larger, in sat (Bitcoin Core `consensus/amount.h`)."""

MAX_BLOCK_SIZE: Final = 4_000_000
"""Serialized block size limit in bytes on every network (BIP 141)."""

MAX_BLOCK_WEIGHT: Final = 4_000_000
"""Limit of a block's bytes where those that are no witness count four times (BIP 141)."""


class Network(NamedTuple):
    """One chain's constants."""

    name: str
    """The name on the command line and in Bitcoin Core's RPC (`main`, `test`, `testnet4`, `signet`, `regtest`)."""
    magic: bytes
    """The four bytes before each block in a blk file."""
    genesis_hash: bytes
    """Hash of block 0, in display order (as explorers print it)."""
    genesis_time: int
    """Header time of block 0, seconds since 1970 UTC: the first predecessor for mediantime."""
    folder: str
    """Subfolder of the node's data directory, empty for main."""
    p2pkh_prefix: int
    """Version byte of base58check P2PKH addresses."""
    p2sh_prefix: int
    """Version byte of base58check P2SH addresses."""
    hrp: str
    """Human-readable part of bech32 and bech32m addresses."""
    halving_interval: int
    """Blocks between halvings of the subsidy."""
    pow_limit: int
    """The largest target that a header may have, in the compact form of `bits`."""
    bip34_height: int | None
    """From this height on each coinbase begins with its height (BIP 34); None where that was never fixed."""
    retargets: bool
    """Whether `bits` follow from header times alone: main has no exceptions for late blocks as the testnets do."""

    def subsidy(self, height: int) -> int:
        """New sat that the coinbase of the block at `height` may claim beyond the fees."""
        halvings = height // self.halving_interval
        return 50 * COIN >> halvings if halvings < 64 else 0


def _network(
    name: str,
    magic: str,
    genesis: str,
    time: int,
    folder: str,
    prefixes: tuple[int, int],
    hrp: str,
    halving_interval: int = 210_000,
    pow_limit: int = 0x1D00FFFF,
    bip34_height: int | None = 1,
    retargets: bool = False,
) -> Network:
    return Network(
        name,
        bytes.fromhex(magic),
        bytes.fromhex(genesis),
        time,
        folder,
        *prefixes,
        hrp,
        halving_interval,
        pow_limit,
        bip34_height,
        retargets,
    )


NETWORKS: Final[dict[str, Network]] = {
    network.name: network
    for network in (
        _network(
            "main",
            "f9beb4d9",
            "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
            1231006505,
            "",
            (0x00, 0x05),
            "bc",
            bip34_height=227_931,
            retargets=True,
        ),
        _network(
            "test",
            "0b110907",
            "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
            1296688602,
            "testnet3",
            (0x6F, 0xC4),
            "tb",
            bip34_height=21_111,
        ),
        _network(
            "testnet4",
            "1c163f28",
            "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043",
            1714777860,
            "testnet4",
            (0x6F, 0xC4),
            "tb",
        ),
        _network(
            "signet",
            "0a03cf40",
            "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6",
            1598918400,
            "signet",
            (0x6F, 0xC4),
            "tb",
            pow_limit=0x1E0377AE,
        ),
        _network(
            "regtest",
            "fabfb5da",
            "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
            1296688602,
            "regtest",
            (0x6F, 0xC4),
            "bcrt",
            150,
            pow_limit=0x207FFFFF,
            bip34_height=None,
        ),
    )
}
"""Every supported network by name."""

MAIN: Final = NETWORKS["main"]
REGTEST: Final = NETWORKS["regtest"]
