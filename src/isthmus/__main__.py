"""``python -m isthmus``: the command line."""

import sys

from isthmus.cli.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
