"""Command line of ensembles: a table of designs in, a table of their metrics out."""

import sys
from collections.abc import Sequence
from pathlib import Path

from twin.cli import REFUSED, answering
from twin.composing import compose
from twin.refusal import ConfigError


def ensemble_main() -> None:
    """Entry point of `twin-ensemble` and `scripts/ensemble.py`: every design of a table, with a row of metrics each."""
    arguments = sys.argv[1:]
    if not arguments or {"-h", "--help"} & set(arguments):
        print("usage: ensemble.py DESIGNS.csv [GROUP=PROFILE] [KEY=VALUE] ... [out=ensemble.csv] [memory_gb=GB]")
        sys.exit(0 if arguments else REFUSED)
    with answering():
        _ensemble(Path(arguments[0]), arguments[1:])


def _ensemble(table: Path, arguments: Sequence[str]) -> None:
    """Run the designs of a table and write their metrics to a new one."""
    from twin import ensembles
    from twin.designs import read_csv
    from twin.model import build
    from twin.reporting import console
    from twin.run_folder import new_file, write_atomically

    own = dict(a.split("=", 1) for a in arguments if a.startswith(("out=", "memory_gb=")))
    target = new_file(own.get("out", "ensemble.csv"))
    memory_gb = _gigabytes(own["memory_gb"]) if "memory_gb" in own else None
    designs = read_csv(table)
    model = build(compose("simulate", [a for a in arguments if a.partition("=")[0] not in own]))
    with console.counted(model, len(next(iter(designs.values())))) as watch:
        results = ensembles.ensemble(model, designs, memory_gb, watch)
    write_atomically(target, ensembles.to_csv(results))
    print(f"Result: {target}")


def _gigabytes(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"memory_gb = {text!r}: must be a number") from None
