"""`faceuv test` as a file: see `faceuv test --help`."""

from faceuv.cli.main import run_tool

if __name__ == "__main__":
    run_tool("test")
