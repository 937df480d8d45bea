"""What differs between Bitcoin's networks, one `Network` value for each, and the rules of a header's target and time.

Sources: Bitcoin Core `src/kernel/chainparams.cpp` (magic, genesis, prefixes, halving, proof of work), BIP 94
(testnet4), BIP 325 (signet; a custom signet has another magic, this is the default one).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

COIN: Final = 100_000_000
"""Satoshis in one native unit (methodology 1)."""

MAX_MONEY: Final = 21_000_000 * COIN
"""No amount can be larger, in sat (Bitcoin Core `consensus/amount.h`)."""

MAX_BLOCK_SIZE: Final = 4_000_000
"""Serialized block size limit in bytes on every network (BIP 141)."""

MAX_BLOCK_WEIGHT: Final = 4_000_000
"""Limit of a block's bytes where those that are no witness count four times (BIP 141)."""


PERIOD: Final = 2016
"""Blocks with the same `bits`, where these follow from header times."""


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


@lru_cache(maxsize=4096)
def target_of(bits: int) -> int:
    """The target that a header's hash, read as a little-endian number, may not exceed; 0 if `bits` is invalid."""
    exponent, mantissa = bits >> 24, bits & 0x7FFFFF
    if bits & 0x800000 or not mantissa:
        return 0
    target = mantissa << 8 * (exponent - 3) if exponent > 3 else mantissa >> 8 * (3 - exponent)
    return target if target < 1 << 256 else 0


@lru_cache(maxsize=4096)
def work_of(bits: int) -> int:
    """Expected number of hashes for a header with these bits (Bitcoin Core `GetBlockProof`)."""
    return (1 << 256) // (target_of(bits) + 1)


def bits_of(target: int) -> int:
    """The compact form of a target, its lowest bits cut off (Bitcoin Core `GetCompact`)."""
    size = (target.bit_length() + 7) // 8
    mantissa = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if mantissa & 0x800000:  # that bit is the sign
        mantissa, size = mantissa >> 8, size + 1
    return mantissa | size << 24


def bits_fault(bits: int, network: Network) -> str | None:
    """What is wrong with a header's `bits`, or None: a target above 0 and within the network's limit is right."""
    if 0 < target_of(bits) <= target_of(network.pow_limit):
        return None
    return f"bits {bits:08x}, expected a target above 0 and at most that of {network.pow_limit:08x}"


def retarget(bits: int, seconds: int, network: Network) -> int:
    """The `bits` of a period, from those of the one before and the time between that one's first and last header.

    Source: Bitcoin Core `CalculateNextWorkRequired`.
    """
    fortnight = 14 * 86_400
    target = target_of(bits) * min(max(seconds, fortnight // 4), 4 * fortnight) // fortnight
    return bits_of(min(target, target_of(network.pow_limit)))


def median_time(times: Sequence[int]) -> int:
    """The median of up to eleven header times: of n sorted ones that with the index n // 2."""
    return sorted(times)[len(times) // 2]


def time_fault(time: int, before: Sequence[int]) -> str | None:
    """What is wrong with a header's time, or None: it has to be above the median of the up to eleven `before`."""
    median = median_time(before)
    return None if time > median else f"header time {time}, expected more than {median}, the median before it"


def meets_target(block_hash: bytes, bits: int) -> bool:
    """Whether a header hash (byte order of the wire) satisfies its own bits."""
    return int.from_bytes(block_hash, "little") <= target_of(bits)
