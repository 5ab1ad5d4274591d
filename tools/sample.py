"""`faceuv sample` as a file: see `faceuv sample --help`."""

from faceuv.cli.main import run_tool

if __name__ == "__main__":
    run_tool("sample")
