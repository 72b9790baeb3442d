"""A problem of design from the configuration: what it becomes, and the one sentence where it is refused."""

import signal
import sys
from collections import defaultdict
from typing import Any

import jax
import pytest

import twin
from kernels import registry
from twin import composing
from twin.design import measures, money
from twin.design.problem import Row
from twin.design.setup import Setup, build_setup
from twin.model import numbers_of
from twin.optimize_cli import optimize_main
from twin.refusal import ConfigError

COUNT = "design.variables.accelerator.count"
WINTER = '+design.scenarios.winter=["time.start=2026-12-21T00:00:00","environment=hot"]'


def setup(*overrides: str) -> Setup:
    return build_setup(twin.compose_design(overrides))


def test_variables_are_where_the_hardware_has_them() -> None:
    built = setup("satellite=spacex_ai1_like", "design.variables.array.area_m2.low=300", "~design.variables.battery")
    paths = {variable.path: variable for variable in built.problem.variables}
    assert paths["array.area_m2"].first == 600.0 and paths["array.area_m2"].low == 300.0
    assert paths["array.area_m2"].unit == "m2" and "battery.energy_j" not in paths
    count = paths["accelerator.count"]
    assert count.integer and "coolant_loop.mass_flow_kg_per_s" in count.scales


def test_relative_bounds_are_multiples_of_the_value_before() -> None:
    built = setup("+design.variables.satellite.bus_mass_kg={low: 0.5, high: 1.5, relative: true}")
    (found,) = (v for v in built.problem.variables if v.path == "satellite.bus_mass_kg")
    assert (found.low, found.high) == (0.5 * found.first, 1.5 * found.first)


def test_a_curve_is_as_many_variables_as_it_has_values() -> None:
    built = setup("+design.variables.solar_cell.max_power_voltage_v={low: 1.5, high: 3.0}")
    sheet = twin.compose_design([]).scenarios["longest_eclipse"].fleet.cohorts[0].profiles["solar_cell"]
    own = [v for v in built.problem.variables if v.path.startswith("solar_cell.")]
    assert [v.first for v in own] == sheet.max_power_voltage_v
    assert [v.path for v in own] == [f"solar_cell.max_power_voltage_v.{k}" for k in range(len(own))]


def test_every_scenario_has_its_limits_and_rows() -> None:
    built = setup(
        WINTER, "+design.limits.memory={measure: memory_temperature_upper_margin_k, least: 2, scenarios: [winter]}"
    )
    problem = built.problem
    assert problem.scenarios[-1] == "winter"
    assert {limit.row.scenario for limit in problem.limits if limit.name == "dies"} == set(problem.scenarios)
    (memory,) = (limit for limit in problem.limits if limit.name == "memory")
    assert memory.row == Row("memory_temperature_upper_margin_k", "winter") and memory.bound == 2.0
    assert {Row("mass_kg", name) for name in problem.scenarios} <= set(problem.rows)
    starts = [float(environment.start_days) for environment in built.environments]
    assert starts[-1] - starts[0] == 183.0


def test_a_weighted_sum_has_no_unit_and_may_be_of_one_scenario() -> None:
    built = setup(WINTER, "design.objective={minimize: {mass_kg: 1.0, cost_usd: 1e-3}, over: winter}")
    assert built.problem.objective.terms == (("mass_kg", 1.0), ("cost_usd", 1e-3))
    assert built.problem.objective.over == "winter" and built.problem.objective.unit == ""
    assert setup().problem.objective.unit == "kg"


ENDINGS = {
    "K": "_k",
    "kg": "_kg",
    "W": "_w",
    "J": "_j",
    "m2": "_m2",
    "flop/s": "_flops",
    "bit": "_bit",
    "bit/s": "_bit_per_s",
    "per_year": "_per_year",
}


def test_every_measure_has_a_meaning_and_a_name_that_ends_in_its_unit() -> None:
    for name, measure in measures.MEASURES.items():
        assert measure.name == name and measure.meaning
        assert name.endswith(ENDINGS.get(measure.unit, "")), name


SCALES = {"usd_per_pflop_day": (40.0, 40.0), "cost_usd": (0.0, 1e5), "shed_energy_j": (0.0, 1e8), "mass_kg": (9e3, 9e3)}


@pytest.mark.parametrize("name", SCALES)
def test_distances_to_a_bound_are_counted_in_what_is_typical(name: str) -> None:
    bound, scale = SCALES[name]
    assert measures.scale(measures.MEASURES[name], bound) == scale


SATELLITE = {
    "parts_kg": defaultdict(lambda: 100.0), "mass_kg": 9e3, "altitude_m": 6e5, "inclination_rad": 1.7,
    "array_power_w": 1e5, "array_area_m2": 500.0, "battery_energy_j": 1e8, "radiator_area_m2": 100.0,
    "accelerators": 100.0, "nominal_power_w": 1e5,
}  # fmt: skip


@pytest.mark.parametrize("launcher", ["starship_bottom_up", "starship_learning"])
def test_numbers_of_money_that_may_vary_are_those_that_costs_depend_on(launcher: str) -> None:
    """Each is moved: where volume fills a launch, where mass does, and where pads and floor hold cadence and price."""
    scenario = twin.compose_design([f"launch={launcher}"]).scenarios["longest_eclipse"]
    model = scenario.money["launch"].model
    costs = jax.jit(lambda profiles: money.costs(SATELLITE, model, profiles))
    dense: dict[str, Any] = {slot: dict(numbers_of(slot, own)) for slot, own in scenario.money.items()}
    dense["deployment"]["stowed_density_kg_per_m3"] = 1e9
    bulky = dense | {"deployment": dense["deployment"] | {"stowed_density_kg_per_m3": 1.0}}
    held = dense | {"launch": dense["launch"] | {"pads": 1e-3, "floor_price_usd_per_kg": 1e9}}
    bases = [(base, costs(base)) for base in (bulky, dense, held)]

    def depends(slot: str, key: str) -> bool:
        def moved(base: dict[str, Any]) -> dict[str, Any]:
            return base | {slot: base[slot] | {key: 1.01 * base[slot][key] + 1e-6}}

        return any(costs(moved(base)) != before for base, before in bases)

    for slot, read in money.read(model).items():
        keys = registry.schema(slot, model if slot == "launch" else None)
        assert read == {key for key in keys if depends(slot, key)}


SMALL = '["battery.energy_j=2e8"]'
REFUSED = {
    "+design.variables.array.aera_m2={low: 1, high: 2}": r"aera_m2: no number .* \(did you mean 'array.area_m2'\?\)",
    "design.variables.array.area_m2.low=1000": r"array.area_m2.high = 900.0: must be at least low = 1000",
    "design.variables.array.area_m2.low=900": r"low = 900 must be below high = 900",
    "design.variables.array.area_m2.low=-5": r"array.area_m2.low = -5: must be above 0 m2",
    f"{COUNT}.high=100.5": r"accelerator.count.high = 100.5: must be a whole number",
    f"{COUNT}.scales=[array.area_m2]": r"array.area_m2 is varied or scaled twice",
    "+design.variables.accelerator.power_cap_w={low: 10, high: 900}": r"power_cap_w = 10: must be above idle",
    "+design.variables.solar_cell.max_power_voltage_v.99={low: 1, high: 2}": r"has the values 0 to \d",
    "design.sensitivities=[array.aera_m2]": r"design.sensitivities: array.aera_m2: no number that a design can vary",
    "design.sensitivities=[array.area_m2]": r"array.area_m2 is a variable, whose elasticity is told anyway; leave it",
    "design.sensitivities=[deployment.loss_per_year]": r"deployment.loss_per_year: no number that a design can vary",
    "deployment.mass_scale=1.2": r"deployment.mass_scale = 1.2: must be 1: designs are judged by what the twin finds",
    "design.variables=null": r"design.variables = None: must be a group of keys, not a single value",
    "design.objective.minimize=mas_kg": r"no such measure \(did you mean 'mass_kg'\?\)",
    "design.objective.maximize=mass_kg": r"either minimize or maximize",
    "design.limits.power.least=inf": r"design.limits.power.least = inf: must be a finite number",
    "design.limits.power.least=nan": r"design.limits.power.least = nan: must be a finite number",
    "+design.scenarios.worst=[]": r"worst cannot be the name of a scenario: it means the worst of them",
    "+design.variables.workload.load_floor={low: 0.5, high: 2, relative: true}": r"multiples of .* = 0 leave no room",
    "design.objective.over=best": r"design.objective.over = 'best': must be one of mean, worst",
    "+design.limits.x={measure: mass_kg}": r"must have either least or most for mass_kg",
    "+design.limits.x={measure: vapour_quality_upper_margin, least: 0}": r"the coolant does not boil",
    "+design.limits.x={measure: mass_kg, most: 1, scenarios: [winter]}": r"x.scenarios = 'winter': must be one of",
    '+design.scenarios.b=["thermal_network=station_loop"]': r"scenarios.b: another model, network or duration",
    '+design.scenarios.b=["battery.energy_j=1e8"]': r"scenarios.b: sets battery.energy_j, which is a variable",
    '+design.scenarios.b=["coolant_loop.fluid_mass_kg=1"]': r"b: sets coolant_loop.fluid_mass_kg, which goes with ",
    f"design.scenarios={{longest_eclipse: {SMALL}, perihelion: {SMALL}}}": r"longest_eclipse: sets battery.energy_j",
    '+design.scenarios.b=["time.strat=1"]': r"scenarios.b: time.strat: unknown key \(did you mean 'time.start'\?\)",
    '+design.scenarios.b=["design.orbits=2"]': r"scenarios.b: design belongs to the whole problem",
    "design.scenarios={3: []}": r"design.scenarios.3: unknown key.* takes a \+ in front",
    "design.scenarios=[]": r"'design.scenarios=\[\]': must be a group of keys, such as",
    "+design.limits.dies.laest=3": r"design.limits.dies.laest = 3: unknown key \(did you mean 'least'\?\)",
    "+design.limits.dies.scenarios=[perihelion,perihelion]": r"must name each of its scenarios once",
    "design.variables.array.area_m2.high=inf": r"design.variables.array.area_m2.high = inf: must be a finite number",
    "design.variables.array.area_m2=3": r"design.variables.array.area_m2 = 3: must be a group of keys",
    "design.objective.minimize=[mass_kg]": r"minimize = \['mass_kg'\]: must be a measure, or weights of several",
    "design.objective.minimize={mass_kg: nan}": r"design.objective.minimize.mass_kg = nan: must be a finite number",
    "design.objective.minimize={mass_kg: 0}": r"must name at least one measure, with a weight other than 0",
    "design.pareto={measure: mass_kg, kind: most, points: 3}": r"pareto.measure = 'mass_kg': is the objective; must be",
    "design.solver.method=newton": r"design.solver.method = 'newton'",
    "constellation.satellites=4": r"constellation.satellites = 4: must be 1",
    "precision=float32": r"float32.*must be float64",
    "servicing=visits": r"servicing.model = 'planned': must be none",
    "operations=safe_mode": r"operations.payload_off_for_s = 17700: must be 0",
    "failures=random": r"failures = 'random': must be none or expected",
}


# The same sentence at another key or number.
ALIKE = (
    "design.variables.array.area_m2.high=inf",
    "design.limits.power.least=nan",
    "design.objective.minimize={mass_kg: nan}",
    "design.sensitivities=[deployment.loss_per_year]",
)


@pytest.mark.parametrize("override", [pytest.param(o, marks=pytest.mark.slow) if o in ALIKE else o for o in REFUSED])
def test_what_is_wrong_is_said_in_one_sentence(override: str) -> None:
    fewer = [] if "scenarios" in override else ["~design.scenarios.perihelion"]
    with pytest.raises(ConfigError, match=REFUSED[override]) as refusal:
        setup(override, *fewer)
    assert "\n" not in str(refusal.value)


def test_command_line_refuses_with_code_2_and_writes_nothing(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["optimize.py", "design.objective.minimize=mas_kg"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        optimize_main()
    assert ended.value.code == 2 and not list(tmp_path.iterdir())
    error = capsys.readouterr().err
    assert error.startswith("error: design.objective.minimize = 'mas_kg'") and error.count("\n") == 1


PROFILES = {
    "3": r"design=odd .*: a profile must be a group of keys, and is not",
    "defaults: [odd, _self_]": r"design=odd .*: a profile begins from itself",
    "defaults: [reference, _self_]\nscenarios: {'': []}": r"'' cannot be the name of a scenario: must be something",
    "defaults: [reference, _self_]\nscenarios: {null: []}": r"Incompatible key type 'NoneType' full_key: scenarios",
    "defaults: [reference, _self_]\nvariables: {array.area_m2: {low: 3, high: 9}}": r"array.area_m2 is given twice",
    "defaults: [reference, _self_]\nvariables: {solar_cell.max_power_voltage_v.03: {low: 1, high: 3}}": r"values 0 to",
    "defaults: [reference, _self_]\nvariables: {launch: {pads: {}}}": r"design.variables.launch.pads.low: missing",
}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_of_ones_own_is_refused_in_one_sentence(tmp_path, profile: str) -> None:
    (tmp_path / "it's = mine/design").mkdir(parents=True)
    (tmp_path / "it's = mine/design/odd.yaml").write_text(profile)
    with pytest.raises(ConfigError, match=PROFILES[profile]) as refusal:
        found_in = composing.check_config_dir(str(tmp_path / "it's = mine"))
        build_setup(composing.load_design(["design=odd", *found_in])[0])
    assert "\n" not in str(refusal.value)
