"""Profiles of conf/: every number has a source, the library is large enough, each profile composes and validates."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

import twin
from kernels import accelerator, registry, solar_cell, workload
from twin import config

CONF = Path(__file__).resolve().parents[1] / "conf"
TRACE = re.compile(r"\b(19|20)\d\d|assumption|derived|definition|geometry|choice")
NORMALS = ("normal_x", "normal_y", "normal_z")
MINIMUM = {
    "solar_cell": 8,
    "accelerator": 8,
    "radiator": 5,
    "coating": 4,
    "battery": 4,
    "coolant_loop": 3,
    "array": 3,
    "attitude": 4,
    "orbit": 4,
    "launch": 7,
    "manufacture": 5,
    "supply": 4,
    "study": 5,
    "ground": 5,
    "power_beaming": 2,
    "link": 5,
    "downlink": 4,
    "ground_network": 4,
}
# Groups that no simulated run has: their profiles are complete by themselves.
DEPLOYMENT = (
    "launch",
    "supply",
    "manufacture",
    "economics",
    "deployment",
    "ground",
    "power_beaming",
    "study",
    "analysis",
)
# Power density printed on, or given by voltage times current of, the maker's data sheet. [W/m2]
DATA_SHEET_W_PER_M2 = {
    "xtj_prime": 415.9,
    "xte_sf": 433.4,
    "azur_3g30c": 403.0,
    "azur_4g32c_advanced": 434.5,
    "solaero_ztj": 397.6,
    "azur_s32_silicon": 229.2,
}
# Fraction of the dense peak held in large matrix multiply at the power cap.
SUSTAINED_FRACTION = {
    "a100_sxm": 0.869,
    "a100_pcie": 1.0,
    "h100_sxm": 0.803,
    "h200_sxm": 0.803,
    "b200": 0.776,
    "gb300": 0.729,
    "rubin": 0.75,
    "tpu_v6e": 0.75,
    "tpu_v7": 0.75,
    "mi355x": 0.68,
}


def profiles(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def read(path: Path) -> dict[str, Any]:
    loaded = OmegaConf.load(path)
    assert isinstance(loaded, DictConfig)
    return OmegaConf.to_container(loaded, resolve=False)  # type: ignore[return-value]


def composed(*overrides: str) -> dict[str, Any]:
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        chosen = compose(config_name="simulate", overrides=list(overrides))
    return OmegaConf.to_container(chosen, resolve=True)  # type: ignore[return-value]


def numbers(node: Any, path: tuple[str, ...] = (), sources: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:
    """Path of every number below a node, and whether a source of its own or an enclosing mapping covers it."""
    if isinstance(node, Mapping):
        inside = (*sources, *node.get("sources", {}))
        for key, value in node.items():
            if key not in ("sources", "hydra", "seed"):
                yield from numbers(value, (*path, str(key)), inside)
    elif isinstance(node, list):
        for value in node:
            yield from numbers(value, path, sources)
    elif isinstance(node, (int, float)) and not isinstance(node, bool):
        key = "normals" if path[-1] in NORMALS else path[-1]
        yield ".".join(path), key in sources or "default" in sources


def unsourced(problem: Mapping[str, Any]) -> list[str]:
    """Numbers and scenarios of a problem of design without a line of their own: what is chosen differs by key."""
    sources, found = problem["sources"], []
    for path, _ in numbers(problem):
        *above, key = path.split(".")
        own = (".".join(above[1:]) or above[0]) if key in ("low", "high", "least", "most") else key
        found += [path] if own not in sources else []
    return found + [name for name, given in problem.get("scenarios", {}).items() if given and name not in sources]


def texts(node: Any) -> Iterator[tuple[str, Any]]:
    """Every entry of every `sources:` mapping below a node."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "sources":
                yield from value.items()
            else:
                yield from texts(value)


MATRIX_MULTIPLICATION = registry.call(workload.character, read(CONF / "workload" / "steady.yaml"), 1.0)
FILES = sorted(CONF.rglob("*.yaml"))
CHOICES = [(path.parent.name, path.stem) for path in FILES if path.parent != CONF and path.parent.parent == CONF]
EXPERIMENTS = {
    path.relative_to(CONF / "experiment").with_suffix("").as_posix(): path for path in CONF.glob("experiment/**/*.yaml")
}
PROJECTS = sorted(
    name for name, path in EXPERIMENTS.items() if "override /deployment" in path.read_text(encoding="utf-8")
)
STUDIES = sorted(name for name, path in EXPERIMENTS.items() if "override /design" in path.read_text(encoding="utf-8"))
OF_A_RUN = [
    c
    for c in CHOICES
    if c[0] not in (*DEPLOYMENT, "design") and not (c[0] == "experiment" and c[1] in (*PROJECTS, *STUDIES))
]
OF_A_DEPLOYMENT = [choice for choice in CHOICES if choice[0] in DEPLOYMENT]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_every_number_has_a_source(path: Path) -> None:
    contents = read(path)
    if path.parent.name == "experiment":
        contents.pop("time", None)  # the clock of an experiment is its own definition
    if path.parent.name != "design":  # whose sources are told by choice, below
        assert [name for name, covered in numbers(contents) if not covered] == []
    assert [key for key, text in texts(contents) if not (isinstance(text, str) and TRACE.search(text))] == []


def test_a_number_without_source_is_found() -> None:
    found = dict(numbers({"a": 1.0, "b": {"c": [2, 3]}, "flag": True, "sources": {"a": "2020"}}))
    assert found == {"a": True, "b.c": False}


@pytest.mark.parametrize("name", profiles("design"))
def test_every_choice_of_a_problem_has_a_source_of_its_own(name: str) -> None:
    problem = read(CONF / "design" / f"{name}.yaml")
    assert unsourced(problem) == [] and "default" not in problem["sources"]


def test_a_choice_of_a_problem_without_source_is_found() -> None:
    limits = {"power": {"measure": "mass_kg", "least": 1.0}, "die": {"measure": "mass_kg", "most": 1.0}}
    problem = {"variables": {"array": {"area_m2": {"low": 1.0, "high": 2.0}}}, "limits": limits, "orbits": 1}
    problem |= {"scenarios": {"run": [], "winter": ["time=day"]}}
    found = unsourced(
        {**problem, "sources": {"default": "2020", "low": "2020", "power": "2020", "array.area_m2": "2020"}}
    )
    assert found == ["limits.die.most", "orbits", "winter"]


@pytest.mark.parametrize("group", MINIMUM)
def test_the_library_offers_a_choice(group: str) -> None:
    assert len(profiles(group)) >= MINIMUM[group]


@pytest.mark.parametrize(("group", "name"), OF_A_RUN, ids=lambda part: str(part))
def test_profile_composes_with_the_other_defaults(group: str, name: str) -> None:
    choice = [f"{group}={name}"]
    if name == "element_sets":
        choice = ["constellation=element_sets", "constellation.file=fleet.tle"]
    if name == "link_aware":
        choice += ["ground_network=optical_ten_sites"]
    values = composed(*choice)
    pattern = values["constellation"]["model"]
    if pattern == "element_sets" and pattern not in registry.models("constellation"):
        pytest.xfail("kernels/ registers no constellation model element_sets yet")
    assert config.validate(values).cohorts
    if group == "satellite":
        assert values["satellite"]["name"] == name


@pytest.mark.parametrize(("group", "name"), OF_A_DEPLOYMENT, ids=lambda part: str(part))
def test_profile_of_a_deployment_is_valid_alone(group: str, name: str) -> None:
    if group == "analysis":  # one may build on another
        assert twin.compose_project([f"analysis={name}"]).analysis.name
    elif group == "manufacture":  # its chips are those of conf/accelerator/
        own = twin.compose_project([f"manufacture={name}"])
        assert own.profiles[group].accelerator_price_usd == own.resolved["accelerator"]["price_usd"] > 0.0
    else:
        assert config.profile(group, read(CONF / group / f"{name}.yaml")).name


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in STUDIES else name for name in profiles("design")],
)
def test_problem_of_design_composes(name: str) -> None:
    assert twin.compose_design([f"design={name}"]).design.name


@pytest.mark.parametrize("name", STUDIES)
def test_experiment_of_a_design_is_a_problem(name: str) -> None:
    assert twin.compose_design([f"experiment={name}"]).design.variables


@pytest.mark.parametrize("name", PROJECTS)
def test_experiment_of_a_deployment_is_a_project(name: str) -> None:
    config = twin.compose_project([f"experiment={name}"])
    assert config.study.model == (name.removeprefix("published/") if "/" in name else "none")
    chosen = {
        key: value
        for part in read(CONF / "experiment" / f"{name}.yaml")["defaults"]
        if isinstance(part, dict)
        for key, value in part.items()
    }
    assert config.resolved["satellite"]["name"] == chosen["override /satellite"]
    assert config.profiles["launch"].name == read(CONF / "launch" / f"{chosen['override /launch']}.yaml")["name"]


@pytest.mark.parametrize("name", profiles("workload/serving"))
def test_served_model_gives_its_power_curve_to_a_trace(name: str) -> None:
    chip = {"h100": "h100_sxm", "b200": "b200"}[name.partition("_")[0]]
    whole = composed("workload=inference_mooncake", f"workload/serving={name}", f"accelerator={chip}")
    own = whole["workload"]
    served = read(CONF / "workload" / "serving" / f"{name}.yaml")
    assert {key: own[key] for key in served if key != "sources"} == {k: v for k, v in served.items() if k != "sources"}
    assert own["file"] == "mooncake_conversation.csv.gz" and {"file", "half_load"} <= set(own["sources"])
    assert config.validate(whole).workload.measured_on == whole["accelerator"]["name"]


@pytest.mark.parametrize("name", profiles("satellite"))
def test_hardware_of_a_satellite_can_be_exchanged_without_resizing_it(name: str) -> None:
    own = composed(f"satellite={name}")
    other = composed(f"satellite={name}", "solar_cell=solaero_ztj", "accelerator=mi355x", "battery=lfp_pack")
    assert other["solar_cell"]["name"] != own["solar_cell"]["name"]
    for slot, size in (
        ("array", "area_m2"),
        ("accelerator", "count"),
        ("battery", "energy_j"),
        ("radiator", "area_m2"),
    ):
        assert other[slot][size] == own[slot][size]


def test_the_reference_satellite_flies_the_hardware_of_the_primary_file() -> None:
    defaults = read(CONF / "satellite" / "reference.yaml")["defaults"]
    assert defaults == ["_self_"]


def test_every_data_sheet_cell_is_checked_against_its_data_sheet() -> None:
    measured = {
        n for n in profiles("solar_cell") if read(CONF / "solar_cell" / f"{n}.yaml")["model"] != "linear_efficiency"
    }
    assert measured == set(DATA_SHEET_W_PER_M2)


@pytest.mark.parametrize("name", DATA_SHEET_W_PER_M2)
def test_cell_gives_its_data_sheet_power(name: str) -> None:
    cell = read(CONF / "solar_cell" / f"{name}.yaml")
    kernel = registry.models("solar_cell")[cell["model"]]
    temperature, irradiance = cell["reference_temperature_k"], cell["reference_irradiance_w_per_m2"]
    fresh = registry.call(kernel, cell, jnp.zeros(()))
    power = solar_cell.maximum_power_w_per_m2(fresh, jnp.asarray(temperature), jnp.asarray(irradiance))
    assert float(power) == pytest.approx(DATA_SHEET_W_PER_M2[name], rel=0.005)


def test_every_accelerator_is_checked_against_its_sustained_fraction() -> None:
    assert set(profiles("accelerator")) == set(SUSTAINED_FRACTION)


@pytest.mark.parametrize("name", SUSTAINED_FRACTION)
def test_accelerator_sustains_its_measured_fraction_of_peak(name: str) -> None:
    chip = read(CONF / "accelerator" / f"{name}.yaml")
    kernel = registry.models("accelerator")[chip["model"]]
    die = jnp.asarray(float(chip["leakage_reference_k"]))
    operation = registry.call(kernel, chip, die, 0.5 * die, jnp.ones(()), MATRIX_MULTIPLICATION)
    rate = float(accelerator.nominal_rate_flops(operation))
    assert rate / chip["peak_flops"] == pytest.approx(SUSTAINED_FRACTION[name], rel=0.01)
