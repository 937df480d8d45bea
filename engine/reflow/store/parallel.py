"""Work on several things at once, the results in order and never more of them waiting than there are workers."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], workers: int) -> Iterator[Result]:
    """`work(item)` of each item, in their order, from `workers` threads.

    Unlike `Executor.map` it takes the next item only when a result is taken, so that memory is that of twice as many
    results as there are workers. The first exception ends it, as does leaving it early; work under way is awaited.
    """
    pool, under_way = ThreadPoolExecutor(workers), deque[Future[Result]]()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= 2 * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
