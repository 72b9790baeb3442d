"""Simulate a fleet: `python scripts/simulate.py [GROUP=PROFILE] [KEY=VALUE] ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twin.cli import simulate_main

if __name__ == "__main__":
    simulate_main()
