"""``callctl`` and ``python -m callctl``."""

import sys

from callctl.cli import main

if __name__ == "__main__":
    sys.exit(main())
