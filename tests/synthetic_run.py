"""A run directory with made-up telemetry, written in a moment and without a simulation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kernels.queueing import THRESHOLDS_S
from twin.selection import Selection
from twin.store import Axes, Store
from twin.variables import BY_NAME, REQUESTS, TELEMETRY

PERIOD_S, INTERVAL_S = 5856.0, 300.0
START = np.datetime64("2026-06-14T00:00:00", "ns")
FLEET: dict[str, Any] = {
    "satellites": 2.0,
    "mass_kg": 2000.0,
    "array_energy_j": 100e9,
    "curtailed_energy_j": 10e9,
    "load_energy_j": 88e9,
    "accelerator_energy_j": 80e9,
    "conversion_loss_j": 9e9,
    "battery_throughput_j": 30e9,
    "shed_energy_j": 0.0,
    "heater_energy_j": 0.0,
    "absorbed_environment_heat_j": 300e9,
    "radiated_heat_j": 395e9,
    "delivered_flop": 8e22,
    "assigned_flop": 8e22,
    "backlog_flop": 0.0,
    "mean_compute_rate_flops": 1e18,
    "nominal_compute_rate_flops": 1.25e18,
    "nominal_power_w": 1e6,
    "sunlit_fraction": 0.65,
    "throttled_fraction": 0.0,
    "power_limited_fraction": 0.0,
    "underserved_fraction": 0.0,
    "battery_cycle_loss_per_year": 0.02,
    "array_loss_per_year": 0.015,
    "dose_gy_per_year": 1.5,
    "drag_delta_v_m_per_s_per_year": 4.22,
    "propellant_life_years": 5.67,
    "silent_corruptions": 3.0,
    "memory_errors": 2.0,
    "hangs": 0.0,
    "crashes": 1.0,
    "max_dose_gy": 0.5,
    "dose_upper_margin_gy": 19.5,
    "power_balance_residual": 1e-7,
    "heat_balance_residual": 1e-7,
    "specific_mass_kg_per_kw": 80.0,
    "max_accelerator_temperature_k": 350.0,
    "max_memory_temperature_k": 340.0,
    "memory_temperature_upper_margin_k": 28.0,
    "accelerator_temperature_upper_margin_k": 12.0,
    "max_battery_temperature_k": None,
    "min_state_of_charge": 0.18,
    "state_of_charge_lower_margin": -0.02,
    "binding_limit": "state of charge too low",
    "binding_reason": "state of charge too low: 2.0 points beyond the limit",
}
# What runs of fleets with requests and a way down tell besides.
WORKED = {
    "nominal_flop": 1e23,
    "able_flop": 9.9e22,
    "unasked_flop": 1.3e22,
    "heat_lost_flop": 2e21,
    "power_lost_flop": 3e21,
    "eclipse_lost_flop": 2e21,
    "surplus_flop": 0.0,
    "work_lost_to_upsets_flop": 1e21,
    "assigned_flop": 8.8e22,
    "dropped_flop": 6e21,
    "waited_flop": 2e21,
    "produced_bit": 4e14,
    "sent_bit": 3e14,
    "data_lost_bit": 4e13,
    "data_waited_bit": 6e13,
    "downlink_able_bit": 6e14,
    "in_view_fraction": 0.08,
    "ground_delay_s": 0.0034,
    "max_ground_delay_s": 0.0049,
    "requests": 3.6e6,
    "wait_p50_s": 4.05,
    "wait_p99_s": 43.2,
    "served_tokens": 1e9,
    "tokens_per_joule": 0.01,
}
GROUND_NETWORK = {
    "name": "Two sites",
    "model": "optical",
    "sites": {
        "high_place": {"latitude_rad": 0.4, "longitude_rad": -2.7, "sources": {"default": "a map"}},
        "low_place": {"latitude_rad": -0.4, "longitude_rad": 2.3, "sources": {"default": "a map"}},
    },
}
RUN = {
    "wall_s": 2.0,
    "compile_s": 1.0,
    "satellite_steps_per_s": 1_200_000,
    "duration_s": 86400.0,
    "device": "1 x cpu (cpu)",
    "notes": ["415 element sets read; 2 dropped"],
}


def configuration(cohorts: tuple[str, ...], frames: int) -> dict[str, Any]:
    """A small resolved configuration."""
    profile = {"name": "Test <orbit>", "model": "walker", "altitude_m": 550e3, "sources": {"default": "a source"}}
    chips = {"name": "Test chip", "number_format": "bf16 dense"}
    time = {
        "start": "2026-06-14T00:00:00",
        "duration_s": frames * INTERVAL_S,
        "save_every_s": INTERVAL_S,
        "step_s": 10.0,
    }
    return {"time": time, "seed": 0, "cohorts": {name: {"orbit": profile, "accelerator": chips} for name in cohorts}}


def frames_of(satellites: int, frames: int) -> dict[str, np.ndarray]:
    """Telemetry by name, (time, satellite); the design has no battery temperature."""
    phase = 2 * np.pi * (np.arange(1, frames + 1)[:, None] * INTERVAL_S / PERIOD_S + np.arange(satellites) / satellites)
    wave = np.cos(phase)
    shapes = {"1": 0.5 + 0.5 * wave, "rad": wave, "K": 320.0 + 20 * wave, "W": 1e5 * wave, "m": 550e3 + 0 * wave}
    values = {v.name: shapes.get(v.unit, 1e16 + 0 * wave).astype(np.float32) for v in TELEMETRY}
    sites = np.broadcast_to(np.arange(satellites) % 3 - 1.0, wave.shape).astype(np.float32)
    return values | {"battery_temperature_k": np.full_like(wave, np.nan, np.float32), "ground_site": sites}


def work_of(frames: int) -> dict[str, np.ndarray]:
    """Series of a fleet: every other frame brings three times the requests, and those wait 10 s on average."""
    busy = np.arange(frames) % 2.0
    levels = {"fleet_assigned_flops": 1.2e18, "fleet_delivered_flops": 1e18, "fleet_dropped_flops": 1e17}
    levels |= {"fleet_backlog_flop": 3e19, "fleet_downlink_bit_per_s": 4e9, "fleet_data_backlog_bit": 5e12}
    levels |= {"fleet_satellites_in_contact": 1.0, "fleet_service_s": 6.0}
    each = dict.fromkeys((variable.name for variable in REQUESTS), np.zeros(frames))
    each |= {name: np.full(frames, level) for name, level in levels.items()}
    longer = busy[:, None] * np.exp(-THRESHOLDS_S / 10.0)
    return each | {"fleet_requests_per_s": 100.0 + 200.0 * busy, "share_waiting_longer": longer}


def axes_of(
    satellites: int,
    frames: int,
    cohorts: tuple[str, ...] = ("reference",),
    time: np.ndarray | None = None,
    wait_s: tuple[float, ...] = (),
) -> Axes:
    """Axes of such frames, every INTERVAL_S unless their times are given."""
    even = START + np.arange(1, frames + 1) * np.timedelta64(int(INTERVAL_S), "s")
    return Axes(
        time=even if time is None else time,
        satellite=np.arange(satellites),
        name=np.array([f"sat-{i}</script>" for i in range(satellites)], dtype=object),
        norad_id=np.zeros(satellites, np.int64),
        cohort=np.array([cohorts[i % len(cohorts)] for i in range(satellites)], dtype=object),
        node=(),
        series=bool(wait_s),
        wait_s=wait_s,
    )


def write_run(
    folder: Path,
    satellites: int = 2,
    frames: int = 60,
    cohorts: tuple[str, ...] = ("reference",),
    status: str = "finished",
    kept: Selection | None = None,
    time: np.ndarray | None = None,
    worked: bool = False,
    **numbers: Any,
) -> Path:
    """Write telemetry, config.yaml and, for a finished run, summary.json; `worked`: with work, requests and links."""
    folder.mkdir(parents=True, exist_ok=True)
    resolved = configuration(cohorts, frames) | ({"ground_network": GROUND_NETWORK} if worked else {})
    numbers = (WORKED if worked else {}) | numbers
    kept = kept or Selection(tuple(BY_NAME))
    axes = kept.axes(axes_of(satellites, frames, cohorts, time, tuple(THRESHOLDS_S) if worked else ()))
    attributes = {"summary": "", "configuration": json.dumps(resolved)}
    store = Store.create(folder / "telemetry.zarr", axes, 20, attributes)
    if frames:
        store.append(kept.pick(frames_of(satellites, frames) | (work_of(frames) if worked else {})))
        store.write()
    if status != "running":
        store.close(status)
    (folder / "config.yaml").write_text(yaml.safe_dump(resolved))
    if status == "finished":
        fleet = FLEET | numbers
        summary = {"fleet": fleet, "cohorts": dict.fromkeys(cohorts, fleet), "run": RUN}
        (folder / "summary.json").write_text(json.dumps(summary))
    return folder
