"""`faceuv render` as a file: see `faceuv render --help`."""

from faceuv.cli.main import run_tool

if __name__ == "__main__":
    run_tool("render")
