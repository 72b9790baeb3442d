"""Solar array."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from omegaconf import OmegaConf

import twin
from kernels import cell_damage, registry, solar_cell, sunlight
from kernels.constants import ASTRONOMICAL_UNIT_M, EARTH_GRAVITY_M3_PER_S2, YEAR_S
from twin.ageing import condition
from twin.anchor import anchor_at
from twin.exchange import Inputs
from twin.inputs import particle_fluence
from twin.prepare import prepare
from twin.step import step
from validation.rows import Measured, needs, reference_data, row

CONF = Path(__file__).resolve().parents[2] / "conf" / "solar_cell"
# Printed power [W/m2] by 1 MeV electron fluence [1/cm2]: makers' sheets, transcribed in the SPACELL-DT database, 2026.
POWER = {
    "azur_3g30c": {0: 403.0, 2.5e14: 391.0, 5e14: 379.8, 1e15: 362.1},
    "azur_4g32c_advanced": {0: 434.5, 5e14: 406.4, 1e15: 392.2, 3e15: 352.5, 1e16: 274.4},
    "azur_s32_silicon": {0: 229.2, 3e14: 183.5, 1e15: 171.3, 3e15: 144.4},
    "xte_sf": {0: 433.4, 1e14: 402.9, 5e14: 386.4, 1e15: 377.6, 1e16: 312.0},
    "xtj_prime": {0: 415.9, 5e14: 374.6, 1e15: 362.7, 3e15: 332.3, 1e16: 293.5},
    "solaero_ztj": {0: 397.6, 3e13: 385.8, 1e14: 381.8, 5e14: 355.0, 1e15: 340.2, 3e15: 297.5, 1e16: 244.3},
}
# Change of that power per kelvin [%], from the sheets' coefficients of voltage and current at those fluences.
COEFFICIENT = {
    "azur_3g30c": {0: -0.2303, 2.5e14: -0.2502, 5e14: -0.2621, 1e15: -0.2630},
    "azur_4g32c_advanced": {0: -0.2774, 5e14: -0.2977, 1e15: -0.3057, 3e15: -0.2835, 1e16: -0.2364},
    "azur_s32_silicon": {0: -0.3091, 3e14: -0.3511, 1e15: -0.3266, 3e15: -0.3382},
    "xte_sf": {0: -0.2097, 1e14: -0.2434, 1e15: -0.2606, 1e16: -0.2793},
    "xtj_prime": {5e14: -0.2473, 1e15: -0.2499, 3e15: -0.2564, 1e16: -0.2722},
    "solaero_ztj": {0: -0.2228, 1e14: -0.2437, 1e15: -0.2646, 1e16: -0.2202},
}
# Efficiency [%] and the irradiance [W/m2] to which the sheet refers it.
EFFICIENCY = {
    "azur_3g30c": (29.5, 1367.0),
    "azur_4g32c_advanced": (31.8, 1367.0),
    "xte_sf": (32.2, 1353.0),
    "xtj_prime": (30.7, 1353.0),
    "solaero_ztj": (29.5, 1353.0),
}
# Trapped particles, GaAs, 76 um of glass, solar minimum, Sun-synchronous: 1 MeV electrons per cm2 and year.
PER_YEAR = {550: 2.1e12, 650: 3.6e12, 1000: 1.5e13}
SOLAR_PER_YEAR = 8e12  # solar protons at 825 km, 95 %, in active years
GLASS_M = 76e-6


def sheet(name: str) -> dict:
    return dict(OmegaConf.load(CONF / f"{name}.yaml"))  # type: ignore[arg-type]


def aged(cell: dict, fluence_per_cm2: float) -> solar_cell.Cell:
    return registry.call(registry.models("solar_cell")[cell["model"]], cell, jnp.asarray(1e4 * fluence_per_cm2))


def power(cell: dict, fluence_per_cm2: float, temperature_k: float, irradiance_w_per_m2: float) -> jax.Array:
    return solar_cell.maximum_power_w_per_m2(aged(cell, fluence_per_cm2), temperature_k, irradiance_w_per_m2)


def at_reference(cell: dict) -> tuple[float, float]:
    return cell["reference_temperature_k"], cell["reference_irradiance_w_per_m2"]


def worst(errors: dict[str, float]) -> Measured:
    name = max(errors, key=lambda key: errors[key])
    return Measured(errors[name], f"{len(errors)} values; largest: {name}.")


@row(
    "Maximum power, all fluences printed, six cells",
    against="makers' data sheets",
    bound=1.0,
    unit="%",
    kind="definition",
)
def test_power_at_printed_fluences() -> Measured:
    return worst(
        {
            f"{name} at {fluence:g} /cm2": 100.0 * abs(float(power(cell, fluence, *at_reference(cell))) / printed - 1.0)
            for name, points in POWER.items()
            for cell in [sheet(name)]
            for fluence, printed in points.items()
        }
    )


@row(
    "Temperature coefficient of power, all fluences printed",
    against="makers' data sheets",
    bound=1.0,
    unit="%",
    kind="definition",
)
def test_temperature_coefficient() -> Measured:
    errors = {}
    for name, points in COEFFICIENT.items():
        cell = sheet(name)
        at_k, sun = at_reference(cell)
        for fluence, printed in points.items():
            slope = jax.grad(lambda t, f=fluence, c=cell, g=sun: power(c, f, t, g))(at_k)
            ours = 100.0 * float(slope / power(cell, fluence, at_k, sun))
            errors[f"{name} at {fluence:g} /cm2"] = 100.0 * abs(ours / printed - 1.0)
    return worst(errors)


@row(
    "Efficiency at the sheet's own irradiance, five cells",
    against="makers' data sheets",
    bound=1.0,
    unit="%",
    kind="definition",
)
def test_efficiency() -> Measured:
    errors = {}
    for name, (printed, irradiance) in EFFICIENCY.items():
        cell = sheet(name)
        ours = 100.0 * float(power(cell, 0.0, cell["reference_temperature_k"], irradiance)) / irradiance
        errors[name] = 100.0 * abs(ours / printed - 1.0)
    return worst(errors)


@row(
    "Largest power of the current-voltage curve, six cells",
    against="makers' data sheets: voltage times current printed",
    bound=0.01,
    unit="%",
    kind="definition",
)
def test_curve_maximum() -> Measured:
    errors = {}
    for name, points in POWER.items():
        for fluence in points:
            printed = aged(sheet(name), fluence).reference
            voltage = jnp.linspace(0.0, printed.open_circuit_voltage_v, 20001)
            largest = float((voltage * solar_cell.current_a_per_m2(printed, voltage)).max())
            product = float(printed.max_power_voltage_v * printed.max_power_current_a_per_m2)
            errors[f"{name} at {fluence:g} /cm2"] = 100.0 * abs(largest / product - 1.0)
    return worst(errors)


@row(
    "Power between printed fluences: each inner point from its neighbours",
    against="makers' data sheets",
    bound=5.5,
    unit="%",
    target=1.0,
    reason="a decade apart, with the knee of the current between; the shipped tables keep every printed point.",
)
def test_power_between_printed_fluences() -> Measured:
    columns = ("fluence_points_per_m2", "open_circuit_voltage_v", "max_power_voltage_v")
    columns += ("short_circuit_current_a_per_m2", "max_power_current_a_per_m2")
    errors = {}
    for name, points in POWER.items():
        cell = sheet(name)
        for left_out, (fluence, printed) in list(enumerate(points.items()))[1:-1]:
            fewer = cell | {key: [v for k, v in enumerate(cell[key]) if k != left_out] for key in columns}
            ours = float(power(fewer, fluence, *at_reference(cell)))
            errors[f"{name} at {fluence:g} /cm2"] = 100.0 * abs(ours / printed - 1.0)
    return worst(errors)


def table(material: str = "gallium_arsenide") -> cell_damage.FluenceTable:
    return cell_damage.FluenceTable(**particle_fluence.read(material))


def per_year(altitude_km: float, inclination_deg: float, solar: float = 0.0) -> tuple[float, float]:
    """Fluence per cm2 and year at solar minimum and maximum, behind 76 um of glass, the rear shielded."""
    place = jnp.asarray([altitude_km * 1e3]), jnp.radians(jnp.asarray([inclination_deg]))
    rate = cell_damage.fluence_rate(table(), *place, GLASS_M, 1000.0, solar)
    return tuple(float(r[0]) * YEAR_S / 1e4 for r in rate)  # type: ignore[return-value]


@row(
    "Fluence per year at 550, 650, 1000 km, trapped particles",
    against="by hand: AE-8 and AP-8 at six energies, folded with JPL 96-9",
    bound=15.0,
    unit="%",
    target=10.0,
    reason="the derived figures fold six energies; at those alone ours is 8 % lower than at its 23.",
)
def test_trapped_fluence() -> Measured:
    errors, words = [], []
    for altitude_km, expected in PER_YEAR.items():
        quiet, active = per_year(altitude_km, 98.0)
        errors.append(100.0 * abs(quiet / expected - 1.0))
        words.append(f"{altitude_km} km {quiet:.3g} (solar maximum {active:.2g})")
    return Measured(max(errors), "1 MeV electrons/cm2: " + ", ".join(words) + ".")


@row(
    "Fluence of solar protons, 825 km, 98.8 deg, 95 %",
    against="SPENVIS ESP-PSYCHIC, JPL 96-9",
    bound=10.0,
    unit="%",
    kind="fit",
)
def test_solar_proton_fluence() -> Measured:
    with_protons, without = per_year(825.0, 98.8, 1.0)[1], per_year(825.0, 98.8)[1]
    per_active_year = (with_protons - without) * 0.5 * 11.0 / 7.0  # seven active years carry a cycle's fluence
    low = per_year(550.0, 53.0, 1.0)[1] - per_year(550.0, 53.0)[1]
    return Measured(
        100.0 * abs(per_active_year / SOLAR_PER_YEAR - 1.0),
        f"{per_active_year:.3g} per cm2 and active year; {low:.2g} at 550 km, 53 deg.",
    )


@row(
    "Fluence of trapped particles, 825 km, 98.8 deg",
    against="SPENVIS spectra (AP-8 min, AE-8 max)",
    bound=15.0,
    unit="%",
)
def test_trapped_fluence_against_spenvis() -> Measured:
    spectra = np.genfromtxt(
        reference_data("radiation/spenvis_825km_98p8deg_trapped.csv"),
        delimiter=",", names=True, dtype=None, encoding="utf-8",
    )  # fmt: skip
    factors = np.genfromtxt(
        reference_data("radiation/solar_cell_relative_damage_coefficients.csv"),
        delimiter=",", names=True, dtype=None, encoding="utf-8",
    )  # fmt: skip
    place = jnp.asarray([825e3]), jnp.radians(jnp.asarray([98.8]))
    none = jnp.zeros_like(table().electron_per_m2_s)
    errors, words = [], []
    for particle, model, state, parameter in (
        ("proton", "proton_AP8MIN", 0, "Pmax_Voc"),
        ("electron", "electron_AE8MAX", 1, "all"),
    ):
        own = factors[
            (factors["cell"] == "GaAs/Ge")
            & (factors["particle"] == particle)
            & (factors["parameter"] == parameter)
            & (factors["coverglass_mil"] == "3")
        ]
        flux = spectra[spectra["species_model"] == model]
        energy, above = (
            flux["energy_MeV"][flux["avg_flux_cm2_s"] > 0],
            flux["avg_flux_cm2_s"][flux["avg_flux_cm2_s"] > 0],
        )
        fine = np.geomspace(energy[0], energy[-1], 4000)
        between = -np.diff(np.exp(np.interp(np.log(fine), np.log(energy), np.log(above))))
        expected = (between * np.interp(np.sqrt(fine[1:] * fine[:-1]), own["energy_MeV"], own["relative_damage"])).sum()
        alone = table()._replace(
            **{f"{other}_per_m2_s": none for other in ("electron", "proton", "solar_proton") if other != particle}
        )
        ours = float(cell_damage.fluence_rate(alone, *place, GLASS_M, 1.0, 0.0)[state][0]) / 1e4
        errors.append(100.0 * abs(ours / expected - 1.0))
        words.append(f"{particle}s {ours:.3g} against {expected:.3g} per cm2 and s")
    return Measured(max(errors), ", ".join(words) + ".")


@row(
    "Electrons that age GaAs as one proton of 9.5 MeV",
    against="curves of Anspaugh 1991, at 75 % of power",
    bound=5.0,
    unit="%",
)
def test_proton_to_electron_ratio() -> Measured:
    curves = np.genfromtxt(
        reference_data("radiation/gaas_ge_degradation_curves_anspaugh1991.csv"),
        delimiter=",", names=True, dtype=None, encoding="utf-8",
    )  # fmt: skip

    def fluence(particle: str, energy_mev: float) -> float:
        own = curves[
            (curves["parameter"] == "Pmax") & (curves["particle"] == particle) & (curves["energy_MeV"] == energy_mev)
        ]
        return float(np.exp(np.interp(-0.75, -own["remaining_factor"], np.log(own["fluence_cm2"]))))

    found = fluence("electron", 1.0) / fluence("proton", 9.5)
    return Measured(100.0 * abs(sheet("xtj_prime")["proton_to_electron_ratio"] / found - 1.0), f"{found:.0f} found.")


@row(
    "Power lost in a year at 550, 650, 1000 km, all cells with a sheet",
    against="the fluences of the row above through each sheet",
    bound=0.1,
    unit="% of power",
)
def test_loss_per_year() -> Measured:
    """Trapped particles, 76 um, solar minimum: the fluence of the table against the published one, as lost power."""
    errors, words = [], []
    for name in POWER:
        cell = sheet(name)
        material = cell["damage_material"]
        lost = []
        for altitude_km, expected in PER_YEAR.items():
            place = jnp.asarray([altitude_km * 1e3]), jnp.radians(jnp.asarray([98.0]))
            ratio = cell["proton_to_electron_ratio"]
            rate = cell_damage.fluence_rate(table(material), *place, GLASS_M, ratio, 0.0).quiet_per_m2_s[0]
            fluence = float(rate) * YEAR_S / 1e4
            fresh = float(power(cell, 0.0, *at_reference(cell)))
            lost.append(100.0 * (1.0 - float(power(cell, fluence, *at_reference(cell))) / fresh))
            if material == "gallium_arsenide":
                errors.append(abs(lost[-1] - 100.0 * (1.0 - float(power(cell, expected, *at_reference(cell))) / fresh)))
        words.append(f"{name} " + "/".join(f"{value:.2f}" for value in lost))
    return Measured(max(errors), "Lost in the first year [%]: " + ", ".join(words) + ".")


BASILISK = [
    "constellation=walker_delta",
    "constellation.satellites=1",
    "constellation.planes=1",
    "orbit=mid_inclination_550",
    "orbit.node_rad=1.2",
    "attitude=sun_pointing_inertial",
    "attitude.pointing_error_rad=0",
    "environment.albedo=0",
    "environment.earth_flattening=0",
    "solar_cell=cigs_foil",
    "solar_cell.power_coefficient_per_k=0",
    "array.initial_health=1",
    "array.current_spread=0",
    "power_bus.array_converter_efficiency=1",
    "power_bus.load_converter_efficiency=1",
    "power_bus.charge_converter_efficiency=1",
    "power_bus.discharge_converter_efficiency=1",
    "battery.initial_state_of_charge=0.7",
    "precision=float64",
    "distributed.devices=1",
]


def twin_orbit() -> dict[str, np.ndarray]:
    """Powers at every step of one Keplerian orbit of the whole step, array and battery at their terminals."""
    model = twin.build(twin.compose("simulate", BASILISK))
    cohort = model.structure.cohorts[0]
    made = prepare(model.structure, model.params, model.environment)[cohort.name]
    axis = made.each.elements.semi_major_axis_m
    motion = jnp.sqrt(EARTH_GRAVITY_M3_PER_S2 / axis**3)
    kepler = made.each.rates._replace(
        node_rad_per_s=0.0 * motion, argument_of_perigee_rad_per_s=0.0 * motion, mean_anomaly_rad_per_s=motion
    )
    anchor = anchor_at(made.each._replace(rates=kepler), model.environment.start_days, jnp.asarray(0.0))
    now = condition(cohort, made.shared, made.slow)
    asked = 0.3 * made.shared.nominal_flops * made.slow.accelerators_alive
    step_s = model.structure.schedule.step_s
    steps = math.ceil(float(2.0 * jnp.pi / motion[0]) / step_s)

    def advance(state, number):
        state, out = step(
            cohort, made.shared, anchor, Inputs(asked, asked, jnp.ones(1), asked), state, now, step_s * number, step_s
        )
        available = out["array_power_w"] + out["curtailed_power_w"]
        return state, (available[0], out["load_power_w"][0], out["battery_power_w"][0], out["array_power_w"][0])

    _, powers = jax.jit(lambda s: jax.lax.scan(advance, s, jnp.arange(float(steps))))(made.state)
    area_m2 = float(made.shared.panel.electric_area_m2 * now.array_yield[0])
    sun = sunlight.sun(anchor.sun, 0.5 * steps * step_s)
    found = dict(zip(("available", "load", "battery", "drawn"), map(np.asarray, powers), strict=True))
    numbers = {
        "step_s": step_s,
        "efficient_m2": area_m2 * sheet("cigs_foil")["efficiency_bol"],
        "sun_m": np.array([float(part) for part in sun.direction]) * float(sun.distance_au) * ASTRONOMICAL_UNIT_M,
        "elements": np.array([float(np.squeeze(leaf)) for leaf in anchor.elements]),
        "irradiance": float(model.params[cohort.name]["environment"]["solar_irradiance_w_per_m2"]),
    }
    return found | numbers


def basilisk_orbit(ours: dict) -> tuple[np.ndarray, np.ndarray]:
    """Mean panel power of each of our steps, and stored energy at its end, from Basilisk's panel, eclipse and battery.

    The panel is fixed on the Sun of the middle of the orbit; the battery feeds the loads of our steps.
    """
    from Basilisk.architecture import astroConstants, messaging
    from Basilisk.simulation import eclipse, simpleBattery, simplePowerSink, simpleSolarPanel, spacecraft
    from Basilisk.utilities import SimulationBaseClass, macros, orbitalMotion, simIncludeGravBody

    simulation = SimulationBaseClass.SimBaseClass()
    process = simulation.CreateNewProcess("process")
    process.addTask(simulation.CreateNewTask("task", macros.sec2nano(1.0)))
    bodies = []
    for name, position in (("sun", ours["sun_m"]), ("earth", np.zeros(3))):
        payload = messaging.SpicePlanetStateMsgPayload()
        payload.PlanetName, payload.PositionVector = name, position.tolist()
        payload.J20002Pfix = np.identity(3).tolist()
        bodies.append(messaging.SpicePlanetStateMsg().write(payload))
    gravity = simIncludeGravBody.gravBodyFactory()
    earth = gravity.createEarth()
    earth.isCentralBody = True
    axis, eccentricity, inclination, node, perigee, anomaly = ours["elements"]
    orbit = orbitalMotion.ClassicElements()
    orbit.a, orbit.e, orbit.i, orbit.Omega, orbit.omega, orbit.f = axis, 0.0, inclination, node, perigee, anomaly  # type: ignore[assignment]
    craft = spacecraft.Spacecraft()
    craft.hub.r_CN_NInit, craft.hub.v_CN_NInit = orbitalMotion.elem2rv(earth.mu, orbit)
    craft.gravField.gravBodies = spacecraft.GravBodyVector(list(gravity.gravBodies.values()))
    shadow = eclipse.Eclipse()
    shadow.addPlanetToModel(bodies[1])
    shadow.sunInMsg.subscribeTo(bodies[0])
    shadow.addSpacecraftToModel(craft.scStateOutMsg)
    panel = simpleSolarPanel.SimpleSolarPanel()
    panel.stateInMsg.subscribeTo(craft.scStateOutMsg)
    panel.sunEclipseInMsg.subscribeTo(shadow.eclipseOutMsgs[0])
    panel.sunInMsg.subscribeTo(bodies[0])
    towards = ours["sun_m"] / np.linalg.norm(ours["sun_m"])
    ratio = ours["irradiance"] / astroConstants.SOLAR_FLUX_EARTH  # its solar constant is another one
    panel.setPanelParameters(towards.tolist(), ours["efficient_m2"], ratio)
    sink = simplePowerSink.SimplePowerSink()
    battery = simpleBattery.SimpleBattery()
    battery.storageCapacity, battery.storedCharge_Init = 1e12, 5e11
    battery.addPowerNodeToModel(panel.nodePowerOutMsg)
    battery.addPowerNodeToModel(sink.nodePowerOutMsg)
    log = panel.nodePowerOutMsg.recorder()
    for module, priority in ((craft, 100), (shadow, 50), (panel, 40), (sink, 40), (battery, 30), (log, 1)):
        simulation.AddModelToTask("task", module, priority)
    simulation.InitializeSimulation()
    stored, step_s = [], ours["step_s"]
    for number, load in enumerate(ours["available"] - ours["drawn"] + ours["load"], start=1):
        sink.nodePowerOut = -float(load)
        simulation.ConfigureStopTime(macros.sec2nano(number * step_s))
        simulation.ExecuteSimulation()
        stored.append(battery.batPowerOutMsg.read().storageLevel - 5e11)
    power = np.asarray(log.netPower)
    means = 0.5 * (power[:-1] + power[1:])
    assert eccentricity < 1e-9
    return means.reshape(len(stored), -1).mean(axis=1), np.array(stored)


@row(
    "Panel and battery on the same orbit, one eclipse",
    against="Basilisk: eclipse, simpleSolarPanel, simpleBattery",
    bound=0.2,
    unit="%",
)
def test_panel_and_battery() -> Measured:
    needs("Basilisk")
    ours = twin_orbit()
    panel, stored = basilisk_orbit(ours)
    energy = 100.0 * abs(ours["available"].sum() / panel.sum() - 1.0)
    dark_s = [ours["step_s"] * (1.0 - p / p.max()).sum() for p in (ours["available"], panel)]
    charge = np.cumsum(ours["battery"]) * ours["step_s"]
    apart = 100.0 * np.abs(charge - stored).max() / np.ptp(stored)
    return Measured(
        max(energy, apart),
        f"Energy of the panel {energy:.3f} %, charge of the battery {apart:.3f} % of its swing of "
        f"{np.ptp(stored) / 3.6e6:.1f} kWh; darkness {dark_s[0]:.1f} against {dark_s[1]:.1f} s.",
    )
