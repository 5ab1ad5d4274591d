"""`faceuv fit` as a file: see `faceuv fit --help`."""

from faceuv.cli.main import run_tool

if __name__ == "__main__":
    run_tool("fit")
