"""`faceuv direction` as a file: see `faceuv direction --help`."""

from faceuv.cli.main import run_tool

if __name__ == "__main__":
    run_tool("direction")
