"""What the keys of a problem of design may be."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from twin.design.uncertainty_schema import Robust, Uncertainty
from twin.schema import Finite, Span, Strict, flat

OVER = ("mean", "worst")  # of scenarios; none can be called so


class Bounds(Span):
    """Where a number may lie; with it go those that it `scales`, in proportion."""

    integer: bool = False
    scales: list[str] = Field(default=[])

    @model_validator(mode="after")
    def _has_room(self) -> "Bounds":
        if not self.low < self.high:
            raise ValueError(f"low = {self.low:g} must be below high = {self.high:g}")
        return self


class Aim(Finite):
    """A measure, or a weighted sum of some, to be made small or large, `over` the scenarios or in one of them."""

    minimize: dict[str, float] | None = None
    maximize: dict[str, float] | None = None
    over: str = "mean"

    @field_validator("minimize", "maximize", mode="before")
    @classmethod
    def _by_measure(cls, given: Any) -> Any:
        if given is not None and not isinstance(given, str | Mapping):
            raise ValueError("must be a measure, or weights of several, such as {mass_kg: 1, cost_usd: 0.01}")
        return {given: 1.0} if isinstance(given, str) else given

    @model_validator(mode="after")
    def _has_one_sense(self) -> "Aim":
        if (self.minimize is None) == (self.maximize is None):
            raise ValueError("must have either minimize or maximize; the other is null")
        if not any(self.terms.values()):
            raise ValueError(f"{self.sense} must name at least one measure, with a weight other than 0")
        return self

    @property
    def sense(self) -> Literal["minimize", "maximize"]:
        """Whether small or large is good."""
        return "maximize" if self.minimize is None else "minimize"

    @property
    def terms(self) -> dict[str, float]:
        """Weights by measure."""
        return (self.maximize if self.minimize is None else self.minimize) or {}


class Bound(Finite):
    """The least or the most that a measure may be, in some scenarios or in all."""

    measure: str
    least: float | None = None
    most: float | None = None
    scenarios: list[str] | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _has_one_side(self) -> "Bound":
        if (self.least is None) == (self.most is None):
            raise ValueError(f"must have either least or most for {self.measure}")
        if len(set(self.scenarios or ())) < len(self.scenarios or ()):
            raise ValueError("must name each of its scenarios once")
        return self


class Solver(Strict):
    """How the best design is sought."""

    method: Literal["slsqp", "trust_constr", "augmented_lagrangian"]
    starts: int = Field(ge=1, le=1000)
    seed: int = Field(ge=0, lt=2**63)
    tolerance: float = Field(gt=0, le=0.1)
    most_iterations: int = Field(ge=1, le=100_000)


class Front(Finite):
    """A second measure, in the worst scenario or in one, whose least or most goes from a `low` to a `high` bound.

    At each of the points the best design is sought anew; an end that is not given is found.
    """

    measure: str
    kind: Literal["least", "most"]
    over: str = "worst"
    low: float | None = None
    high: float | None = None
    points: int = Field(ge=2, le=1000)

    @model_validator(mode="after")
    def _has_room(self) -> "Front":
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low = {self.low:g} must be below high = {self.high:g}")
        return self


class Design(Strict):
    """A problem of design; numbers are found by paths, in nested mappings or dotted keys.

    Each scenario is the run with further overrides; without any it is the run as it is.
    """

    name: str = ""
    orbits: int = Field(ge=1, le=1000)
    exchanges: int = Field(ge=2, le=1000)
    variables: dict[str, Bounds] = Field(min_length=1)
    scenarios: dict[str, list[str]] = Field(default={})
    objective: Aim
    limits: dict[str, Bound] = Field(default={})
    solver: Solver
    pareto: Front | None = None
    sensitivities: list[str] = Field(default=[])
    uncertainty: Uncertainty | None = None
    robust: Robust | None = None
    sources: dict[str, str] = Field(default={})

    @field_validator("scenarios")
    @classmethod
    def _are_told_apart(cls, given: dict[str, list[str]]) -> dict[str, list[str]]:
        if taken := [name for name in OVER if name in given]:
            raise ValueError(f"{taken[0]} cannot be the name of a scenario: it means the {taken[0]} of them")
        if unnamed := [name for name in given if not (name.strip() and name.isprintable())]:
            raise ValueError(f"{unnamed[0]!r} cannot be the name of a scenario: must be something that can be printed")
        return given

    @field_validator("robust")
    @classmethod
    def _is_against_something(cls, given: Robust | None, info: ValidationInfo) -> Robust | None:
        if given is not None and info.data.get("uncertainty", given) is None:
            raise ValueError("needs design.uncertainty, the numbers against which the design is to be robust")
        if given is not None and info.data.get("sensitivities"):
            raise ValueError(
                "goes without design.sensitivities, which are of nominal rows; one of both must be left out"
            )
        return given

    @field_validator("variables", mode="before")
    @classmethod
    def _by_path(cls, given: Any) -> Any:
        return flat(given)
