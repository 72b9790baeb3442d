"""Design a satellite by gradient: `python scripts/optimize.py [GROUP=PROFILE] [KEY=VALUE] ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twin.optimize_cli import optimize_main

if __name__ == "__main__":
    optimize_main()
