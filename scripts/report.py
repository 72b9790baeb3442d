"""Report of a run, or the ranked table of a sweep: `python scripts/report.py RUN_OR_SWEEP_DIR`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twin.cli import report_main

if __name__ == "__main__":
    report_main()
