"""Many designs in one compile: `python scripts/ensemble.py DESIGNS.csv [GROUP=PROFILE] [KEY=VALUE] ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twin.ensemble_cli import ensemble_main

if __name__ == "__main__":
    ensemble_main()
