"""Command line: Hydra composes, the schema validates, and only then is anything written."""

import itertools
import logging
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from twin.conf_path import conf_dir
from twin.stopping import Stopping, on_signals

if TYPE_CHECKING:
    from twin.config import Config
    from twin.model import Model
    from twin.resume import Start

REFUSED, FAILED, INTERRUPTED = 2, 1, 130


def compose(config_name: str = "simulate", overrides: Sequence[str] = ()) -> "Config":
    """Compose and validate a configuration; ConfigError names what is wrong, `hydra.*` overrides included."""
    _refuse_hydra(overrides)
    return load(config_name, overrides)[0]


def load(config_name: str, overrides: Sequence[str]) -> tuple["Config", Path]:
    """Validated configuration, each cohort composed with its own overrides, and Hydra's run directory."""
    from twin.config import ConfigError, validate

    composed, run_dir = _compose(config_name, overrides)
    cohorts: dict[str, Mapping[str, Any]] = {}
    wanted = composed.get("cohorts") or {}
    if not isinstance(wanted, Mapping):
        raise ConfigError(f"cohorts = {wanted!r}: must map a cohort's name to a list of overrides")
    for name, own in wanted.items():
        if not isinstance(own, list):
            raise ConfigError(f"cohorts.{name} = {own!r}: must be a list of overrides, such as [satellite=reference]")
        shared = [o for o in overrides if not o.lstrip("+").startswith("cohorts")]
        try:
            cohorts[str(name)] = _compose_cohort(config_name, shared, list(map(str, own)), composed)
        except ConfigError as error:
            raise ConfigError(f"cohorts.{name}: {error}") from None
    return validate(composed, cohorts), run_dir


def _refuse_hydra(overrides: Sequence[str]) -> None:
    from twin.config import ConfigError

    if isinstance(overrides, str):
        raise ConfigError(f"overrides = {overrides!r}: must be a list of overrides, not one string")
    for override in overrides:
        if override.lstrip("+~").startswith("hydra"):
            raise ConfigError(f"{override}: hydra.* settings belong to the command line, not to compose or a cohort")


def _compose_cohort(
    config_name: str, shared: Sequence[str], own: Sequence[str], composed: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Composition of one cohort, which may differ from the run in its design alone."""
    from twin.config import FLEET_SLOTS, RUN_KEYS, ConfigError

    _refuse_hydra(own)
    values = _compose(config_name, [*shared, *own])[0]
    for key in (*RUN_KEYS, *FLEET_SLOTS):
        if values.get(key) != composed.get(key):
            raise ConfigError(f"{key} belongs to the whole run, a cohort has only its design: {', '.join(own)}")
    return values


def _compose(config_name: str, overrides: Sequence[str]) -> tuple[dict[str, Any], Path]:
    """Plain dict of a composition; ConfigError in one sentence for whatever Hydra refuses."""
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from twin.config import ConfigError

    overrides = [_quoted(override) for override in overrides]
    try:
        if GlobalHydra.instance().is_initialized():
            config = hydra.compose(config_name, list(overrides), return_hydra_config=True)
        else:
            with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
                config = hydra.compose(config_name, list(overrides), return_hydra_config=True)
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
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}, run_dir


def _quoted(override: str) -> str:
    """An override as Hydra reads it: resume=from=STEP has an = in its value."""
    return f"resume='{override.removeprefix('resume=')}'" if override.startswith("resume=from=") else override


def _one_sentence(error: Exception, config_name: str, overrides: Sequence[str]) -> str:
    """Hydra's many lines as one: which override, what is allowed, the nearest valid name."""
    from hydra.errors import OverrideParseException
    from omegaconf.errors import OmegaConfBaseException

    from twin.config import nearest

    text = str(error)
    if isinstance(error, OverrideParseException):
        return f"{error.override!r}: cannot be read; write GROUP=PROFILE or KEY=VALUE, quoting a value with spaces or ="
    if isinstance(error, ValueError) and not isinstance(error, OmegaConfBaseException):
        return _no_profile(overrides)
    option = re.search(r"Could not (?:find|load) '([^']+)/([^']+)'", text)
    if option:
        group, name = option.groups()
        choices = _profiles(group)
        return f"{group}={name}: no such profile{nearest(name, choices)}; there are {', '.join(choices)}"
    key = re.search(r"Could not override '([^']+)'", text)
    if key:
        return f"{key.group(1)}: unknown key{nearest(key.group(1), _all_keys(config_name))}"
    group = re.search(r"Could not find match for '([^']+)'", text)
    if group:
        return f"{group.group(1)}: unknown group{nearest(group.group(1), _groups())}"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(line for line in lines[:2] if not line.startswith("Config search path"))


def _groups() -> list[str]:
    return sorted(path.name for path in conf_dir().iterdir() if path.is_dir())


def _profiles(group: str) -> list[str]:
    return sorted(path.stem for path in (conf_dir() / group).glob("*.yaml"))


def _no_profile(overrides: Sequence[str]) -> str:
    """The first override that gives a group something else than the name of a profile."""
    for override in overrides:
        group, _, name = override.lstrip("+").partition("=")
        if group in _groups() and name not in _profiles(group):
            return f"{override}: must be the name of a profile; there are {', '.join(_profiles(group))}"
    return f"{' '.join(overrides)!r}: a group takes the name of one of its profiles"


def _all_keys(config_name: str) -> list[str]:
    """Every dotted key of the default configuration."""
    found: list[str] = []

    def walk(values: Any, path: str) -> None:
        if isinstance(values, Mapping):
            for key, value in values.items():
                walk(value, f"{path}.{key}" if path else str(key))
        found.append(path)

    walk(_compose(config_name, [])[0], "")
    return found


class _Session:
    """What the checks before Hydra starts hand to the job, and how jobs ended."""

    def __init__(self, stop: Stopping) -> None:
        self.ready: tuple[Config, Model, Start] | None = None  # of the only job, where it is no sweep
        self.failed = 0
        self.stop = stop


def simulate_main() -> None:
    """Entry point of `twin-simulate` and `scripts/simulate.py`."""
    import hydra
    from hydra._internal.utils import get_args_parser

    sys.argv[1:] = [_quoted(argument) for argument in sys.argv[1:]]
    arguments = get_args_parser().parse_args()
    looking = (arguments.help, arguments.hydra_help, arguments.cfg, arguments.info, arguments.shell_completion)
    try:
        with on_signals(Stopping()) as stop:
            session = _Session(stop)
            if not any(looking):
                _check_first(arguments, session)

            @hydra.main(config_path=str(conf_dir()), config_name="simulate", version_base="1.3")
            def job(_: Any) -> None:
                _job(session)

            job()
    except KeyboardInterrupt:
        print("error: interrupted; the same command goes on from the last checkpoint", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if session.failed:
        sys.exit(FAILED)


def _check_first(arguments: Any, session: _Session) -> None:
    """Refuse bad input before Hydra creates a folder; exit 0 when the run is already there."""
    from twin.config import ConfigError

    name = arguments.config_name or "simulate"
    try:
        if arguments.config_dir and not Path(arguments.config_dir).is_dir():
            raise ConfigError(f"--config-dir {arguments.config_dir}: no such folder")
        from twin import processes, resume
        from twin.model import use_devices
        from twin.run import write_missing_report

        if arguments.multirun:
            for overrides in _sweep(arguments.overrides):
                processes.refuse_sweep(load(name, overrides)[0].distributed)
            return
        config, folder = load(name, arguments.overrides)
        use_devices(config.distributed)
        with processes.together():
            folder = Path(processes.of_first(str(folder)))
            if processes.by_first(lambda: resume.finished(folder, config)):
                write_missing_report(config, folder)
                if processes.is_first():
                    _show_finished(folder)
                sys.exit(0)
            model, start = _ready(config, folder)
        session.ready = config, model, start
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    if not processes.is_first():
        _follow(config, folder, model, start, session.stop)


def _follow(config: "Config", folder: Path, model: "Model", start: "Start", stop: Stopping) -> None:
    """A process that is not the first: it computes; Hydra's folder, files and console are the first one's."""
    from twin.config import ConfigError
    from twin.health import HealthError
    from twin.processes import AgreedError
    from twin.run import simulate

    try:
        with on_signals(stop):
            simulate(config, folder, None, model, start, stop)
    except (ConfigError, HealthError) as error:
        if not isinstance(error, AgreedError):  # the first says that one
            print(f"error: {error}", file=sys.stderr)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(0)


def _ready(config: "Config", folder: Path) -> "tuple[Model, Start]":
    """Model and beginning of a run; ConfigError before anything is written, also where no launch mass exists."""
    from twin.chunks import compile_ahead
    from twin.model import build
    from twin.run import beginning, prepared

    model = build(config)
    compile_ahead(model)
    start = beginning(config, folder, model)
    prepared(model)
    return model, start


def _sweep(overrides: Sequence[str]) -> list[list[str]]:
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
    """Profiles that a glob sweep stands for."""
    return override.value().filter(_profiles(override.key_or_group))


def _job(session: _Session) -> None:
    """One run of Hydra: simulate into its output folder, show progress and the result."""
    from hydra.core.hydra_config import HydraConfig

    from twin.config import ConfigError
    from twin.endings import RunError
    from twin.health import HealthError
    from twin.model import build
    from twin.reporting import console
    from twin.run import simulate

    logging.raiseExceptions = False  # a full disk has no room for a log; the run says so itself
    hydra_config = HydraConfig.get()
    overrides = list(hydra_config.overrides.task)
    folder = Path(hydra_config.runtime.output_dir)
    if session.stop() and session.ready is None:  # the rest of a sweep
        return
    try:
        if session.ready is None:
            config = load(str(hydra_config.job.config_name), overrides)[0]
            model, start = build(config), None
        else:
            config, model, start = session.ready
        remarks = () if start is None else start.remarks
        with on_signals(session.stop) as stop, console.progress(model, remarks) as watch:
            data = simulate(config, folder, watch, model, start, stop)
        if data.attrs["status"] == "stopped":
            console.show_stopped(folder, data, _goes_on(hydra_config))
        else:
            console.show(folder)
    except (ConfigError, HealthError, RunError) as error:
        print(f"error: {error}", file=sys.stderr)
        session.failed += 1


def _goes_on(hydra_config: Any) -> str:
    """The command that goes on where this one has been stopped."""
    from twin import processes

    if processes.count() > 1:
        return f"the same command, with hydra.run.dir={hydra_config.runtime.output_dir}"
    sweep = str(hydra_config.mode).endswith("MULTIRUN")
    place = f"hydra.sweep.dir={hydra_config.sweep.dir}" if sweep else f"hydra.run.dir={hydra_config.runtime.output_dir}"
    program = ["python", sys.argv[0]] if sys.argv[0].endswith(".py") else [sys.argv[0]]
    own = [a for a in sys.argv[1:] if not a.startswith(("hydra.run.dir=", "hydra.sweep.dir=", "resume="))]
    return shlex.join([*program, *own, place])


def _show_finished(folder: Path) -> None:
    from twin.reporting import console

    console.show(folder)


def report_main() -> None:
    """Entry point of `twin-report` and `scripts/report.py`: the report of a run, the ranked table of a sweep."""
    from twin.config import ConfigError
    from twin.reporting import console

    if len(sys.argv) != 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: report.py RUN_OR_SWEEP_DIR", file=sys.stderr)
        sys.exit(0 if "-h" in sys.argv or "--help" in sys.argv else REFUSED)
    try:
        console.report(Path(sys.argv[1]))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(REFUSED)
