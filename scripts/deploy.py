"""Deploy a fleet and compare it with the ground: `python scripts/deploy.py [GROUP=PROFILE] [KEY=VALUE] ...`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from twin.deploy_cli import deploy_main

if __name__ == "__main__":
    deploy_main()
