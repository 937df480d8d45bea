"""Run a command as the only child of a small process, and write down what it took: launch.py REPORT COMMAND...

A process counts as its own the memory that its parent had when it was started, so the parent must have little.
"""

import os
import sys
import time


def main() -> None:
    report, command = sys.argv[1], sys.argv[2:]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    with open(report, "w") as file:  # noqa: PTH123  # pathlib would cost more memory than all the rest
        file.write(f"{seconds} {usage.ru_maxrss * 1024}")
    sys.exit(min(abs(os.waitstatus_to_exitcode(status)), 255))


if __name__ == "__main__":
    main()
