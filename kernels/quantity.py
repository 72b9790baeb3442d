"""Types of physical parameters: unit, range and number of knots, written once beside the name.

`Optics` and `Character` are what one component tells another: of a face, and of a kind of work.
"""

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
PRINTED = -1  # a column of a printed table: as many values as its source has, at most PRINTED_MOST
PRINTED_MOST = 12
FREE = -2  # a list as long as its author likes
LENGTHS = {PRINTED: (1, PRINTED_MOST), FREE: (2, 128)}  # fewest and most values


@dataclass(frozen=True)
class Quantity:
    """Unit and allowed range of one parameter; `knots` marks a curve, a column or a list (LENGTHS)."""

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
    def lengths(self) -> tuple[int, int]:
        """Fewest and most values of a curve, a column or a list."""
        return LENGTHS.get(self.knots, (self.knots, self.knots))

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


# Numbers without a unit
Coefficient = Annotated[Scalar, Quantity("")]
Ratio = Annotated[Scalar, Quantity("", minimum=0.0)]
PositiveRatio = Annotated[Scalar, Quantity("", above=0.0)]
Fraction = Annotated[Scalar, Quantity("", 0.0, 1.0)]
Fractions = Annotated[Array, Quantity("", 0.0, 1.0, knots=FREE)]
SmallFraction = Annotated[Scalar, Quantity("", 0.0, 0.5)]
StructureFraction = Annotated[Scalar, Quantity("", 0.0, 0.9)]
KneeFraction = Annotated[Scalar, Quantity("", 0.0, 0.95)]
Efficiency = Annotated[Scalar, Quantity("", above=0.0, maximum=1.0)]
CurveRatio = Annotated[Scalar, Quantity("", 0.6, 0.999)]
Spread = Annotated[Scalar, Quantity("", 0.0, 0.1)]
Flattening = Annotated[Scalar, Quantity("", 0.0, 0.1)]
Eccentricity = Annotated[Scalar, Quantity("", 0.0, 0.9)]
WearOutShape = Annotated[Scalar, Quantity("", 1.0, 20.0)]
ApIndex = Annotated[Scalar, Quantity("", 0.0, 400.0)]
Count = Annotated[Scalar, Quantity("", minimum=0.0, maximum=1e5)]
StartTemperature = Annotated[Scalar, Quantity("K", 150.0, 450.0)]
PositiveCount = Annotated[Scalar, Quantity("", minimum=1.0, maximum=1e6)]

# Times and rates
Duration = Annotated[Scalar, Quantity("s", minimum=0.0)]
TimeConstant = Annotated[Scalar, _positive("s")]
Hours = Annotated[Scalar, _not_negative("h")]
HourOfDay = Annotated[Scalar, Quantity("h", 0.0, 24.0)]
Age = Annotated[Scalar, Quantity("years", 0.0, 100.0)]
Lifetime = Annotated[Scalar, Quantity("years", above=0.0, maximum=1e6)]
Years = Annotated[Scalar, Quantity("years", above=0.0, maximum=100.0)]
BuildingLife = Annotated[Scalar, Quantity("years", 1.0, 100.0)]
ServiceLife = Annotated[Scalar, Quantity("years", 0.25, 50.0)]
RatePerHour = Annotated[Scalar, _positive("per_h")]
RatePerYear = Annotated[Scalar, _not_negative("per_year")]

# Geometry and motion
Distance = Annotated[Scalar, Quantity("m", minimum=0.0)]
Altitude = Annotated[Scalar, Quantity("m", 1.5e5, 1e8)]
PerigeeHeight = Annotated[Scalar, Quantity("m", 0.0, 1e6)]
Thickness = Annotated[Scalar, _positive("m")]
GlassThickness = Annotated[Scalar, Quantity("m", 0.0, 1.5e-3)]
Shielding = Annotated[Scalar, Quantity("m", 2e-3, 0.02)]
Area = Annotated[Scalar, _positive("m2")]
AreaOrNone = Annotated[Scalar, _not_negative("m2")]
Angle = Annotated[Scalar, Quantity("rad", -6.3, 6.3)]
Inclination = Annotated[Scalar, Quantity("rad", 0.0, 3.1415927)]
PointingError = Annotated[Scalar, Quantity("rad", 0.0, 1.57)]
Speed = Annotated[Scalar, _not_negative("m/s")]
SpecificImpulse = Annotated[Scalar, Quantity("s", above=0.0, maximum=2e4)]

# Matter and flow
Mass = Annotated[Scalar, _not_negative("kg")]
ArealMass = Annotated[Scalar, _not_negative("kg/m2")]
SpecificMass = Annotated[Scalar, _not_negative("kg/W")]
MolarMass = Annotated[Scalar, Quantity("kg/mol", 1e-3, 0.1)]
Density = Annotated[Scalar, _positive("kg/m3")]
MassFlow = Annotated[Scalar, _positive("kg/s")]
Pressure = Annotated[Scalar, _not_negative("Pa")]
PositivePressure = Annotated[Scalar, _positive("Pa")]

# Heat
Temperature = Annotated[Scalar, Quantity("K", 1.0, 2000.0)]
TemperatureWidth = Annotated[Scalar, Quantity("K", above=0.0, maximum=200.0)]
ActivationTemperature = Annotated[Scalar, Quantity("K", 0.0, 2e4)]  # activation energy over the gas constant
CoefficientKelvin = Annotated[Scalar, Quantity("K")]
CoefficientPerKelvin = Annotated[Scalar, Quantity("per_K")]
RelativePerKelvin = Annotated[Scalar, Quantity("per_K", -0.1, 0.1)]
HeatCapacity = Annotated[Scalar, _not_negative("J/K")]
ArealHeatCapacity = Annotated[Scalar, _not_negative("J/m2/K")]
SpecificHeat = Annotated[Scalar, _positive("J/kg/K")]
LatentHeat = Annotated[Scalar, _positive("J/kg")]
Conductivity = Annotated[Scalar, _positive("W/m/K")]
ThermalResistance = Annotated[Scalar, _positive("K/W")]

# Energy, power and work
Energy = Annotated[Scalar, _positive("J")]
SpecificEnergy = Annotated[Scalar, _positive("J/kg")]
Power = Annotated[Scalar, _not_negative("W")]
PositivePower = Annotated[Scalar, _positive("W")]
Irradiance = Annotated[Scalar, _not_negative("W/m2")]
PositiveIrradiance = Annotated[Scalar, _positive("W/m2")]
Flops = Annotated[Scalar, _positive("flops")]

# Data
LargeCount = Annotated[Scalar, Quantity("", minimum=1.0, maximum=1e18)]
Bytes = Annotated[Scalar, _positive("byte")]
ByteRate = Annotated[Scalar, _positive("byte/s")]

# Electricity
Voltage = Annotated[Scalar, _positive("V")]
Resistance = Annotated[Scalar, _positive("ohm")]
Charge = Annotated[Scalar, _positive("C")]
VoltageCurve = Annotated[Array | Sequence[Array], Quantity("V", above=0.0, knots=KNOTS)]
VoltagePerKelvinCurve = Annotated[Array | Sequence[Array], Quantity("V/K", -0.01, 0.01, knots=KNOTS)]
VoltagePoints = Annotated[Array | Sequence[Array], Quantity("V", above=0.0, knots=PRINTED)]
VoltagePerKelvinPoints = Annotated[Array | Sequence[Array], Quantity("V/K", -0.1, 0.1, knots=PRINTED)]
CurrentDensityPoints = Annotated[Array | Sequence[Array], Quantity("A/m2", above=0.0, knots=PRINTED)]
CurrentDensityPerKelvinPoints = Annotated[Array | Sequence[Array], Quantity("A/m2/K", -10.0, 10.0, knots=PRINTED)]

# Signals
Aperture = Annotated[Scalar, Quantity("m", above=0.0, maximum=100.0)]
Wavelength = Annotated[Scalar, Quantity("m", 1e-7, 1.0)]
Frequency = Annotated[Scalar, _positive("Hz")]
Decibels = Annotated[Scalar, Quantity("dB", 0.0, 100.0)]
DataRate = Annotated[Scalar, _positive("bit/s")]
SpectralEfficiency = Annotated[Scalar, Quantity("bit/s/Hz", above=0.0, maximum=20.0)]
Elevation = Annotated[Scalar, Quantity("rad", 0.0, 1.5)]
WeatherSpell = Annotated[Scalar, Quantity("s", 600.0, 1e7)]
PathStretch = Annotated[Scalar, Quantity("", 1.0, 10.0)]
HopLength = Annotated[Scalar, _positive("m")]

# Sun and particles
SolarFlux = Annotated[Scalar, Quantity("sfu", 50.0, 400.0)]
Fluence = Annotated[Scalar, _positive("per_m2")]
FluencePoints = Annotated[Array | Sequence[Array], Quantity("per_m2", minimum=0.0, knots=PRINTED)]
Dose = Annotated[Scalar, _positive("Gy")]
DoseRate = Annotated[Scalar, _positive("Gy/year")]

# Money, industry and what people count in
Money = Annotated[Scalar, _not_negative("usd")]
MoneyPerYear = Annotated[Scalar, _not_negative("usd/year")]
PricePerMass = Annotated[Scalar, _not_negative("usd/kg")]
PricePerPower = Annotated[Scalar, _not_negative("usd/W")]
PricePerPowerYear = Annotated[Scalar, _not_negative("usd/W/year")]
PricePerArea = Annotated[Scalar, _not_negative("usd/m2")]
PricePerEnergy = Annotated[Scalar, _not_negative("usd/kWh")]
PricePerHour = Annotated[Scalar, _not_negative("usd/h")]
PricePerFuel = Annotated[Scalar, _not_negative("usd/MMBtu")]
HeatRate = Annotated[Scalar, _not_negative("Btu/kWh")]
PowerPerYear = Annotated[Scalar, _positive("W/year")]
PowerPerMass = Annotated[Scalar, _positive("W/kg")]
EnergyPerYear = Annotated[Scalar, _positive("kWh/year")]
AreaPerYear = Annotated[Scalar, _positive("m2/year")]
MassPerYear = Annotated[Scalar, _not_negative("kg/year")]
CarbonPerMass = Annotated[Scalar, _not_negative("kg/kg")]
CarbonPerPower = Annotated[Scalar, _not_negative("kg/W")]
CarbonPerEnergy = Annotated[Scalar, _not_negative("kg/kWh")]
CarbonPerFuel = Annotated[Scalar, _not_negative("kg/MMBtu")]
WaterPerEnergy = Annotated[Scalar, _not_negative("l/kWh")]
Volume = Annotated[Scalar, _positive("m3")]
LearningRate = Annotated[Scalar, Quantity("", 0.0, 0.9)]  # part of a price lost with each doubling
Growth = Annotated[Scalar, Quantity("per_year", -0.9, 10.0)]
DiscountRate = Annotated[Scalar, Quantity("per_year", -0.05, 1.0)]
PowerUsageEffectiveness = Annotated[Scalar, Quantity("", 1.0, 5.0)]
CountPerYear = Annotated[Scalar, _positive("per_year")]
WorkPerToken = Annotated[Scalar, _positive("flop")]
FlopPerToken = Annotated[Scalar, _positive("flop/token")]
BitPerToken = Annotated[Scalar, _not_negative("bit/token")]
Bits = Annotated[Scalar, _not_negative("bit")]
BitPerFlop = Annotated[Scalar, _not_negative("bit/flop")]
Latitude = Annotated[Scalar, Quantity("rad", 0.0, 1.5707964)]
PositiveMass = Annotated[Scalar, _positive("kg")]
Share = Annotated[Scalar, Quantity("", above=0.0, maximum=1.0)]  # of what a world makes
FractionPerYear = Annotated[Scalar, Quantity("per_year", 0.0, 0.9)]
