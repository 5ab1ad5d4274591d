"""`faceuv convert bfm` as a file: see `faceuv convert bfm --help`."""

import sys

from faceuv.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["convert", "bfm", *sys.argv[1:]]))
