"""What a cluster can train: `python scripts/cluster.py [workload=TRAINING ...] [KEY=VALUE] ... [out=FILE.json]`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twin.clusters.cluster_cli import cluster_main

if __name__ == "__main__":
    cluster_main()
