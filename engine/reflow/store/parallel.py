"""Work on several things at once, with the results in order and a bound on how many are under way."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, most: int | None = None
) -> Generator[Result, None, None]:
    """`work(item)` of each item, in their order, from `workers` threads.

    Unlike `Executor.map` it takes the next item only when a result is taken, so that memory is that of `most` items or
    results, twice as many as there are workers if left out. The first exception ends it, as does leaving it early
    (with `contextlib.closing`, else when it is collected); work under way is awaited.
    """
    limit = 2 * workers if most is None else most
    pool, under_way = ThreadPoolExecutor(workers), deque[Future[Result]]()
    try:
        for item in items:
            under_way.append(pool.submit(work, item))
            if len(under_way) >= limit:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
