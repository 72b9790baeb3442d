"""One run in several processes: `python scripts/launch.py N [--restarts K] -- [GROUP=PROFILE] [KEY=VALUE] ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twin.launching import main

if __name__ == "__main__":
    main([sys.executable, str(Path(__file__).resolve().with_name("simulate.py"))])
