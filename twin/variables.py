"""The one table of state, output and total variables: unit, kind, meaning and plausible range.

It drives telemetry attributes, the health check, the summary and the glossary.
"""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Variable:
    """A telemetry variable. `kind` is "mean" over the save interval or the value at its "end"."""

    name: str
    unit: str
    kind: str
    meaning: str
    minimum: float = -inf
    maximum: float = inf

    @property
    def cell_method(self) -> str:
        """CF-style statement of what the value stands for in time."""
        return "time: mean" if self.kind == "mean" else "time: point"


@dataclass(frozen=True)
class Total:
    """A running total per satellite: the time integral ("sum"), the maximum or the minimum of a step's output."""

    name: str
    unit: str
    kind: str
    of: str
    meaning: str


@dataclass(frozen=True)
class SlowRate:
    """The rate per second of a slow variable: an output of every "step", or of `ageing.slow_rates` once per "block"."""

    name: str
    of: str
    per: str = "step"


TELEMETRY = (
    Variable("sunlit_fraction", "1", "mean", "Visible fraction of the solar disc", -1e-3, 1.001),
    Variable(
        "beta_angle_rad", "rad", "end", "Sun above the orbit plane, positive towards the orbit normal", -1.58, 1.58
    ),
    Variable("altitude_m", "m", "end", "Height above the equatorial radius of 6 378 137 m", 0.0, 1e9),
    Variable("latitude_rad", "rad", "end", "Geocentric latitude", -1.58, 1.58),
    Variable("longitude_rad", "rad", "end", "Longitude, east positive", -3.15, 3.15),
    Variable("array_power_w", "W", "mean", "Power drawn at the array's terminals", -1.0, 1e9),
    Variable(
        "curtailed_power_w", "W", "mean", "Array power available but not drawn; stays in the array as heat", -1e3, 1e9
    ),
    Variable("load_power_w", "W", "mean", "Everything on board: chips, hosts, bus, pump, heaters", -1.0, 1e9),
    Variable("battery_power_w", "W", "mean", "Power at the battery's terminals, positive = charging", -1e9, 1e9),
    Variable("conversion_loss_w", "W", "mean", "Loss of the converters: array = load + battery + loss", -1e3, 1e9),
    Variable("shed_power_w", "W", "mean", "Compute power that heat and cap allow but the bus cannot give", -1e3, 1e9),
    Variable("heater_power_w", "W", "mean", "Heaters of battery and coolant loop", -1.0, 1e9),
    Variable("state_of_charge", "1", "end", "Charge of the battery over its present capacity", -0.01, 1.01),
    Variable("battery_health", "1", "end", "Capacity of the battery over that at beginning of life", 0.0, 1.001),
    Variable(
        "battery_resistance_growth", "1", "end", "Resistance of the battery over that at beginning of life", 0.0, 100.0
    ),
    Variable("array_health", "1", "end", "Array power over that at beginning of life", 0.0, 1.001),
    Variable("electron_fluence_per_m2", "m-2", "end", "1 MeV electrons that would age the cells alike", 0.0, 1e24),
    Variable("accelerators_alive", "1", "end", "Accelerators that work", 0.0, 1e7),
    Variable("propellant_kg", "kg", "end", "Propellant on board", -1.0, 1e7),
    Variable("drag_delta_v_m_per_s", "m/s", "end", "Drag met since the start, as a change of speed", -1e-6, 1e6),
    Variable("semi_major_axis_loss_m", "m", "end", "Altitude lost to drag since the start", -1.0, 1e9),
    Variable("coating_life_fraction", "1", "end", "Life of the radiator's coating that is spent, 1 = end of life", 0.0),
    Variable("dose_gy", "Gy", "end", "Ionising dose in silicon behind the shield since launch", 0.0, 1e9),
    Variable("accelerator_temperature_k", "K", "end", "Hottest die", 2.0, 1500.0),
    Variable("memory_temperature_k", "K", "mean", "Memory stacks of the accelerators", 2.0, 1500.0),
    Variable("coolant_temperature_k", "K", "end", "Coolant supply", 2.0, 1500.0),
    Variable("radiator_temperature_k", "K", "end", "Radiator, mean over its area", 2.0, 1500.0),
    Variable("battery_temperature_k", "K", "end", "Battery", 2.0, 1500.0),
    Variable("array_temperature_k", "K", "end", "Solar array", 2.0, 1500.0),
    Variable("radiated_heat_w", "W", "mean", "Gross heat radiated by all surfaces", 0.0, 1e9),
    Variable(
        "absorbed_environment_heat_w",
        "W",
        "mean",
        "Absorbed sunlight, albedo and infrared, without the light that became electricity",
        -1e9,
        1e9,
    ),
    Variable("clock_fraction", "1", "mean", "Clock of the accelerators over that of their rated peak", -0.01, 10.0),
    Variable(
        "compute_rate_flops", "flop/s", "mean", "Work delivered, in the accelerator's stated number format", -1.0, 1e24
    ),
    Variable("assigned_flops", "flop/s", "mean", "Work assigned", -1.0, 1e24),
    Variable("dropped_flops", "flop/s", "mean", "Work given up", -inf, 1e24),
    Variable("backlog_flop", "flop", "end", "Work assigned and waiting", -inf, inf),
    Variable("downlink_bit_per_s", "bit/s", "mean", "Results sent down", 0.0, 1e18),
    Variable("data_backlog_bit", "bit", "end", "Results that wait for a way down", 0.0, inf),
    Variable("contact_fraction", "1", "mean", "Part of the time in which a site on the ground receives it", 0.0, 1.001),
    Variable("ground_delay_s", "s", "mean", "Light time to the ground, 0 without contact", 0.0, 10.0),
    Variable("ground_site", "1", "end", "Number of the site on the ground that is used most, -1 for none", -1.0, 1e4),
)

# Of the whole fleet, kept beside whatever is kept of its satellites.
FLEET = (
    Variable("fleet_assigned_flops", "flop/s", "mean", "Work assigned to the fleet"),
    Variable("fleet_delivered_flops", "flop/s", "mean", "Work that the fleet delivers"),
    Variable("fleet_dropped_flops", "flop/s", "mean", "Work that the fleet gives up"),
    Variable("fleet_backlog_flop", "flop", "end", "Work of the fleet that waits"),
    Variable("fleet_downlink_bit_per_s", "bit/s", "mean", "Results that the fleet sends down"),
    Variable("fleet_data_backlog_bit", "bit", "end", "Results of the fleet that wait for a way down"),
    Variable("fleet_satellites_in_contact", "1", "mean", "Satellites that sites on the ground receive at a time"),
)
# Where requests arrive.
REQUESTS = (
    Variable("fleet_requests_per_s", "1/s", "mean", "Requests that arrive"),
    Variable("fleet_service_s", "s", "mean", "Time in service of a request"),
    Variable("fleet_prefill_s", "s", "mean", "Time to read the prompt of a request"),
    Variable("fleet_output_token_s", "s", "mean", "Time from one token put out to the next"),
    Variable("fleet_output_tokens_in_time_fraction", "1", "mean", "Requests whose tokens come as fast as promised"),
    Variable("share_waiting_longer", "1", "mean", "Share of the requests that wait longer for a free slot"),
)
# Where the fleet trains: what is delivered is useful, or lost to one of three.
TRAINING = (
    Variable("fleet_useful_flops", "flop/s", "mean", "Work that ends up in the model"),
    Variable("fleet_straggler_lost_flops", "flop/s", "mean", "Work that waits for the slowest satellite"),
    Variable("fleet_exchange_lost_flops", "flop/s", "mean", "Work that waits for the exchange of gradients"),
    Variable(
        "fleet_interruption_lost_flops", "flop/s", "mean", "Work lost to checkpoints, interruptions and going on after"
    ),
)
OF_FLEET = (*FLEET, *REQUESTS, *TRAINING)
THRESHOLD = "wait_s"  # dimension of what depends on how long requests wait

TOTALS = (
    Total("array_energy_j", "J", "sum", "array_power_w", "Energy drawn from the array"),
    Total("load_energy_j", "J", "sum", "load_power_w", "Energy used on board"),
    Total("accelerator_energy_j", "J", "sum", "accelerator_power_w", "Energy used by accelerators and their hosts"),
    Total("battery_energy_j", "J", "sum", "battery_power_w", "Net energy into the battery's terminals"),
    Total("battery_throughput_j", "J", "sum", "battery_discharge_w", "Energy discharged at the battery's terminals"),
    Total("battery_heat_j", "J", "sum", "battery_heat_w", "Heat of the battery, resistance and entropy"),
    Total("curtailed_energy_j", "J", "sum", "curtailed_power_w", "Array energy available but not drawn"),
    Total("conversion_loss_j", "J", "sum", "conversion_loss_w", "Loss of the converters"),
    Total("shed_energy_j", "J", "sum", "shed_power_w", "Compute energy shed for lack of power"),
    Total("heater_energy_j", "J", "sum", "heater_power_w", "Energy of the heaters of battery and coolant loop"),
    Total("radiated_heat_j", "J", "sum", "radiated_heat_w", "Heat radiated"),
    Total("absorbed_environment_heat_j", "J", "sum", "absorbed_environment_heat_w", "Heat absorbed from Sun and Earth"),
    Total("delivered_flop", "flop", "sum", "compute_rate_flops", "Work delivered"),
    Total("assigned_flop", "flop", "sum", "assigned_flops", "Work asked of the fleet"),
    Total("able_flop", "flop", "sum", "able_flops", "Work that the accelerators that work could do, cool and powered"),
    Total("unasked_flop", "flop", "sum", "unasked_flops", "Work that accelerators could do and nothing asked for"),
    Total("heat_lost_flop", "flop", "sum", "heat_lost_flops", "Work that they could do, asked, that heat left undone"),
    Total(
        "power_lost_flop",
        "flop",
        "sum",
        "power_lost_flops",
        "Work that they could do, asked, that lack of power left undone",
    ),
    Total("eclipse_lost_flop", "flop", "sum", "eclipse_lost_flops", "Work that lack of power left undone in the dark"),
    Total("surplus_flop", "flop", "sum", "surplus_flops", "Work beyond the rating: dies colder than it leak less"),
    Total("dropped_flop", "flop", "sum", "dropped_flops", "Work given up: it may not wait, or would wait too long"),
    Total(
        "waited_flop",
        "flop",
        "sum",
        "waited_flops",
        "Growth of the work that waits; with delivered and dropped it is what was asked",
    ),
    Total("produced_bit", "bit", "sum", "produced_bit_per_s", "Results of the work that is done"),
    Total("sent_bit", "bit", "sum", "downlink_bit_per_s", "Results sent down"),
    Total("data_lost_bit", "bit", "sum", "data_lost_bit_per_s", "Results lost: no room on board"),
    Total("data_waited_bit", "bit", "sum", "data_waited_bit_per_s", "Growth of the results that wait"),
    Total("downlink_able_bit", "bit", "sum", "downlink_able_bit_per_s", "Results that links could have carried"),
    Total("late_bit_s", "bit s", "sum", "late_bit", "Results sent down, times their light time to the ground"),
    Total("max_ground_delay_s", "s", "max", "ground_delay_s", "Longest light time to the ground of an interval"),
    Total("in_view_s", "s", "sum", "in_view", "Time in which a site is in view, or a mesh relays"),
    Total(
        "work_lost_to_upsets_flop", "flop", "sum", "upset_lost_flops", "Work computed in vain or not done for upsets"
    ),
    Total("sunlit_s", "s", "sum", "sunlit_fraction", "Time in sunlight, penumbra by its share"),
    Total("throttled_s", "s", "sum", "throttled", "Time in which the temperature of die or memory limits the clock"),
    Total("power_limited_s", "s", "sum", "power_limited", "Time in which the bus limits the accelerators"),
    Total("underserved_s", "s", "sum", "underserved", "Time in which less than 95 % of the assigned work was done"),
    Total("max_accelerator_temperature_k", "K", "max", "accelerator_temperature_k", "Hottest die of the run"),
    Total("max_overheat_k", "K", "max", "overheat_k", "Die or memory above its limit, did it all that was asked"),
    Total("max_memory_temperature_k", "K", "max", "memory_temperature_k", "Hottest memory stacks of the run"),
    Total("max_coolant_temperature_k", "K", "max", "coolant_temperature_k", "Warmest coolant supply of the run"),
    Total("min_coolant_temperature_k", "K", "min", "coldest_coolant_k", "Coldest fluid anywhere in the loop"),
    Total("max_battery_temperature_k", "K", "max", "battery_temperature_k", "Warmest battery of the run"),
    Total("min_battery_temperature_k", "K", "min", "battery_temperature_k", "Coldest battery of the run"),
    Total(
        "max_radiator_temperature_k", "K", "max", "radiator_temperature_k", "Warmest radiator (area mean) of the run"
    ),
    Total("max_vapour_quality", "1", "max", "vapour_quality", "Highest vapour quality at the exit of the evaporator"),
    Total("max_array_temperature_k", "K", "max", "array_temperature_k", "Warmest array of the run"),
    Total("min_state_of_charge", "1", "min", "state_of_charge", "Lowest state of charge of the run"),
    Total("max_state_of_charge", "1", "max", "state_of_charge", "Highest state of charge of the run"),
)

# What each window's change of stored energy adds up to, at the weight of its totals.
STORED = ("stored_in_battery_j", "stored_as_heat_j")

SLOW = (
    SlowRate("accelerators_alive", "accelerators_alive_per_s", per="block"),
    SlowRate("propellant_kg", "propellant_kg_per_s", per="block"),
    SlowRate("drag_delta_v_m_per_s", "drag_m_per_s2", per="block"),
    SlowRate("semi_major_axis_loss_m", "semi_major_axis_loss_m_per_s", per="block"),
    SlowRate("phase_lead_rad", "phase_lead_rad_per_s", per="block"),
    SlowRate("node_lead_rad", "node_lead_rad_per_s", per="block"),
    SlowRate("battery_cycle_loss", "battery_cycle_loss_per_s"),
    SlowRate("battery_calendar_square", "battery_calendar_square_per_s", per="block"),
    SlowRate("coating_life_fraction", "coating_life_per_s", per="block"),
    SlowRate("electron_fluence_per_m2", "electron_fluence_per_m2_s", per="block"),
    SlowRate("age_s", "age_s_per_s", per="block"),
    SlowRate("dose_gy", "dose_rate_gy_per_s"),
    SlowRate("silent_corruptions", "silent_corruptions_per_s", per="block"),
    SlowRate("memory_errors", "memory_errors_per_s", per="block"),
    SlowRate("hangs", "hangs_per_s", per="block"),
    SlowRate("crashes", "crashes_per_s", per="block"),
)

BY_NAME = {variable.name: variable for variable in TELEMETRY}
MEANS = tuple(v.name for v in TELEMETRY if v.kind == "mean")
ENDS = tuple(v.name for v in TELEMETRY if v.kind == "end")
# Mean rates of the account of results.
RESULTS = (
    "produced_bit_per_s",
    "downlink_bit_per_s",
    "data_lost_bit_per_s",
    "data_waited_bit_per_s",
    "downlink_able_bit_per_s",
    "in_view",
    "contact_fraction",
    "ground_delay_s",
    "late_bit",
)
# Mean rates of the account of work, but for those that steps tell.
WORK = ("able_flops", "assigned_flops", "dropped_flops", "waited_flops", "unasked_flops", "surplus_flops")
DERIVED = (*WORK, *RESULTS)  # `work.accounted`
# With what is not asked and what is beyond the rating they are all that accelerators are able to do.
USED = ("compute_rate_flops", "heat_lost_flops", "power_lost_flops", "upset_lost_flops")
_wanted = [*MEANS, *(t.of for t in TOTALS if t.kind == "sum"), *(s.of for s in SLOW if s.per == "step")]
SUMMED = tuple(name for name in dict.fromkeys(_wanted) if name not in DERIVED)
