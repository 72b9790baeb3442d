"""What becomes of a fleet's ability, from nominal to delivered and to useful work, and of the work it is asked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

NOMINAL, ABLE, DELIVERED, SURPLUS = "nominal_flop", "able_flop", "delivered_flop", "surplus_flop"
LOST = {
    "Not asked": "unasked_flop",
    "Too hot": "heat_lost_flop",
    "No power in eclipse": "eclipse_lost_flop",
    "No power in sunlight": "power_lost_flop",
    "Upsets": "work_lost_to_upsets_flop",
}
ASKED, GIVEN_UP = "assigned_flop", "dropped_flop"
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
    """Steps from nominal to delivered or useful work, then from work asked to done; none where a summary is silent."""
    if not {NOMINAL, ABLE, DELIVERED, SURPLUS, ASKED, GIVEN_UP, *LOST.values()} <= {*fleet} or not fleet[NOMINAL]:
        return ()
    return _ability(fleet) + _training(fleet) + _asked(fleet)


def _ability(fleet: Mapping[str, Any]) -> tuple[Step, ...]:
    """Steps from nominal to delivered work; rounding up to a trace is in the level."""
    lost = {label: fleet[key] for label, key in LOST.items()}
    lost["No power in eclipse"] = min(fleet["eclipse_lost_flop"], fleet["power_lost_flop"])
    lost["No power in sunlight"] -= lost["No power in eclipse"]
    lost = {"Failed or off": max(fleet[NOMINAL] - fleet[ABLE], 0.0), **lost}
    surplus = fleet[SURPLUS] if fleet[SURPLUS] > TRACE * fleet[NOMINAL] else 0.0
    return (
        Step("Nominal", fleet[DELIVERED] + sum(lost.values()) - surplus, level=True),
        *(Step(label, -flop) for label, flop in lost.items()),
        *([Step("Beyond the rating", surplus)] if surplus else []),
        Step("Delivered", fleet[DELIVERED], level=True),
    )


def _training(fleet: Mapping[str, Any]) -> tuple[Step, ...]:
    """Steps from delivered to useful work of a training."""
    if fleet.get(USEFUL) is None:
        return ()
    lost = [Step(label, -(fleet.get(key) or 0.0)) for label, key in LOST_IN_TRAINING.items()]
    rest = fleet[USEFUL] - fleet[DELIVERED] - sum(step.flop for step in lost)
    others = [Step("Other", rest)] if abs(rest) > TRACE * fleet[NOMINAL] else []
    return (*lost, *others, Step("Useful", fleet[USEFUL], level=True))


def _asked(fleet: Mapping[str, Any]) -> tuple[Step, ...]:
    """Steps from work asked to work done; what waited before the run and is done in it adds to what was asked."""
    given_up = max(fleet[GIVEN_UP], 0.0)
    waits = fleet[ASKED] - given_up - fleet[DELIVERED]
    waits = waits if abs(waits) > TRACE * fleet[NOMINAL] else max(waits, 0.0)
    return (
        Step("Asked", fleet[DELIVERED] + given_up + waits, level=True),
        Step("Given up", -given_up),
        Step("Waits at the end" if waits >= 0.0 else "Waited before", -waits),
        Step("Done", fleet[DELIVERED], level=True),
    )
