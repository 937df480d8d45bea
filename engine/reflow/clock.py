"""Which time of a block decides its day (methodology 1)."""

from typing import Final, Literal, get_args

Clock = Literal["mediantime", "header"]
"""The median of the header times of the block and its up to ten predecessors, or the block's own header time."""

CLOCKS: Final[tuple[Clock, ...]] = get_args(Clock)
"""All of them, the default first."""
