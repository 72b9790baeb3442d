"""Command line of clusters: what one can train, printed as tables and written as JSON."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twin.cli import answering
from twin.composing import compose

USAGE = "usage: cluster.py [workload=TRAINING ...] [GROUP=PROFILE] [KEY=VALUE] ... [out=FILE.json]"
DEFAULTS = ("experiment=suncatcher_cluster", "link=suncatcher", "failures=expected")
WORKLOADS = ("training_8b", "training_70b", "training_405b")


def cluster_main() -> None:
    """Entry point of `scripts/cluster.py`: a cluster's links, and the training of three models or of those given."""
    arguments = sys.argv[1:]
    if {"-h", "--help"} & set(arguments):
        print(USAGE)
        return
    with answering():
        _cluster(arguments)


def _cluster(arguments: Sequence[str]) -> None:
    from twin.clusters import cluster
    from twin.model import build
    from twin.run_folder import new_file, write_atomically

    targets = [new_file(argument.partition("=")[2]) for argument in arguments if argument.startswith("out=")]
    own = [argument for argument in arguments if not argument.startswith("out=")]
    given = [argument.partition("=")[2] for argument in own if argument.startswith("workload=")]
    others = [argument for argument in own if not argument.startswith("workload=")]
    models = {name: build(compose("simulate", [*DEFAULTS, f"workload={name}", *others])) for name in given or WORKLOADS}
    found = cluster.answer(models)
    print("\n\n".join(_tables(found)))
    for target in targets:
        write_atomically(target, json.dumps(found, indent=2) + "\n")


def _tables(found: Mapping[str, Any]) -> Iterator[str]:
    """The shape of the cluster, then a column per training and network."""
    from twin.reporting import markdown

    yield markdown.table(("cluster", f"{found['satellites']} satellites"), _rows([found["shape"]]))
    for name, networks in found["training"].items():
        yield markdown.table((name, *networks), _rows(list(networks.values())))


def _rows(columns: Sequence[Mapping[str, float]]) -> Iterator[list[str]]:
    for key in columns[0]:
        yield [key, *(f"{column[key]:.4g}" for column in columns)]
