"""What the keys of uncertain numbers and of a robust design may be."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from twin.schema import Finite, Strict, joined

Word = Annotated[str, Field(min_length=1)]
Open = Annotated[float, Field(gt=0, lt=1)]
NAMES = ("uniform", "triangular", "normal", "lognormal", "truncated")


class _Distribution(Finite):
    """What a number may turn out to be; a `relative` one is a multiple of the value that it has."""

    relative: bool = False
    source: Word


class Uniform(_Distribution):
    """Every value between two is as likely."""

    distribution: Literal["uniform"]
    low: float
    high: float

    @model_validator(mode="after")
    def _has_room(self) -> "Uniform":
        return _rising(self, "low", "high")


class Triangular(_Distribution):
    """Most likely at one value, and less so, evenly, to either side."""

    distribution: Literal["triangular"]
    low: float
    likely: float
    high: float

    @model_validator(mode="after")
    def _has_room(self) -> "Triangular":
        if not self.low <= self.likely <= self.high:
            raise ValueError(f"likely = {self.likely:g} must lie between low = {self.low:g} and high = {self.high:g}")
        return _rising(self, "low", "high")


class Normal(_Distribution):
    """Normal: unbounded, so that only few quantities can have it."""

    distribution: Literal["normal"]
    mean: float
    sigma: float = Field(gt=0)


class Lognormal(_Distribution):
    """Its logarithm is normal, with the median's logarithm as mean and `sigma_log` as standard deviation."""

    distribution: Literal["lognormal"]
    median: float = Field(gt=0)
    sigma_log: float = Field(gt=0)


class Truncated(_Distribution):
    """Normal, but for nothing below low or above high."""

    distribution: Literal["truncated"]
    mean: float
    sigma: float = Field(gt=0)
    low: float
    high: float

    @model_validator(mode="after")
    def _has_room(self) -> "Truncated":
        return _rising(self, "low", "high")


def _rising(model: Any, low: str, high: str) -> Any:
    if not getattr(model, low) < getattr(model, high):
        raise ValueError(f"{low} = {getattr(model, low):g} must be below {high} = {getattr(model, high):g}")
    return model


Distribution = Annotated[Uniform | Triangular | Normal | Lognormal | Truncated, Field(discriminator="distribution")]


class Correlation(Strict):
    """Numbers that go together: the correlation, of each two, of the normal numbers behind them (Gaussian copula)."""

    paths: list[str] = Field(min_length=2)
    correlation: float = Field(gt=-1, lt=1)


class Uncertainty(Strict):
    """Numbers that are not known for sure, by path, and how they are sampled."""

    method: Literal["sobol", "latin_hypercube", "random"]
    samples: int = Field(ge=2, le=1_000_000)
    seed: int = Field(ge=0, lt=2**63)
    parameters: dict[str, Distribution] = Field(min_length=1)
    correlated: list[Correlation] = Field(default=[])
    interval: Open  # part of the samples between the quantiles that are told
    indices: bool = False  # variance-based, which take as many samples again for each number

    @field_validator("parameters", mode="before")
    @classmethod
    def _by_path(cls, given: Any) -> Any:
        return by_path(given)

    @field_validator("samples")
    @classmethod
    def _are_balanced(cls, samples: int, info: ValidationInfo) -> int:
        if info.data.get("method") == "sobol":
            _power_of_two(samples)
        return samples


def _power_of_two(samples: int) -> int:
    if samples & (samples - 1):
        raise ValueError(f"must be a power of two, such as {1 << (samples - 1).bit_length()}, for a Sobol sequence")
    return samples


class Robust(Strict):
    """How rows of a robust design stand for all samples: by mean and deviation, or by a quantile to the bad side."""

    samples: Annotated[int, Field(ge=4, le=4096), AfterValidator(_power_of_two)]
    statistic: Literal["mean_plus_sigma", "quantile"]
    k: float | None = Field(default=None, ge=0, le=10)
    probability: Open | None = None

    @model_validator(mode="after")
    def _has_its_number(self) -> "Robust":
        own, other = ("k", "probability") if self.statistic == "mean_plus_sigma" else ("probability", "k")
        if getattr(self, own) is None or getattr(self, other) is not None:
            raise ValueError(f"{self.statistic} must have {own}, and no {other}")
        return self


def by_path(given: Any, path: str = "") -> Any:
    """Nested mappings as one by dotted path, whose leaves name a distribution; ValueError for any other leaf."""
    if not isinstance(given, Mapping) or (path and not given):
        raise ValueError(
            f"{path or str(given)!r} must be a mapping that names a distribution, one of {', '.join(NAMES)}"
        )
    if "distribution" in given:
        if given["distribution"] not in NAMES:
            raise ValueError(
                f"{path} has the distribution {given['distribution']!r}, must be one of {', '.join(NAMES)}"
            )
        return {path: given}
    return joined(by_path(value, f"{path}.{key}" if path else str(key)) for key, value in given.items())
