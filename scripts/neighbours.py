"""Neighbour graphs by size of the fleet: `python scripts/neighbours.py [SATELLITES/PLANES | GROUP=PROFILE] ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twin.clusters.neighbours_cli import neighbours_main

if __name__ == "__main__":
    neighbours_main()
