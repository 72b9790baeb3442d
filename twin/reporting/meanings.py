"""What the numbers of a summary mean, in a sentence each."""

from html import escape

from twin.variables import TOTALS

MEANINGS = {total.name: total.meaning for total in TOTALS} | {
    "satellites": "Satellites simulated",
    "mass_kg": "Mass at launch",
    "satellite_mass_kg": "Mass of one satellite",
    "nominal_power_w": "Accelerators and hosts at their power cap",
    "nominal_compute_rate_flops": "All accelerators at their power cap",
    "mean_compute_rate_flops": "Work delivered over the duration of the run",
    "drag_delta_v_m_per_s_per_year": "Drag met, as a change of speed",
    "max_semi_major_axis_loss_m": "Altitude lost to drag by the lowest satellite, of those that fly at the end",
    "max_dose_gy": "Highest dose in silicon behind the shield of any satellite, since its launch",
    "dose_gy_per_year": "Dose in silicon behind the shield in a year like this run, mean of the satellites",
    "array_loss_per_year": "Array power that a year like this run takes, over that at beginning of life",
    "silent_corruptions": "Results that radiation spoilt without a sign",
    "memory_errors": "Memory errors by radiation that could not be corrected",
    "hangs": "Accelerators that radiation stopped until their reset",
    "crashes": "Hosts that radiation made reboot",
    "propellant_used_kg": "Propellant used to hold the altitude and to avoid collisions",
    "propellant_life_years": "How long the propellant lasts at this rate before only that for the disposal is left",
    "specific_mass_kg_per_kw": "Mass over the mean power of accelerators and hosts",
    "sunlit_fraction": "Share of the time in sunlight",
    "throttled_fraction": "Share of the time in which heat limits the clock",
    "in_view_fraction": "Share of the time in which a site on the ground is in view or a mesh relays, mean of all",
    "ground_delay_s": "Light time of the results that are sent, from a satellite to the ground, mean",
    "late_bit_s": "Results sent down, times their light time to the ground",
    "nominal_flop": "What all accelerators do at their power cap over the duration of the run",
    "underserved_fraction": "Share of the time in which less than 95 % of the assigned work was done",
    "power_limited_fraction": "Share of the time in which the bus limits the accelerators",
    "backlog_flop": "Work that waits at the end",
    "battery_cycle_loss_per_year": "Battery capacity that cycles wear off in a year like this run",
    "servicing_visits": "Visits that brought accelerators, battery modules and propellant",
    "satellites_replaced": "Satellites at the end of their life for which a successor took the slot",
    "accelerators_failed": "Accelerators that died in the run, those of replaced satellites included",
    "accelerators_replaced": "Dead accelerators for which a visit brought new ones",
    "accelerator_years": "Accelerators on board of serviced satellites, dead or alive, times the duration of the run",
    "dead_accelerator_years": "Of those, what dead accelerators make up",
    "accelerators_dead_fraction": "Share of their time in which accelerators were dead",
    "propellant_refilled_kg": "Propellant that visits brought",
    "replacement_mass_kg": "Launch mass of the successors",
    "spares_mass_kg": "Launch mass of what visits brought: accelerators with hosts, battery modules, propellant",
    "out_of_service_fraction": "Share of the time in which slots waited for a successor to be commissioned",
    "accelerators_alive": "Accelerators that work at the end",
    "power_balance_residual": "What the electric account of the worst satellite misses, over its array energy",
    "heat_balance_residual": "What the heat account of the worst satellite misses, over its array energy",
    "binding_limit": "What holds the design back",
    "binding_reason": "By how much",
    "requests": "Requests that arrive in the run",
    "wait_p50_s": "Half of the requests wait no longer for a free slot",
    "wait_p95_s": "95 % of the requests wait no longer for a free slot",
    "wait_p99_s": "99 % of the requests wait no longer for a free slot",
    "first_token_p50_s": "Time to the first token that half of the requests do not exceed, reading included",
    "first_token_p95_s": "Time to the first token that 95 % of the requests do not exceed, reading included",
    "first_token_p99_s": "Time to the first token that 99 % of the requests do not exceed, reading included",
    "first_token_in_time_fraction": "Requests whose first token comes as soon as promised",
    "output_token_s": "Mean time from one token put out to the next",
    "output_tokens_in_time_fraction": "Requests whose tokens come as fast as promised",
    "served_tokens": "Tokens that the work delivered puts out",
    "tokens_per_joule": "Tokens put out over the energy used on board",
    "useful_flop": "Work that ends up in the model that is trained",
    "straggler_lost_flop": "Work delivered that waits for the slowest satellite",
    "exchange_lost_flop": "Work delivered that waits for the exchange of gradients",
    "interruption_lost_flop": "Work delivered that checkpoints, interruptions and going on after them take",
    "training_days": "How long the whole training takes at this pace",
    "model_flop_utilization": "Useful work over the peak of all accelerators, were nothing interrupted",
    "delivered_model_flop_utilization": "Useful work over the peak of all accelerators",
}


def meaning(key: str) -> str:
    """What a number of the summary means, as HTML; empty where it is not known."""
    if "_margin" in key:
        return "Distance to the limit, negative when it is broken"
    if key.startswith("mass_") and key != "mass_kg":
        return f"Part of the mass of one satellite: {escape(key[5:-3].replace('_', ' '))}"
    if key.startswith("waited_longer_than_"):
        return "Share of the requests that wait longer for a free slot"
    if key.startswith("sampling_error_"):
        return "Standard error of simulating windows only, relative, estimated from how interleaved windows differ"
    return escape(MEANINGS.get(key, ""))
