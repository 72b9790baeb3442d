"""Types of physical parameters: unit, range and number of knots, written once beside the name."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Annotated, NamedTuple, TypeAlias

from jax import Array

Scalar: TypeAlias = Array | float
Vector: TypeAlias = tuple[Array, Array, Array]


class Optics(NamedTuple):
    """Solar absorptivity and infrared emissivity of a face."""

    absorptivity: Array
    emissivity: Array


class Character(NamedTuple):
    """What a kind of work makes of an accelerator."""

    power_intensity: Array
    work_efficiency: Array
    load_floor: Array
    half_load: Array
    least_load: Array


KNOTS = 21  # every curve that a step evaluates has this many equally spaced knots on [0, 1]
PRINTED = -1  # a column of a printed table: as many values as its source has


@dataclass(frozen=True)
class Quantity:
    """Unit and allowed range of one parameter; `knots` marks a tabulated curve, or a column of a table (PRINTED)."""

    unit: str = ""
    minimum: float = -inf
    maximum: float = inf
    above: float | None = None
    knots: int = 0

    @property
    def suffix(self) -> str:
        """Ending that a parameter of this unit must carry: W/m2/K gives `w_per_m2_k`."""
        return self.unit.lower().replace("/", "_per_", 1).replace("/", "_")

    @property
    def allowed(self) -> str:
        """The range in words, for error messages."""
        low = f"above {self.above:g}" if self.above is not None else ""
        if not low and isfinite(self.minimum):
            low = f"at least {self.minimum:g}"
        high = f"at most {self.maximum:g}" if isfinite(self.maximum) else ""
        words = " and ".join(part for part in (low, high) if part) or "any finite number"
        return f"{words} {self.unit}".rstrip()

    def accepts(self, value: float) -> bool:
        """Whether a finite number lies in the allowed range."""
        inside = isfinite(value) and self.minimum <= value <= self.maximum
        return inside and (self.above is None or value > self.above)


def _positive(unit: str) -> Quantity:
    return Quantity(unit, above=0.0)


def _not_negative(unit: str) -> Quantity:
    return Quantity(unit, minimum=0.0)


Fraction = Annotated[Scalar, Quantity("", 0.0, 1.0)]
Flattening = Annotated[Scalar, Quantity("", 0.0, 0.1)]
StructureFraction = Annotated[Scalar, Quantity("", 0.0, 0.9)]
KneeFraction = Annotated[Scalar, Quantity("", 0.0, 0.95)]
Efficiency = Annotated[Scalar, Quantity("", above=0.0, maximum=1.0)]
Ratio = Annotated[Scalar, Quantity("", minimum=0.0)]
PositiveRatio = Annotated[Scalar, Quantity("", above=0.0)]
Eccentricity = Annotated[Scalar, Quantity("", 0.0, 0.9)]
Count = Annotated[Scalar, Quantity("", minimum=0.0, maximum=1e5)]
PositiveCount = Annotated[Scalar, Quantity("", minimum=1.0, maximum=1e6)]
Duration = Annotated[Scalar, Quantity("s", minimum=0.0)]
Distance = Annotated[Scalar, Quantity("m", minimum=0.0)]
Thickness = Annotated[Scalar, _positive("m")]
Altitude = Annotated[Scalar, Quantity("m", 1.5e5, 1e8)]
Angle = Annotated[Scalar, Quantity("rad", -6.3, 6.3)]
Inclination = Annotated[Scalar, Quantity("rad", 0.0, 3.1415927)]
PointingError = Annotated[Scalar, Quantity("rad", 0.0, 1.57)]
HourOfDay = Annotated[Scalar, Quantity("h", 0.0, 24.0)]
Area = Annotated[Scalar, _positive("m2")]
AreaOrNone = Annotated[Scalar, _not_negative("m2")]
Mass = Annotated[Scalar, _not_negative("kg")]
ArealMass = Annotated[Scalar, _not_negative("kg/m2")]
SpecificEnergy = Annotated[Scalar, _positive("J/kg")]
SpecificMass = Annotated[Scalar, _not_negative("kg/W")]
MassFlow = Annotated[Scalar, _positive("kg/s")]
Density = Annotated[Scalar, _positive("kg/m3")]
Pressure = Annotated[Scalar, _not_negative("Pa")]
PositivePressure = Annotated[Scalar, _positive("Pa")]
LatentHeat = Annotated[Scalar, _positive("J/kg")]
Coefficient = Annotated[Scalar, Quantity("")]
CoefficientKelvin = Annotated[Scalar, Quantity("K")]
CoefficientPerKelvin = Annotated[Scalar, Quantity("per_K")]
SpecificHeat = Annotated[Scalar, _positive("J/kg/K")]
HeatCapacity = Annotated[Scalar, _not_negative("J/K")]
ArealHeatCapacity = Annotated[Scalar, _not_negative("J/m2/K")]
Conductivity = Annotated[Scalar, _positive("W/m/K")]
ThermalResistance = Annotated[Scalar, _positive("K/W")]
Temperature = Annotated[Scalar, Quantity("K", 1.0, 2000.0)]
ActivationTemperature = Annotated[Scalar, Quantity("K", 0.0, 2e4)]  # activation energy over the gas constant
TemperatureWidth = Annotated[Scalar, Quantity("K", above=0.0, maximum=200.0)]
Power = Annotated[Scalar, _not_negative("W")]
PositivePower = Annotated[Scalar, _positive("W")]
Irradiance = Annotated[Scalar, _not_negative("W/m2")]
PositiveIrradiance = Annotated[Scalar, _positive("W/m2")]
Energy = Annotated[Scalar, _positive("J")]
Flops = Annotated[Scalar, _positive("flops")]
Voltage = Annotated[Scalar, _positive("V")]
CurveRatio = Annotated[Scalar, Quantity("", 0.6, 0.999)]
Fluence = Annotated[Scalar, _positive("per_m2")]
GlassThickness = Annotated[Scalar, Quantity("m", 0.0, 1.5e-3)]
TimeConstant = Annotated[Scalar, _positive("s")]
FluencePoints = Annotated[Array | Sequence[Array], Quantity("per_m2", minimum=0.0, knots=PRINTED)]
VoltagePoints = Annotated[Array | Sequence[Array], Quantity("V", above=0.0, knots=PRINTED)]
VoltagePerKelvinPoints = Annotated[Array | Sequence[Array], Quantity("V/K", -0.1, 0.1, knots=PRINTED)]
CurrentDensityPoints = Annotated[Array | Sequence[Array], Quantity("A/m2", above=0.0, knots=PRINTED)]
CurrentDensityPerKelvinPoints = Annotated[Array | Sequence[Array], Quantity("A/m2/K", -10.0, 10.0, knots=PRINTED)]
Spread = Annotated[Scalar, Quantity("", 0.0, 0.1)]
RelativePerKelvin = Annotated[Scalar, Quantity("per_K", -0.1, 0.1)]
Charge = Annotated[Scalar, _positive("C")]
Resistance = Annotated[Scalar, _positive("ohm")]
RatePerHour = Annotated[Scalar, _positive("per_h")]
Hours = Annotated[Scalar, _not_negative("h")]
Years = Annotated[Scalar, Quantity("years", above=0.0, maximum=100.0)]
Shielding = Annotated[Scalar, Quantity("m", 5e-4, 0.1)]
Dose = Annotated[Scalar, _positive("Gy")]
DoseRate = Annotated[Scalar, _positive("Gy/year")]
Age = Annotated[Scalar, Quantity("years", 0.0, 100.0)]
WearOutShape = Annotated[Scalar, Quantity("", 1.0, 20.0)]
RatePerYear = Annotated[Scalar, _not_negative("per_year")]
VoltageCurve = Annotated[Array | Sequence[Array], Quantity("V", above=0.0, knots=KNOTS)]
SolarFlux = Annotated[Scalar, Quantity("sfu", 50.0, 400.0)]
ApIndex = Annotated[Scalar, Quantity("", 0.0, 400.0)]
MolarMass = Annotated[Scalar, Quantity("kg/mol", 1e-3, 0.1)]
SpecificImpulse = Annotated[Scalar, Quantity("s", above=0.0, maximum=2e4)]

Speed = Annotated[Scalar, _not_negative("m/s")]
PerigeeHeight = Annotated[Scalar, Quantity("m", 0.0, 1e6)]
SmallFraction = Annotated[Scalar, Quantity("", 0.0, 0.5)]
VoltagePerKelvinCurve = Annotated[Array | Sequence[Array], Quantity("V/K", -0.01, 0.01, knots=KNOTS)]
