"""python -m reflow.cli is the command reflow."""

from reflow.cli.main import main

main()
