"""``python -m faceuv``."""

import sys

from faceuv.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
