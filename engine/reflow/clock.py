"""Which time of a block decides its day (METHODOLOGY section 1)."""

from typing import Literal

Clock = Literal["mediantime", "header"]
"""The median of the header times of the block and its up to ten predecessors, or the block's own header time."""
