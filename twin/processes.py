"""The processes of a run: how they find each other, and how they agree. One process alone pays nothing for it.

All processes run the same program and hold their share of the fleet. Whatever decides what runs next must be the same
in all of them: what only one can know (a signal, the clock on the wall, the folder) goes through `by_first`,
`in_all` or `any_of`, which every process must call in the same order.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, TypeVar, cast

import jax
import numpy as np

from twin.endings import RunError
from twin.health import HealthError
from twin.refusal import ConfigError
from twin.schema import Distributed

ADDRESS, COUNT, NUMBER = "JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"
SLURM = ("SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID")
LOST = 3  # exit code of a process that an error of its own has ended, or the end of another
LEAST_BYTES = 256  # of an exchange: other lengths of small messages need no other program

T = TypeVar("T")


class AgreedError(ConfigError):
    """What all processes refuse, in the words of the first that does."""


def begin(distributed: Distributed) -> None:
    """Meet the other processes of the run, before JAX uses a device; nothing when there is one, or they have met.

    ConfigError when the environment does not say who they are, or when they do not come.
    """
    if distributed.processes == "one" or jax.distributed.is_initialized():
        return
    where = f"distributed.processes = {distributed.processes!r}"
    place = _from_environment(where) if distributed.processes == "env" else _from_slurm(where)
    # JAX would take SIGTERM for itself, and the run would never hear of it.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            **place,
            heartbeat_timeout_seconds=distributed.heartbeat_s,
            shutdown_timeout_seconds=distributed.heartbeat_s,
        )
    except RuntimeError as error:
        raise ConfigError(f"{where}: the processes do not meet ({str(error).splitlines()[0]})") from None


def refuse_sweep(distributed: Distributed) -> None:
    """ConfigError for several processes: in a sweep each would go through all its runs, in folders of its own."""
    if distributed.processes != "one":
        raise ConfigError(
            f"distributed.processes = {distributed.processes!r}: a run of a sweep (-m) has one process; "
            "start runs of several processes one by one"
        )


@contextmanager
def together() -> Iterator[None]:
    """In here an error that a single process may have alone ends that process at once, with exit code `LOST`.

    It would wait for the others to end, and they for its share of the work. What all of them refuse or find wrong
    passes through as it is.
    """
    try:
        yield
    except BaseException as error:
        if count() == 1 or shared(error):
            raise
        if isinstance(error, RunError | KeyboardInterrupt):
            print(f"error: {str(error) or 'interrupted'}", file=sys.stderr)
        else:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(LOST)


def shared(error: BaseException) -> bool:
    """Whether all processes have met an error, as what they refuse or find wrong is the same in all."""
    return isinstance(error, ConfigError | HealthError | SystemExit)


def _from_environment(where: str) -> dict[str, Any]:
    """Address of the first process, how many there are and which one this is."""
    missing = [name for name in (ADDRESS, COUNT, NUMBER) if not os.environ.get(name)]
    if missing:
        raise ConfigError(
            f"{where}: {' and '.join(missing)} must be set; scripts/launch.py does so, and docs/machines.md says how"
        )
    address = os.environ[ADDRESS]
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{where}: {ADDRESS} = {address!r}: must be HOST:PORT of the first process")
    many = _whole_number(where, COUNT, 1)
    return {
        "coordinator_address": address,
        "num_processes": many,
        "process_id": _whole_number(where, NUMBER, 0, many - 1),
        "cluster_detection_method": "deactivate",
    }


def _whole_number(where: str, name: str, least: int, most: int | None = None) -> int:
    text = os.environ[name]
    if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
        span = f"at least {least}" if most is None else f"from {least} to {most}, below {COUNT}"
        raise ConfigError(f"{where}: {name} = {text!r}: must be a whole number, {span}")
    return int(text)


def _from_slurm(where: str) -> dict[str, Any]:
    """Slurm is JAX's to read; here only what would let it look elsewhere."""
    missing = [name for name in SLURM if name not in os.environ]
    if missing:
        raise ConfigError(f"{where}: {' and '.join(missing)} not set; start the processes of a job with srun")
    return {"cluster_detection_method": "slurm"}


def count() -> int:
    """Processes of the run."""
    return jax.process_count() if jax.distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process writes, shows and decides."""
    return count() == 1 or jax.process_index() == 0


def devices() -> tuple[Any, ...]:
    """Devices of all processes: the first of each process, then the second of each, as many as the poorest has."""
    own: list[list[Any]] = [[] for _ in range(count())]
    for device in jax.devices():
        own[device.process_index].append(device)
    return tuple(chain.from_iterable(zip(*own, strict=False)))


def of_all(value: Any) -> list[Any]:
    """What each process gives, in their order; plain JSON values. Waits for all devices."""
    if count() == 1:
        return [value]
    from jax.experimental.multihost_utils import process_allgather

    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    sizes = process_allgather(np.array(text.size))
    room = max(LEAST_BYTES, 1 << (int(sizes.max()) - 1).bit_length())
    rows = process_allgather(np.pad(text, (0, room - text.size)))
    return [json.loads(row[:size].tobytes()) for row, size in zip(rows, sizes, strict=True)]


def of_first(value: Any) -> Any:
    """What the first process gives, in all of them; a plain JSON value."""
    return of_all(value if is_first() else None)[0]


def in_all(act: Callable[[], T]) -> T:
    """What `act` returns in this process; AgreedError in all when any refuses. Waits for all devices."""
    found, refused = None, None
    try:
        found = act()
    except ConfigError as error:
        refused = str(error)
    for sentence in of_all(refused):
        if sentence is not None:
            raise AgreedError(sentence)
    return cast(T, found)


def by_first(act: Callable[[], Any]) -> Any:
    """What `act` returns in the first process, in all of them, or its refusal; a plain JSON value."""
    return of_first(in_all(lambda: act() if is_first() else None))


def any_of(flag: bool) -> bool:
    """Whether any process says so, the same answer in all. Waits for all devices."""
    if count() == 1:
        return flag
    from jax.experimental.multihost_utils import process_allgather

    return bool(process_allgather(np.array(flag)).any())


def wait() -> None:
    """Until every process has come this far."""
    of_all(None)
