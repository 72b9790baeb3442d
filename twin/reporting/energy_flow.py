"""The way of a fleet's energy from sunlight to work and heat, as flows that balance at every node."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from twin.reporting import human

LIGHT = "Absorbed sunlight, albedo and infrared"
ARRAY = "Array"
CURTAILED = "Curtailed"
BATTERY = "Battery"
BUS = "Power bus"
CONVERSION = "Conversion loss"
HOUSEKEEPING = "Bus, pump and heaters"
CHIPS = "Accelerators and hosts"
WORK = "Compute"
HEAT = "Heat"
SPACE = "Radiated to space"
KEPT = "Kept as charge and warmth"
TAKEN = "Taken from charge and warmth"
NODES: tuple[str, ...] = (
    LIGHT,
    ARRAY,
    CURTAILED,
    BATTERY,
    BUS,
    CONVERSION,
    HOUSEKEEPING,
    CHIPS,
    WORK,
    HEAT,
    SPACE,
    KEPT,
    TAKEN,
)


class Flow(NamedTuple):
    """Energy that passes from one node to another."""

    source: str
    target: str
    energy_j: float


def energy_flows(totals: Mapping[str, Any]) -> tuple[Flow, ...]:
    """Flows of a summary's totals, each positive; at every inner node what comes in goes out.

    Curtailed light stays in the array, so that `absorbed_environment_heat_j` holds it already. Where the summary does
    not tell the battery's heat, all that its terminals kept counts as heat, and the stores make up the difference.
    """
    drawn, curtailed = totals["array_energy_j"], totals["curtailed_energy_j"]
    warming = totals["absorbed_environment_heat_j"] - curtailed
    load, chips, conversion = totals["load_energy_j"], totals["accelerator_energy_j"], totals["conversion_loss_j"]
    net = drawn - load - conversion
    charged = max(totals["battery_throughput_j"] + net, 0.0)
    battery_heat = totals.get("battery_heat_j", max(net, 0.0))
    heat = warming + curtailed + conversion + load + battery_heat
    flows = (
        Flow(LIGHT, ARRAY, drawn + curtailed),
        Flow(LIGHT, HEAT, warming),
        Flow(ARRAY, CURTAILED, curtailed),
        Flow(CURTAILED, HEAT, curtailed),
        Flow(ARRAY, BUS, drawn - charged),
        Flow(ARRAY, BATTERY, charged),
        Flow(BATTERY, BUS, charged - net),
        Flow(BATTERY, HEAT, battery_heat),
        _store(BATTERY, net - battery_heat),
        Flow(BUS, CONVERSION, conversion),
        Flow(CONVERSION, HEAT, conversion),
        Flow(BUS, HOUSEKEEPING, load - chips),
        Flow(HOUSEKEEPING, HEAT, load - chips),
        Flow(BUS, CHIPS, chips),
        Flow(CHIPS, WORK, chips),
        Flow(WORK, HEAT, chips),
        Flow(HEAT, SPACE, totals["radiated_heat_j"]),
        _store(HEAT, heat - totals["radiated_heat_j"]),
    )
    return tuple(flow for flow in flows if flow.energy_j > 0.0)


def _store(node: str, kept_j: float) -> Flow:
    """What a node leaves in the stores, or takes from them."""
    return Flow(node, KEPT, kept_j) if kept_j >= 0.0 else Flow(TAKEN, node, -kept_j)


def label(node: str, flows: tuple[Flow, ...], totals: Mapping[str, Any]) -> str:
    """A node's name with the energy that passes it; work also by its count and price."""
    through = max(
        sum(flow.energy_j for flow in flows if flow.source == node),
        sum(flow.energy_j for flow in flows if flow.target == node),
    )
    if node == HEAT:
        return node  # its neighbour at the right end says how much
    if node == WORK and totals["delivered_flop"] > 0:
        work, price = totals["delivered_flop"], totals["accelerator_energy_j"] / totals["delivered_flop"]
        return f"{human.flop(work)}<br>{human.si(price, 'J/FLOP')}"
    return f"{node}<br>{human.energy(through)}" if node == CHIPS else f"{node}, {human.energy(through)}"
