"""Radiation and failures."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import twin
from kernels import failures, orbit, radiation, registry
from kernels.constants import DAY_S, EARTH_RADIUS_M, SIDEREAL_RATE_RAD_PER_DAY, YEAR_S
from twin import ageing, programs
from twin.anchor import anchor_at
from twin.failures import fail
from validation.rows import Measured, reference_data, row

SYNCHRONOUS_RAD, INCLINED_RAD = float(np.radians(97.99)), float(np.radians(30.0))
RAD_PER_YEAR = YEAR_S / radiation.RAD_GY
# SPENVIS, 5 mm of aluminium, solar minimum, krad(Si) a year at 500 ... 2000 km: runs of their own.
ANNUAL_5_MM_KRAD = {
    SYNCHRONOUS_RAD: (0.38, 0.7, 1.79, 3.31, 7.82, 21.51),
    INCLINED_RAD: (0.18, 0.76, 3.02, 6.57, 17.49, 47.81),
}


def table_rad_per_year(altitude_m, inclination_rad, shielding_m=0.01):
    """Dose as the table states it: belts at solar minimum, solar protons in the mean."""
    field = radiation.spenvis_table(
        jnp.asarray(altitude_m), jnp.asarray(inclination_rad), shielding_m=shielding_m, dose_factor=1.0
    )
    return np.asarray(field.trapped_minimum_gy_per_s + field.solar_gy_per_s) * RAD_PER_YEAR


def nodes():
    for inclination_rad, table in (
        (INCLINED_RAD, radiation.INCLINED_30_GY_PER_S),
        (SYNCHRONOUS_RAD, radiation.SUN_SYNCHRONOUS_GY_PER_S),
    ):
        for shield, shielding_m in enumerate(radiation.SHIELDS_M):
            yield inclination_rad, float(shielding_m), table[:, shield] * RAD_PER_YEAR


@row(
    "Dose, 500-2000 km, 30 deg and SSO, 2-10 mm",
    against="nodes of the SPENVIS table, 2026 (36)",
    bound=1e-9,
    kind="definition",
)
def test_dose_table() -> float:
    return max(
        float(np.abs(table_rad_per_year(radiation.ALTITUDES_M, i, x) / dose - 1.0).max()) for i, x, dose in nodes()
    )


@row(
    "Dose a year behind 5 mm, solar minimum",
    against="SPENVIS, yearly runs of the same study, 2026 (12)",
    bound=0.06,
    kind="fit",
)
def test_dose_of_a_year() -> float:
    """The 5-year table took the worse solar phase: 5 % more than the yearly runs at the low end."""
    return max(
        float(np.abs(table_rad_per_year(radiation.ALTITUDES_M, i, 0.005) / (1e3 * np.asarray(krad)) - 1.0).max())
        for i, krad in ANNUAL_5_MM_KRAD.items()
    )


@row("Dose between the nodes of altitude", against="the table with one altitude left out, in turn", bound=0.15)
def test_dose_left_out() -> Measured:
    errors = []
    for k in range(1, len(radiation.ALTITUDES_M) - 1):
        names = ("ALTITUDES_M", "INCLINED_30_GY_PER_S", "SUN_SYNCHRONOUS_GY_PER_S")
        without = {name: np.delete(getattr(radiation, name), k, axis=0) for name in names}
        full = [(i, x, dose[k]) for i, x, dose in nodes()]
        altitude_m = radiation.ALTITUDES_M[k]
        with mock.patch.multiple(radiation, **without):
            errors += [float(table_rad_per_year(altitude_m, i, x)) / dose - 1.0 for i, x, dose in full]
    return Measured(float(np.abs(errors).max()), f"median {np.median(np.abs(errors)):.3f} over {len(errors)} nodes")


def configured(name):
    """Dose of a profile at 650 km, Sun-synchronous, mean over a solar cycle. [rad/year]"""
    model = twin.build(twin.compose("simulate", [f"radiation={name}", "constellation.satellites=1"]))
    (cohort,) = programs.prepare(model.structure, model.params, model.environment).values()
    trapped, solar = radiation.dose_rate(cohort.each.field, 0.5)
    return float((trapped + solar)[0]) * RAD_PER_YEAR


@row(
    "Dose at 650 km SSO behind 10 mm, radiation=suncatcher",
    against="Google, Project Suncatcher, arXiv:2511.19468, 2025: 150 rad a year",
    bound=1e-3,
    kind="definition",
)
def test_suncatcher_dose() -> float:
    return abs(configured("suncatcher") / 150.0 - 1.0)


@row(
    "Dose at 650 km SSO behind 10 mm, radiation=spenvis",
    against="Suncatcher (arXiv:2511.19468, 2025): 150 rad a year; a factor of 2 either way is the uncertainty of AP-8",
    unit="factor",
    bound=2.0,
)
def test_spenvis_dose_at_650_km() -> Measured:
    dose = configured("spenvis")
    table = float(table_rad_per_year(650e3, SYNCHRONOUS_RAD))
    ratio = dose / 150.0
    return Measured(
        max(ratio, 1.0 / ratio), f"{dose:.0f} rad a year; the table alone {table:.0f}, solar minimum (284 expected)"
    )


def ap8():
    """AP-8 orbit-mean flux above 50 MeV by (activity, altitude in km, inclination in degrees)."""
    data = pd.read_csv(reference_data("radiation/ae8_ap8_orbit_mean_flux.csv"))
    data = data[(data.particle == "proton") & (data.energy_gt_MeV == 50.0)]
    return data.set_index(["solar_activity", "altitude_km", "inclination_deg"]).orbit_mean_flux_cm2_s


def trapped(altitude_km, inclination_deg, phase="trapped_minimum_gy_per_s"):
    place = jnp.asarray(1e3 * altitude_km), jnp.radians(inclination_deg)
    return float(getattr(radiation.spenvis_table(*place, shielding_m=0.01, dose_factor=1.0), phase))


@row(
    "Trapped dose behind 10 mm by altitude, 400-1200 km",
    against="AP-8 MIN flux above 50 MeV, 98 deg",
    bound=0.2,
    kind="fit",
)
def test_trapped_dose_by_altitude() -> Measured:
    flux = ap8()["min"]
    heights = (400.0, 500.0, 600.0, 650.0, 800.0, 900.0, 1000.0, 1200.0)
    ours = np.array([trapped(h, 97.6) / trapped(700.0, 97.6) for h in heights])
    error = np.abs(ours / np.array([flux[h, 97.6] / flux[700.0, 97.6] for h in heights]) - 1.0)
    words = (
        "a fit in part: the dose is SPENVIS's, but its share of solar protons was chosen by this flux at 500 and 700 km"
    )
    return Measured(float(error.max()), words)


@row("Trapped dose by inclination, 45-70 deg, 500-1000 km", against="AP-8 MIN flux above 50 MeV", bound=0.27)
def test_trapped_dose_by_inclination() -> Measured:
    """Between the two tabled inclinations, with their own values taken out."""
    flux, errors = ap8()["min"], []
    for h in (500.0, 650.0, 800.0, 1000.0):
        for i in (45.0, 53.0, 70.0):
            way = np.log(trapped(h, i) / trapped(h, 30.0)) / np.log(trapped(h, 97.6) / trapped(h, 30.0))
            errors.append(flux[h, 28.5] ** (1.0 - way) * flux[h, 97.6] ** way / flux[h, i] - 1.0)
    return Measured(float(np.abs(errors).max()), f"median {np.median(np.abs(errors)):.3f}")


@row(
    "Trapped dose, solar maximum over minimum, 300-1200 km",
    against="AP-8 MAX over MIN above 50 MeV",
    bound=0.01,
    kind="definition",
)
def test_solar_maximum() -> float:
    flux = ap8()
    heights = (300.0, 400.0, 500.0, 550.0, 600.0, 650.0, 700.0, 825.0, 900.0, 1000.0, 1200.0)
    ours = [trapped(h, 97.6, "trapped_maximum_gy_per_s") / trapped(h, 97.6) for h in heights]
    theirs = [flux["max", h, 97.6] / flux["min", h, 97.6] for h in heights]
    return float(np.abs(np.array(ours) - np.array(theirs)).max())


def place(altitude_km, inclination_deg, activity=0.0):
    at = jnp.asarray(1e3 * altitude_km), jnp.radians(inclination_deg)
    shape = radiation.anomaly(*at, anomaly_fraction=1.0)
    return radiation.exposure(radiation.spenvis_table(*at, shielding_m=0.01, dose_factor=1.0), shape, activity)


def along_orbit(now, inclination_deg, angles_rad, longitudes_rad):
    """Dose rate (argument of latitude, longitude of the anomaly) on a circular orbit."""
    tilt = np.radians(inclination_deg)
    u, longitude = np.meshgrid(angles_rad, longitudes_rad, indexing="ij")
    direction = (np.cos(u), np.sin(u) * np.cos(tilt), np.sin(u) * np.sin(tilt))
    return np.asarray(radiation.dose_rate_at(now, direction, longitude))


@row(
    "Mean of the anomaly over orbit and longitudes",
    against="a sum over 2000 x 720 points",
    bound=1e-5,
    kind="definition",
)
def test_anomaly_keeps_the_mean() -> float:
    """The twin's mean has a Bessel function for the longitudes and 32 points for the orbit."""
    errors = []
    for h, i in ((400.0, 51.6), (550.0, 53.0), (650.0, 97.99), (1000.0, 30.0), (1500.0, 101.0), (600.0, 5.0)):
        now = place(h, i)
        full = along_orbit(now, i, np.linspace(0, 2 * np.pi, 2000, False), np.linspace(0, 2 * np.pi, 720, False))
        errors.append(full.mean() / float(now.mean_gy_per_s) - 1.0)
    return float(np.abs(errors).max())


@row(
    "Dose of 30 days at 650 km SSO",
    against="by hand: the orbit's mean, as the ground track covers all longitudes",
    bound=1e-3,
    kind="definition",
)
def test_dose_of_a_month() -> float:
    axis_m = EARTH_RADIUS_M + 650e3
    elements = orbit.Elements(*map(jnp.asarray, (axis_m, 0.0, SYNCHRONOUS_RAD, 1.0, 0.0, 0.0)))
    rates = orbit.secular_rates(*elements[:3])
    times = jnp.arange(0.0, 30 * DAY_S, 20.0)
    now = place(650.0, 97.99)
    turned = SIDEREAL_RATE_RAD_PER_DAY * times / DAY_S
    rate = radiation.dose_rate_at(now, orbit.place(elements, rates, times).direction, turned)
    return abs(float(jnp.mean(rate) / now.mean_gy_per_s - 1.0))


# Share of the time, per cent, that holds half of the fluence of protons above 50 MeV on a circular orbit at 98 degrees:
# map of AP-8 MIN every 4 x 5 degrees in the field of 1964 by radbelt 0.1.8 (NASA-1.3 licence), weighted by time.
AP8_HALF_PER_CENT = {500.0: 0.83, 650.0: 1.21, 800.0: 1.64, 1000.0: 2.36}


@row(
    "Time in the anomaly that holds half of the proton dose, 500-1000 km",
    against="AP-8 MIN maps",
    bound=0.2,
    kind="fit",
)
def test_time_in_the_anomaly() -> Measured:
    ours = {}
    for h in AP8_HALF_PER_CENT:
        now = place(h, 97.99)
        rate = along_orbit(now, 97.99, np.linspace(0, 2 * np.pi, 1500, False), np.linspace(0, 2 * np.pi, 360, False))
        falling = np.sort(rate.ravel())[::-1]
        ours[h] = 100.0 * float(np.searchsorted(np.cumsum(falling), 0.5 * falling.sum())) / falling.size
    errors = [ours[h] / expected - 1.0 for h, expected in AP8_HALF_PER_CENT.items()]
    return Measured(float(np.abs(errors).max()), ", ".join(f"{h:.0f} km {v:.2f} %" for h, v in ours.items()))


def shipped():
    """Numbers of the shipped reliability profile."""
    profile = twin.compose("simulate", []).cohorts[0].profiles["reliability"]
    return {name: jnp.asarray(getattr(profile, name)) for name in registry.schema("reliability", None)}


@row(
    "Upsets of a TPU v6e per year at 150 rad a year",
    against="Suncatcher (arXiv:2511.19468, 2025): "
    "silent corruption per 14.4-20 rad, memory error per 44, hang per 5000, crash per 450 and 400",
    bound=0.01,
    kind="definition",
)
def test_upsets_of_a_year() -> Measured:
    per_gy = registry.call(failures.upsets, shipped() | {"accelerators_per_host": jnp.asarray(1.0)}).per_gy
    events = {name: 1.5 * float(rate) for name, rate in per_gy.items()}
    published = {
        "silent_corruptions": 150.0 / (0.5 * (14.4 + 20.0)),
        "memory_errors": 150.0 / 44.0,
        "hangs": 150.0 / 5e3,
        "crashes": 150.0 / 450.0 + 150.0 / 400.0,
    }
    error = max(abs(events[name] / expected - 1.0) for name, expected in published.items())
    return Measured(error, ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in events.items()))


def lifetimes():
    data = pd.read_csv(reference_data("gpu_failures/titan_gpu_lifetimes.csv.gz"))
    return np.maximum(data.years.to_numpy(), 1e-4), data.dead.to_numpy(dtype=bool)


@row(
    "Wear-out, Weibull shape and scale",
    against="censored maximum likelihood, 30 207 K20X of Titan",
    bound=0.01,
    kind="fit",
)
def test_titan_fit() -> Measured:
    years, dead = lifetimes()

    def loss(logarithms):
        shape, scale, constant = np.exp(logarithms)
        hazard = constant + shape / scale * (years[dead] / scale) ** (shape - 1.0)
        return np.sum(constant * years + (years / scale) ** shape) - np.sum(np.log(hazard))

    found = minimize(loss, np.log([3.0, 6.0, 0.01]), method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-7})
    shape, scale, constant = np.exp(found.x)
    profile = shipped()
    error = max(shape / profile["wear_out_shape"] - 1, scale / profile["wear_out_scale_years"] - 1, key=abs)
    return Measured(abs(float(error)), f"shape {shape:.3f}, scale {scale:.3f} years, constant {constant:.1e} a year")


@row(
    "Survival of accelerators to five years of age",
    against="Kaplan-Meier estimate, Titan K20X",
    bound=0.05,
    target=0.03,
    reason="the data mix an old batch with a defect and a new one that hardly fails; one Weibull law fits neither year",
    kind="fit",
)
def test_titan_survival() -> Measured:
    years, dead = lifetimes()
    order = np.argsort(years)
    at_risk = years.size - np.arange(years.size)
    survival = np.cumprod(1.0 - dead[order] / at_risk)
    ages = np.arange(1.0, 6.0)
    theirs = survival[np.searchsorted(years[order], ages) - 1]
    hazard = registry.call(failures.hazard, shipped(), 3.7e-4)
    ours = np.exp(-np.asarray(failures.cumulative_hazard(hazard, jnp.asarray(ages))))
    return Measured(
        float(np.abs(ours - theirs).max()), ", ".join(f"{a:.3f}/{b:.3f}" for a, b in zip(ours, theirs, strict=True))
    )


@row(
    "Burn-in, first rate over the later one",
    against="operator of an H200 fleet, 2026: 18.6 falling to 4.2 per 1000 node-days",
    bound=0.01,
    kind="definition",
)
def test_burn_in() -> float:
    profile = shipped() | {"wear_out_scale_years": jnp.asarray(1e6)}
    new, old = failures.hazard_per_year(registry.call(failures.hazard, profile, 0.11), jnp.asarray([0.0, 2.0]))
    return abs(float(new / old) / (18.6 / 4.2) - 1.0)


@row(
    "Failures of 16 384 H100 in 54 days",
    against="Llama 3 (arXiv:2407.21783, 2024): 268 interruptions by GPU or its memory",
    bound=0.02,
    kind="definition",
)
def test_llama_rate() -> Measured:
    """The base rate alone: the cluster was past its burn-in."""
    config = twin.compose("simulate", ["accelerator=h100_sxm"])
    rate = config.cohorts[0].profiles["accelerator"].failure_rate_per_year
    profile = shipped() | {"burn_in_ratio": jnp.asarray(1.0), "wear_out_scale_years": jnp.asarray(1e6)}
    hazard = registry.call(failures.hazard, profile, rate)
    count = 16384 * float(failures.cumulative_hazard(hazard, jnp.asarray(54 / 365.25)))
    return Measured(abs(count / 268.0 - 1.0), f"{count:.0f}")


SATELLITES, DAYS = 2500, 30


@row(
    "Mean of random failures and upsets over 2500 satellites, 30 days, 8 failures per accelerator-year",
    against="failures=expected, the same fleet",
    unit="standard errors",
    bound=3.0,
    kind="definition",
)
@pytest.mark.slow
def test_random_means_are_expected() -> Measured:
    overrides = [f"constellation.satellites={SATELLITES}", "accelerator.failure_rate_per_year=8.0", "seed=1"]
    model = twin.build(twin.compose("simulate", ["failures=expected", "distributed.devices=1", *overrides]))
    tiles = programs.lay_out(model.structure, programs.prepare(model.structure, model.params, model.environment), 1)
    cohort, days = model.structure.cohorts[0], model.environment.start_days
    shared, each, first = tiles.shared[cohort.name], tiles.each[cohort.name], tiles.carry.slow[cohort.name]
    end_s = jnp.asarray(DAYS * DAY_S)
    drawn = jax.jit(fail)(shared, each, days, (jnp.asarray(0.0), end_s), first)

    state, lit = tiles.carry.state[cohort.name], {"sunlit_fraction": jnp.ones(())}  # for ageing that is not compared

    def block(slow, time_s):
        rates = ageing.slow_rates(cohort, shared, anchor_at(each, days, time_s), slow, lit, state)
        return slow._replace(**{n: getattr(slow, n) + 600.0 * rates[f"{n}_per_s"] for n in names}), None

    names = ("age_s", "accelerators_alive", *failures.UPSETS)
    expected, _ = jax.jit(lambda slow: jax.lax.scan(block, slow, jnp.arange(0.0, DAYS * DAY_S, 600.0)))(first)
    away = {}
    for name in names[1:]:
        ours, theirs = (np.asarray(getattr(s, name)).ravel()[:SATELLITES] for s in (drawn, expected))
        away[name] = abs(ours.mean() - theirs.mean()) / (ours.std() / np.sqrt(SATELLITES))
    return Measured(max(away.values()), ", ".join(f"{n.replace('_', ' ')} {v:.1f}" for n, v in away.items()))
