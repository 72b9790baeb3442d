"""Composition: Hydra's configurations as plain dicts, validated, or one clear sentence."""

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from twin.conf_path import conf_dir

if TYPE_CHECKING:
    from twin.config import Config
    from twin.deployment.project import ProjectConfig
    from twin.design.setup import DesignConfig

OPEN = ("design.", "workload.", "scheduler.", "ground_network.")  # groups with keys that a profile may leave out


def compose(config_name: str = "simulate", overrides: Sequence[str] = ()) -> "Config":
    """Compose and validate a configuration; ConfigError names what is wrong, `hydra.*` overrides included."""
    _refuse_hydra(overrides)
    return load(config_name, overrides)[0]


def compose_project(overrides: Sequence[str] = ()) -> "ProjectConfig":
    """Compose and validate a deployment; ConfigError as for `compose`."""
    _refuse_hydra(overrides)
    return load_project(overrides)[0]


def load_project(overrides: Sequence[str], config_name: str = "deploy") -> tuple["ProjectConfig", Path]:
    """Validated deployment and Hydra's run directory."""
    from twin.deployment.project import validate

    plain, run_dir = composed(config_name, overrides)
    return validate(plain), run_dir


def compose_design(overrides: Sequence[str] = ()) -> "DesignConfig":
    """Compose and validate a problem of design; ConfigError as for `compose`."""
    _refuse_hydra(overrides)
    return load_design(overrides)[0]


def load_design(overrides: Sequence[str], config_name: str = "optimize") -> tuple["DesignConfig", Path]:
    """Validated problem of design, each scenario composed with its own overrides, and Hydra's run directory."""
    from twin.config import ConfigError
    from twin.design.setup import overrides_of, validate

    plain, run_dir, chosen = _composition(config_name, overrides)
    scenarios = {}
    for name, own in overrides_of(plain).items():
        try:
            _refuse_hydra(own)
            scenarios[name] = composed(config_name, [*overrides, *own])[0]
        except ConfigError as error:
            raise ConfigError(f"design.scenarios.{name}: {error}") from None
    return validate(plain, scenarios, chosen), run_dir


def load(config_name: str, overrides: Sequence[str]) -> tuple["Config", Path]:
    """Validated configuration, each cohort composed with its own overrides, and Hydra's run directory."""
    from twin.config import ConfigError, validate

    plain, run_dir = composed(config_name, overrides)
    cohorts: dict[str, Mapping[str, Any]] = {}
    wanted = plain.get("cohorts") or {}
    if not isinstance(wanted, Mapping):
        raise ConfigError(f"cohorts = {wanted!r}: must map a cohort's name to a list of overrides")
    for name, own in wanted.items():
        if not isinstance(own, list):
            raise ConfigError(f"cohorts.{name} = {own!r}: must be a list of overrides, such as [satellite=reference]")
        shared = [o for o in overrides if not o.lstrip("+").startswith("cohorts")]
        try:
            cohorts[str(name)] = _of_cohort(config_name, shared, list(map(str, own)), plain)
        except ConfigError as error:
            raise ConfigError(f"cohorts.{name}: {error}") from None
    return validate(plain, cohorts), run_dir


def _refuse_hydra(overrides: Sequence[str]) -> None:
    from twin.config import ConfigError

    if isinstance(overrides, str):
        raise ConfigError(f"overrides = {overrides!r}: must be a list of overrides, not one string")
    for override in overrides:
        if override.lstrip("+~").startswith("hydra"):
            raise ConfigError(f"{override}: hydra.* settings belong to the command line, not to compose or a cohort")


def _of_cohort(
    config_name: str, shared: Sequence[str], own: Sequence[str], of_run: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Composition of one cohort, which may differ from the run in its design alone."""
    from twin.config import FLEET_SLOTS, RUN_KEYS, ConfigError

    _refuse_hydra(own)
    values = composed(config_name, [*shared, *own])[0]
    for key in (*RUN_KEYS, *FLEET_SLOTS):
        if values.get(key) != of_run.get(key):
            raise ConfigError(f"{key} belongs to the whole run, a cohort has only its design: {', '.join(own)}")
    return values


def composed(config_name: str, overrides: Sequence[str]) -> tuple[dict[str, Any], Path]:
    """Plain dict of a composition and Hydra's run directory; ConfigError as for `compose`."""
    plain, run_dir, _ = _composition(config_name, overrides)
    return plain, run_dir


def choices(config_name: str, overrides: Sequence[str]) -> dict[str, str]:
    """The profile that was chosen for each group, by the command line, a satellite or an experiment."""
    return _composition(config_name, overrides)[2]


def _composition(config_name: str, overrides: Sequence[str]) -> tuple[dict[str, Any], Path, dict[str, str]]:
    """Plain dict, run directory and choices; ConfigError in one sentence for whatever Hydra refuses."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from twin.config import ConfigError

    overrides = [quoted(override) for override in overrides]
    try:
        if GlobalHydra.instance().is_initialized():
            config = hydra.compose(config_name, list(overrides), return_hydra_config=True)
        else:
            with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
                config = hydra.compose(config_name, list(overrides), return_hydra_config=True)
        chosen = dict(config.hydra.runtime.choices)
        run_dir = Path(str(config.hydra.run.dir)) if "job.num" not in str(config.hydra.run.dir) else Path()
        plain = OmegaConf.to_container(
            OmegaConf.masked_copy(config, [str(k) for k in config if k != "hydra"]), resolve=True
        )
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        where = f"{place.name}, line {place.line + 1}: " if place else ""
        raise ConfigError(f"{where}not YAML: {getattr(error, 'problem', None) or error}") from None
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise ConfigError(_one_sentence(error, config_name, overrides)) from None
    except OSError as error:
        what = f"cannot be read ({error.strerror})" if error.strerror else "must be a group of keys, and is not"
        raise ConfigError(f"{error.filename or ' '.join(overrides)}: a profile {what}") from None
    except RecursionError:
        raise ConfigError(f"{' '.join(overrides)}: a profile begins from itself, or a value holds itself") from None
    assert isinstance(plain, dict)
    profiles = {group: name for group, name in chosen.items() if isinstance(name, str) and "hydra" not in group}
    return {str(key): value for key, value in plain.items()}, run_dir, profiles


def check_config_dir(folder: str | None) -> list[str]:
    """The override by which profiles are found in the folder that --config-dir names; ConfigError without such one."""
    from twin.config import ConfigError

    if not folder:
        return []
    if not Path(folder).is_dir():
        raise ConfigError(f"--config-dir {folder}: no such folder")
    return [f"hydra.searchpath=[{in_quotes(f'file://{Path(folder).absolute()}')}]"]


def in_quotes(text: str) -> str:
    """A text as Hydra reads it in an override, in quotes where it needs them."""
    from hydra.core.override_parser.types import Quote, QuotedString

    plain = r"[A-Za-z0-9_./+-]+"
    return text if re.fullmatch(f"{plain}(?: {plain})*", text) else QuotedString(text, Quote.single).with_quotes()


def quoted(override: str) -> str:
    """An override as Hydra reads it: resume=from=STEP has an = in its value."""
    return f"resume='{override.removeprefix('resume=')}'" if override.startswith("resume=from=") else override


def _one_sentence(error: Exception, config_name: str, overrides: Sequence[str]) -> str:
    """Hydra's many lines as one: which override, what is allowed, the nearest valid name."""
    from hydra.errors import OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    from twin.refusal import nearest

    cause = str(error.__cause__ or "")
    text = str(error) or cause
    if isinstance(error, OverrideParseException):
        wanted = "write GROUP=PROFILE or KEY=VALUE, quoting a value with spaces, = or #"
        return f"{error.override!r}: cannot be read; {wanted}"
    if isinstance(error, ValueError) and not isinstance(error, OmegaConfBaseException):
        return _no_profile(overrides)
    option = re.search(r"Could not (?:find|load) '([^']+)/([^']+)'", text)
    if option:
        group, name = option.groups()
        choices = _profiles(group)
        return f"{group}={name}: no such profile{nearest(name, choices)}; there are {', '.join(choices)}"
    key = re.search(r"Could not override '([^']+)'", text)
    if key and "/" in key.group(1):
        return f"{key.group(1)}: the chosen {_no_part(*key.group(1).split('/', 1))}"
    if key and config_name == "simulate" and key.group(1) in _groups():
        whose = "designs; use scripts/optimize.py" if key.group(1) == "design" else "deployments; use scripts/deploy.py"
        return f"{' '.join(overrides)!r}: {key.group(1)} is a choice of {whose}"
    if key:
        inner = re.search(r"full_key: (\S+)", cause)
        name = inner.group(1) if inner else key.group(1)
        new = f"; what the profile does not have takes a + in front, +{name}" if name.startswith(OPEN) else ""
        return f"{name}: unknown key{_nearest_key(name, config_name, overrides)}{new}"
    merged = re.search(r"Error merging override (.+)", text)
    if merged:
        return f"{merged.group(1)!r}: must be a group of keys, such as {{name: value}}"
    group = re.search(r"Could not find match for '([^']+)'", text)
    if group:
        return f"{group.group(1)}: unknown group{nearest(group.group(1), _groups())}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(line for line in lines[:2] if not line.startswith("Config search path"))


def _groups() -> list[str]:
    return sorted(path.name for path in conf_dir().iterdir() if path.is_dir())


def _profiles(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def _no_part(group: str, part: str) -> str:
    """That a profile is not made of parts of a kind, and which profiles are."""
    with_part = [name for name in _profiles(group) if f"- {part}:" in (conf_dir() / group / f"{name}.yaml").read_text()]
    return f"{group} has no such part" + (f"; there is one in {', '.join(with_part)}" if with_part else "")


def _no_profile(overrides: Sequence[str]) -> str:
    """The first override that gives a group something else than the name of a profile."""
    for override in overrides:
        group, _, name = override.lstrip("+").partition("=")
        if group in _groups() and name not in _profiles(group):
            return f"{override}: must be the name of a profile; there are {', '.join(_profiles(group))}"
    return f"{' '.join(overrides)!r}: a group takes the name of one of its profiles"


def _nearest_key(name: str, config_name: str, overrides: Sequence[str]) -> str:
    """The key most like one that the chosen profiles do not have: among those beside it, where there are some."""
    from twin.refusal import nearest

    chosen = [override for override in overrides if override.partition("=")[0] in _groups()]
    keys = _all_keys(config_name, chosen)
    parent, _, last = name.rpartition(".")
    beside = [key for key in keys if parent and key.rpartition(".")[0] == parent]
    alike = [key for key in beside if nearest(last, [key.rpartition(".")[2]])]
    return nearest(name, alike if beside else keys)


def _all_keys(config_name: str, choices: Sequence[str]) -> list[str]:
    """Every dotted key of the default configuration with other choices of profiles."""
    found: list[str] = []

    def walk(values: Any, path: str) -> None:
        if isinstance(values, Mapping):
            for key, value in values.items():
                walk(value, f"{path}.{key}" if path else str(key))
        found.append(path)

    walk(composed(config_name, choices)[0], "")
    return found


def sweep(overrides: Sequence[str]) -> list[list[str]]:
    """Every combination of a basic sweep, as lists of overrides; hydra.* left to Hydra."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from twin.config import ConfigError

    try:
        parsed = OverridesParser.create().parse_overrides([o for o in overrides if not o.startswith("hydra")])
    except HydraException as error:
        raise ConfigError(" ".join(str(error).split())) from None
    axes = []
    for override in parsed:
        if override.is_sweep_override() and override.is_discrete_sweep():
            key = override.get_key_element()
            values = _glob(override) if "glob(" in str(override.input_line) else override.sweep_string_iterator()
            axes.append([f"{key}={value}" for value in values])
        elif not override.is_sweep_override():
            axes.append([override.input_line])
    return [list(combination) for combination in itertools.product(*axes)]


def _glob(override: Any) -> list[str]:
    """Profiles that a glob sweep stands for; ConfigError for none."""
    from twin.config import ConfigError

    profiles = _profiles(override.key_or_group)
    if not (fitting := override.value().filter(profiles)):
        raise ConfigError(f"{override.input_line}: fits no profile; there are {', '.join(profiles)}")
    return fitting
