"""The console script ``spinodal``, and ``python -m spinodal``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from spinodal.cli.app import run


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line (default: the process' own) and return its exit status."""
    return run(sys.argv[1:] if argv is None else list(argv))


if __name__ == "__main__":
    sys.exit(main())
