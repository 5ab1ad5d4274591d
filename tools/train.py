"""`faceuv train` as a file: see `faceuv train --help`."""

from faceuv.cli.main import run_tool

if __name__ == "__main__":
    run_tool("train")
