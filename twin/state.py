"""State of a satellite between two steps: what changes within an orbit, and what changes over months."""

from typing import NamedTuple

from jax import Array


class State(NamedTuple):
    """What a step advances, in the run's precision: one leaf (satellite,) per variable; temperatures by node name.

    What controllers read is expected, in the middle of a step, to have moved on by half of what it did in the last.
    """

    temperature_k: dict[str, Array]
    rise_k: dict[str, Array]  # in the last step, of the nodes that controllers read
    state_of_charge: Array
    charge_rise: Array  # in the last step
    cycle_top: Array  # state of charge from which the depth of a discharge counts


class Work(NamedTuple):
    """What waits at a satellite, float64, so that nothing is lost or invented: one leaf (satellite,) per variable."""

    backlog_flop: Array
    data_backlog_bit: Array  # results that wait for a way down


# Slow variables that are stated per year: what renewal takes of them is kept in the account.
UNDONE = ("battery_cycle_loss", "battery_calendar_square", "dose_gy", "propellant_kg")


class Servicing(NamedTuple):
    """Where a slot stands in its servicing and the account of it, float64, one leaf (satellite,) per variable."""

    turn: Array  # in the first campaign: 1 for the first satellite of a cohort, nearly 0 for the last; 0 ever after
    launched_s: Array  # launch of the satellite that flies there, since the start of the run
    in_service_s: Array  # from when its payload is given work
    visits: Array  # so far, as is all that follows
    satellites_replaced: Array
    accelerators_replaced: Array  # by visits, in place of dead ones
    accelerators_retired: Array  # that still worked when their satellite was replaced
    accelerators_dead_s: Array  # time that accelerators were dead, added up
    propellant_refilled_kg: Array
    out_of_service_s: Array
    highest_dose_gy: Array  # of all before the last renewal
    undone: dict[str, Array]  # by renewal, old less new: of the variables of `UNDONE` and of the array's health


class Slow(NamedTuple):
    """What changes over months, float64, one leaf (satellite,) per variable.

    A step reads it and gives rates; the loop adds them up over a save block (`variables.SLOW`), times `slow_weight`:
    in float32 an increment of ten seconds would be lost in a sum over years.
    """

    battery_cycle_loss: Array  # of capacity at beginning of life
    battery_calendar_square: Array  # square of the capacity lost to the calendar
    electron_fluence_per_m2: Array  # of 1 MeV electrons that would have done the same to the cells
    accelerators_alive: Array
    propellant_kg: Array
    drag_delta_v_m_per_s: Array  # met since the start, made up for or not
    semi_major_axis_loss_m: Array
    phase_lead_rad: Array  # of the anomaly, over that without loss
    node_lead_rad: Array
    coating_life_fraction: Array
    age_s: Array  # of the satellite
    accelerators_younger_s: Array  # than the satellite, in the mean of those that work
    dose_gy: Array  # in silicon behind the shield
    silent_corruptions: Array  # so far, on all accelerators of the satellite, as are the other upsets
    memory_errors: Array
    hangs: Array
    crashes: Array
