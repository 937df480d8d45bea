"""The command line: one file a family of verbs, what they print, the console."""

from reflow.cli.main import main as main
