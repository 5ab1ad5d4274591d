"""`faceuv generate` as a file: see `faceuv generate --help`."""

from faceuv.cli.main import run_tool

if __name__ == "__main__":
    run_tool("generate")
