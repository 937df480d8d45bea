"""Bytes moved by address, for numba kernels: numba's own slice assignment is ten times slower on short slices.

Addresses keep nothing alive: numba frees an array after the last use of its variable, so an array whose address is in
use must be used again behind it.
"""

from typing import Any, Final

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_BYTES: Final = ir.IntType(8).as_pointer()


@intrinsic
def copy_bytes(_: Any, target: Any, source: Any, size: Any) -> Any:
    """Copy `size` bytes from address `source` to address `target`; the two do not overlap."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        to, start = (builder.inttoptr(address, _BYTES) for address in args[:2])
        cgutils.raw_memcpy(builder, to, start, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@intrinsic
def zero_bytes(_: Any, target: Any, size: Any) -> Any:
    """Set `size` bytes from address `target` on to zero."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        cgutils.memset(builder, builder.inttoptr(args[0], _BYTES), args[1], 0)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def store_big_endian(_: Any, target: Any, value: Any) -> Any:
    """Write the 64-bit `value` to address `target`, most significant byte first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = ir.IntType(64)
        swapped = builder.bswap(args[1])
        builder.store(swapped, builder.inttoptr(args[0], word.as_pointer())).align = 1
        return context.get_dummy_value()

    return types.void(types.intp, types.int64), generate


@intrinsic
def load_big_endian(_: Any, source: Any) -> Any:
    """The signed 64-bit number in the eight bytes at address `source`, most significant byte first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.load(builder.inttoptr(args[0], ir.IntType(64).as_pointer()))
        word.align = 1
        return builder.bswap(word)

    return types.int64(types.intp), generate
