"""From the nominal work of a fleet to what it delivers, and to what of it a training uses: what takes how much."""

from collections.abc import Mapping
from typing import Any, NamedTuple

NOMINAL, ABLE, DELIVERED = "nominal_flop", "able_flop", "delivered_flop"
LOST = {
    "Too hot": "heat_lost_flop",
    "No power": "power_lost_flop",
    "Upsets": "work_lost_to_upsets_flop",
}
USEFUL = "useful_flop"
LOST_IN_TRAINING = {
    "Stragglers": "straggler_lost_flop",
    "Exchange": "exchange_lost_flop",
    "Interruptions": "interruption_lost_flop",
}
TRACE = 1e-6  # of the nominal work, below which nothing is left unexplained


class Step(NamedTuple):
    """What is there (`level`), or what is added to it, negative where it is lost."""

    label: str
    flop: float
    level: bool = False


def steps(fleet: Mapping[str, Any]) -> tuple[Step, ...]:
    """Steps from nominal to delivered or useful work; none where the summary does not tell them."""
    if not {NOMINAL, ABLE, DELIVERED, *LOST.values()} <= {*fleet} or not fleet[NOMINAL]:
        return ()
    lost = [Step(label, -fleet[key]) for label, key in LOST.items()]
    asked = fleet[DELIVERED] - sum(step.flop for step in lost)
    found = (
        Step("Nominal", fleet[NOMINAL], level=True),
        Step("Failed or off", fleet[ABLE] - fleet[NOMINAL]),
        Step("Not asked", asked - fleet[ABLE]),
        *lost,
        Step("Delivered", fleet[DELIVERED], level=True),
    )
    return found + _training(fleet)


def _training(fleet: Mapping[str, Any]) -> tuple[Step, ...]:
    """Steps from delivered to useful work of a training."""
    if fleet.get(USEFUL) is None:
        return ()
    lost = [Step(label, -(fleet.get(key) or 0.0)) for label, key in LOST_IN_TRAINING.items()]
    rest = fleet[USEFUL] - fleet[DELIVERED] - sum(step.flop for step in lost)
    others = [Step("Other", rest)] if abs(rest) > TRACE * fleet[NOMINAL] else []
    return (*lost, *others, Step("Useful", fleet[USEFUL], level=True))
