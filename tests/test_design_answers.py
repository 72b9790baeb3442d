"""What a design leaves: a satellite that simulates as it was designed, its tables, the terminal and the page."""

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_design as synthetic
import yaml
from test_deployment_report import figures_of, numbers

from twin import composing
from twin.cli import simulate_main
from twin.config import ConfigError
from twin.design import folder as design_folder
from twin.design import satellite
from twin.reporting import amounts, console, design_console, design_facts, design_figures, design_report
from twin.reporting import page as page_parts

ALWAYS = {"before_after", "margins", "prices", "starts"}
DRAWN = {"pareto", "elasticities"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has all there can be."""
    run = tmp_path_factory.mktemp("design") / "run"
    return synthetic.write(run, pareto=synthetic.pareto(), elasticities=synthetic.elasticities())


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return design_report.write(folder).read_text(encoding="utf-8")


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A copy of it that may be spoilt."""
    return Path(shutil.copytree(folder, tmp_path / "run"))


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


# --- The satellite ----------------------------------------------------------------------------------------------------


def composed(folder: Path, *overrides: str, config: str = "simulate") -> dict[str, Any]:
    found_in = composing.check_config_dir(str(folder))
    return composing.composed(config, [f"satellite={satellite.NAME}", *overrides, *found_in])[0]


def test_satellite_of_the_folder_is_the_one_designed_with_all_its_choices(folder: Path) -> None:
    again, before = composed(folder), synthetic.answer().resolved
    assert again["array"]["area_m2"] == 471.3 and again["accelerator"]["count"] == 61.0
    scaled_kg_per_s = before["coolant_loop"]["mass_flow_kg_per_s"] * 140.0 / 110.0
    assert again["coolant_loop"]["mass_flow_kg_per_s"] == pytest.approx(scaled_kg_per_s)
    assert again["array"]["sources"]["area_m2"] == "optimised: least_mass"
    assert again["array"]["initial_health"] == 0.9  # from the command line of the problem
    changed = {"array": {"area_m2", "sources"}, "radiator": {"area_m2", "sources"}}
    changed |= {"accelerator": {"count", "sources"}, "coolant_loop": {"mass_flow_kg_per_s", "sources"}}
    for slot in satellite.SLOTS:
        same = [key for key in before[slot] if key not in changed.get(slot, ())]
        assert {key: again[slot][key] for key in same} == {key: before[slot][key] for key in same}


def test_design_is_deployed_as_any_satellite_and_flies_in_experiments(folder: Path) -> None:
    deployed = composed(folder, config="deploy")
    assert deployed["array"]["area_m2"] == 471.3 and deployed["solar_cell"]["name"].startswith("AZUR SPACE 3G30C")
    survival = composed(folder, "experiment=safe_mode", "accelerator=gb300")
    assert survival["operations"]["payload_off_for_s"] > 0.0 and survival["coating"]["life_fraction"] == 1.0
    assert "GB300" in survival["accelerator"]["name"] and survival["radiator"]["area_m2"] == 140.0


def test_what_belongs_to_a_run_stands_in_the_command(tmp_path: Path) -> None:
    overrides = [*synthetic.OVERRIDES, "environment=hot", "constellation.satellites=1", "workload.utilization=0.5"]
    resolved, _ = composing.composed("simulate", overrides)
    chosen = composing.choices("simulate", overrides)
    resolved |= {
        "design": {"scenarios": {"hot_<case>": ['satellite.name="a b"', "workload.utilization=1", "launch=x"]}}
    }
    resolved["time"] = resolved["time"] | {"start": "2026-06-21T00:00:00"}
    lines = satellite.commands(tmp_path, synthetic.problem(), resolved, chosen)
    begin = f"python scripts/simulate.py --config-dir {tmp_path} satellite=design environment=hot "
    begin += """'time.start="2026-06-21T00:00:00"' constellation.satellites=1"""
    assert lines == {
        "longest_eclipse": f"{begin} workload.utilization=0.5",
        "hot_<case>": f"""{begin} 'satellite.name="a b"' workload.utilization=1""",  # prices are no part of a run
    }


def test_profiles_that_conf_does_not_have_go_along(tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "solar_cell").mkdir(parents=True)
    cell = yaml.safe_load((composing.conf_dir() / "solar_cell" / "hjt_silicon.yaml").read_text())
    (own / "solar_cell" / "mine.yaml").write_text(yaml.safe_dump(cell | {"name": "Mine", "efficiency_bol": 0.27}))
    overrides = [*synthetic.OVERRIDES, "solar_cell=mine", *composing.check_config_dir(str(own))]
    resolved, _ = composing.composed("simulate", overrides)
    chosen = composing.choices("simulate", overrides)
    answer = synthetic.answer()._replace(resolved=resolved, choices=chosen)
    design_folder.write(tmp_path / "run", answer)
    again = composed(tmp_path / "run")
    assert again["solar_cell"] == resolved["solar_cell"] and again["solar_cell"]["name"] == "Mine"
    # and a design of the design is told from the reference
    overrides = ["satellite=design", *composing.check_config_dir(str(tmp_path / "run"))]
    second = answer._replace(
        resolved=composing.composed("simulate", overrides)[0], choices=composing.choices("simulate", overrides)
    )
    design_folder.write(tmp_path / "second", second)
    twice = composed(tmp_path / "second")
    assert twice["array"]["area_m2"] == 471.3 and twice["satellite"] == again["satellite"]
    assert twice["solar_cell"] == again["solar_cell"] and twice["orbit"] == again["orbit"]


def test_values_of_a_curve_have_their_number_behind_them() -> None:
    resolved = {"workload": {"schedule": [0.1, 0.2, 0.3], "sources": {"default": "a"}}}
    changed = satellite.with_numbers(resolved, {"workload.schedule.1": 0.9}, "optimised: x")
    assert changed["workload"] == {
        "schedule": [0.1, 0.9, 0.3],
        "sources": {"default": "a", "schedule": "optimised: x"},
    }
    assert resolved["workload"]["schedule"] == [0.1, 0.2, 0.3]


def test_the_source_of_one_coupling_is_not_that_of_all(tmp_path: Path) -> None:
    resolved, _ = composing.composed("simulate", ())
    path = "thermal_network.couplings.battery_to_bus.conductance_w_per_k"
    network = satellite.with_numbers(resolved, {path: 75.0}, "optimised: x")["thermal_network"]
    before = resolved["thermal_network"]["sources"]
    own = path.removeprefix("thermal_network.")
    assert network["sources"] == {**before, own: "optimised: x"}
    told = page_parts.profile_fold("thermal_network", network)
    assert told.count("optimised: x") == 1 and "60.0" not in told
    (tmp_path / "thermal_network").mkdir()
    (tmp_path / "thermal_network" / "own.yaml").write_text(yaml.safe_dump(network))
    found_in = composing.check_config_dir(str(tmp_path))
    assert composing.composed("simulate", ["thermal_network=own", *found_in])[0]["thermal_network"] == network


def test_simulate_finds_the_satellite_and_refuses_others(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--config-dir", str(folder), "satellite=design", "radiator.area_m2=-1"]
    monkeypatch.setattr("sys.argv", ["simulate", *arguments, f"hydra.run.dir={tmp_path / 'x'}"])
    with pytest.raises(SystemExit) as ended:
        simulate_main()
    assert ended.value.code == 2 and "radiator.area_m2 = -1" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


# --- The folder -------------------------------------------------------------------------------------------------------


def test_folder_has_every_number_and_versions(folder: Path) -> None:
    found = json.loads((folder / "design.json").read_text())
    assert found["status"] == "converged" and found["objective"]["before"] == 9161.0
    assert found["numbers"]["accelerator.count"] == 61.0 and len(found["numbers"]) == 4
    assert {"jax", "numpy", "scipy", "python"} <= found["versions"].keys()
    assert [row["unit"] for row in table(folder, "measures")[::2]] == ["kg", "K", "1", "flop/s", "Gy"]
    margins = table(folder, "margins")
    assert [float(row["margin"]) for row in margins] == pytest.approx([5.1, 0.0, 0.0, 0.0, 30.0])
    assert [float(row["margin_before"]) for row in margins] == pytest.approx([-7.2, -12.0, 0.29, 5e15, 30.0])
    assert [row["of"] for row in table(folder, "prices")] == ["limit"] * 5 + ["bound"]
    assert float(table(folder, "starts")[1]["first.radiator.area_m2"]) == 90.0
    *front, chosen = table(folder, "pareto")
    assert chosen["chosen"] == "True" and {row["chosen"] for row in front} == {"False"}


def test_design_is_never_overwritten_by_another_and_never_made_twice(copied: Path) -> None:
    folder, answer = copied, synthetic.answer()
    assert design_folder.finished(folder, answer.resolved)
    other = dict(answer.resolved) | {"seed": 7}
    before = (folder / "design.json").read_bytes()
    with pytest.raises(ConfigError, match="holds another deployment, design or run; choose a new one"):
        design_folder.write(folder, answer._replace(resolved=other))
    assert (folder / "design.json").read_bytes() == before
    (folder / "design.json").unlink()
    assert not design_folder.finished(folder, answer.resolved)


def test_damaged_design_is_refused_in_one_sentence(copied: Path) -> None:
    (copied / "design.json").write_text('{"status": "conver')
    with pytest.raises(ConfigError, match=r"has not finished, or its design\.json is damaged"):
        console.report(copied)


# --- Words ------------------------------------------------------------------------------------------------------------


def test_prices_are_told_in_plain_words(folder: Path) -> None:
    design = design_facts.read(folder)
    assert [design_facts.price(design, row) for row in design_facts.paid(design)] == [
        "One PFLOP/s less required by the work limit in hot <case> saves 15 kg.",
        "One more square metre of radiator.area_m2, which is at its upper bound, saves 2.5 kg.",
        "One point less required by the charge limit in longest eclipse saves 1.2 kg.",
        "One more kelvin of the die limit in hot <case> saves 0.8 kg.",
    ]


@pytest.mark.parametrize(
    ("name", "unit", "size", "more", "size_si"),
    [
        ("max_accelerator_temperature_k", "K", 350.0, "one more kelvin", 1.0),
        ("mean_accelerator_power_w", "W", 1e5, "one more kilowatt", 1e3),
        ("state_of_charge_lower_margin", "1", 0.0, "one more point", 0.01),
        ("mass_kg", "kg", 900.0, "one more kilogram", 1.0),
        ("solar_cell.cover_glass_m", "m", 1e-4, "ten more micrometres", 1e-5),
        ("shield.thickness_m", "m", 5e-3, "one more millimetre", 1e-3),
        ("orbit.altitude_m", "m", 6.5e5, "ten more kilometres", 1e4),
        ("battery.energy_j", "J", 4e8, "one more kilowatt hour", 3.6e6),
        ("cost_usd", "usd", 4e7, "one more million dollars", 1e6),
        ("accelerator.count", "", 96.0, "one more unit", 1.0),
        ("heat_rate", "W/m2", 1361.0, "one more per cent", 13.61),
    ],
)
def test_step_suits_the_number(name: str, unit: str, size: float, more: str, size_si: float) -> None:
    step = amounts.step(name, unit, size)
    assert step.more() == more and step.size == pytest.approx(size_si)
    assert step.several == (not more.startswith("one"))


@pytest.mark.parametrize(("name", "unit", "value", "text"), [
    ("served_charge_margin", "1", 0.1, "10.0 %"),
    ("usd_per_pflop_day", "usd/PFLOP-day", 43.21, "43.2 USD/PFLOP-day"),
])  # fmt: skip
def test_level_suits_the_number(name: str, unit: str, value: float, text: str) -> None:
    assert amounts.level(name, unit, value) == text


def changed(folder: Path, **changes: Any) -> design_facts.Designed:
    """A folder's design with other entries in its summary."""
    found = json.loads((folder / "design.json").read_text())
    (folder / "design.json").write_text(json.dumps(found | changes))
    return design_facts.read(folder)


def test_prices_of_a_search_that_stopped_are_called_estimates(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(copied, status="stopped", kkt_residual=1.2e-4)
    design_console.show(copied)
    told = "estimates, as the search stopped at a KKT residual of 1.2e-04"
    assert f"What limits cost, at the margin, {told}\n" in capsys.readouterr().out
    page = design_report.write(copied).read_text()
    assert f"all else solved anew: {told}." in page and "exact slopes, so they hold" not in page


def test_a_limit_that_is_missed_by_more_than_the_tolerance_is_broken(copied: Path) -> None:
    margins = json.loads((copied / "design.json").read_text())["margins"]
    for missed, feasible, words in ((0.5e-6, True, "at its limit"), (5e-4, False, "0.0050 K short")):
        margins[1]["margin"] = -missed * margins[1]["scale"]
        design = changed(copied, status="stopped", margins=margins)
        assert design.feasible == feasible
        (told,) = (row for row in design_facts.headroom(design) if row[0] == "die, hot <case>")
        assert told[3:] == (words, "tight" if feasible else "broken")


def test_limits_without_a_number_are_on_top_and_those_at_their_limit_in_order(copied: Path) -> None:
    margins = json.loads((copied / "design.json").read_text())["margins"]
    for row, room in zip(margins, (0.0, None, -0.5, 0.1, -1.0), strict=True):
        row["margin"] = None if room is None else room * row["scale"]
    rows = design_facts.tightest_first(changed(copied, margins=margins))
    assert [row["margin"] and row["margin"] / row["scale"] for row in rows] == [None, -1.0, -0.5, 0.0, 0.1]


def test_what_is_but_rounding_reads_0(copied: Path) -> None:
    row = {
        "measure": "battery_cycle_loss_per_year",
        "scenario": "a",
        "unit": "per_year",
        "before": 0.03,
        "after": -4e-25,
    }
    money = {"measure": "cost_usd", "scenario": "a", "unit": "usd", "before": 1e-3, "after": 1e-5}
    design = changed(copied, measures=[row, money])
    assert [told[1:3] for told in design_facts.measures(design)] == [
        ("0.03 a year", "0 a year"),
        ("0.00100 USD", "0.0000100 USD"),
    ]


def test_an_objective_of_0_is_drawn(copied: Path) -> None:
    starts = json.loads((copied / "design.json").read_text())["starts"]
    starts[0]["objective"], starts[1]["objective"] = 0.0, None
    drawn = design_figures.starts(changed(copied, starts=starts))
    np.testing.assert_array_equal(drawn.data[0]["y"], [0.0, np.nan])


def test_bounds_without_a_price_are_no_rows(tmp_path: Path) -> None:
    none = synthetic.solution(status="infeasible", bound_prices=np.full(3, np.nan))
    assert {row["of"] for row in table(synthetic.write(tmp_path / "run", none), "prices")} == {"limit"}


def test_verb_agrees_and_maximised_objectives_gain(copied: Path) -> None:
    found = json.loads((copied / "design.json").read_text())
    found["objective"] |= {"sense": "maximize", "terms": {"delivered_flops": 1.0}, "unit": "flop/s"}
    row = {"of": "bound", "name": "orbit.altitude_m", "measure": "orbit.altitude_m", "scenario": "", "unit": "m"}
    found["prices"] = [row | {"kind": "least", "bound": 5.5e5, "price": 1e10}]
    (copied / "design.json").write_text(json.dumps(found))
    design = design_facts.read(copied)
    (told,) = [design_facts.price(design, row) for row in design_facts.paid(design)]
    assert told == "Ten kilometres less of orbit.altitude_m, which is at its lower bound, add 100 TFLOP/s."


# --- Terminal and page ------------------------------------------------------------------------------------------------


def test_terminal_tells_result_limits_prices_and_how_to_go_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.report(folder)
    text = capsys.readouterr().out
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "Mass: 9 161 kg → 7 912 kg, 13.6 % less."
    assert "radiator.area_m2 110 m2 140 m2 27.3 % more 80 m2 to 140 m2, at the upper bound" in lines
    assert "die, hot <case> 3.00 K at least 3.00 K at its limit" in lines
    assert "One more kelvin of the die limit in hot <case> saves 0.8 kg." in lines
    for where in ("longest eclipse", "hot <case>"):
        assert f"Simulate it in {where}: python scripts/simulate.py --config-dir {folder} satellite=design" in lines
    assert lines[-1].startswith(f"Report: {folder / 'report.html'}")


def test_no_design_is_told_with_what_conflicts_and_without_prices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = synthetic.write(tmp_path / "run", synthetic.infeasible())
    design_console.show(folder)
    text = capsys.readouterr().out
    assert text.startswith("No design was found that holds all limits.\n") and "these limits conflict: die" in text
    assert "12.0 K short" in text and "1.20 PFLOP/s short" in text
    assert "saves" not in text and "Simulate it" not in text
    page = design_report.write(folder).read_text()
    assert '<p class="status">No design was found' in page and set(figures_of(page)) == ALWAYS - {"prices"}


def test_progress_tells_evaluations_objective_and_violation(capsys: pytest.CaptureFixture[str]) -> None:
    with design_console.progress(synthetic.problem()) as watch:
        watch(1, 8000.0, 0.25)
        watch(2, 7990.0, 0.0)
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "least_mass: minimize mass, mean of the scenarios"
    assert others[-1] == "1 evaluation: mass 8\u202f000 kg, limits are missed by 0.25, 0 s"  # the second came too soon


def test_page_stands_alone_and_names_cannot_break_it(page: str) -> None:
    body = page.split("</head>")[1]
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)", body)
    prose = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)
    assert "<case>" not in prose and "hot &lt;case&gt;" in prose
    assert set(figures_of(page)) == ALWAYS | DRAWN


def test_bars_are_after_over_before(page: str) -> None:
    _, after = figures_of(page)["before_after"]["data"]
    assert numbers(after["x"]) == pytest.approx(100.0 * np.array([7912 / 9161, 471.3 / 600, 140 / 110, 61 / 64]), 1e-6)
    assert after["y"][0] == "mass" and after["text"][2] == "110 m2 → 140 m2"


def test_bullets_count_room_in_sizes_of_the_limits_the_least_on_top(page: str) -> None:
    before, after = figures_of(page)["margins"]["data"]
    assert numbers(after["x"]) == pytest.approx([0.0, 0.0, 0.0, 0.2, 0.51])
    assert before["y"][0] == "die, hot &lt;case>" and numbers(before["x"])[0] == pytest.approx(-1.2)


def test_front_shows_the_chosen_design_and_where_none_was_found(page: str) -> None:
    figure = figures_of(page)["pareto"]
    best, worse, chosen = figure["data"]
    assert numbers(best["x"]) == pytest.approx([60, 70, 75, 80, 85]) and "lines" in best["mode"]
    assert numbers(worse["x"]) == pytest.approx([65]) and numbers(worse["y"]) == pytest.approx([8000.0])
    assert worse["mode"] == "markers" and worse["marker"]["symbol"] == "circle-open"
    assert numbers(chosen["y"]).tolist() == [7912.0] and numbers(chosen["x"]).tolist() == [75.0]
    assert "array.area_m2: 471.3 m2" in chosen["customdata"][0] and "mass: 7\u202f912 kg" in chosen["customdata"][0]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == pytest.approx([90.0])


def test_starts_are_coloured_by_how_they_ended(page: str) -> None:
    ends = {trace["name"]: numbers(trace["y"]).tolist() for trace in figures_of(page)["starts"]["data"]}
    assert ends == {"converged": [7912.0, pytest.approx(7912.2)], "stopped": [8630.0], "infeasible": [7300.0]}
