"""Solar cell as its sheet prints it: four points of a current-voltage curve that fluence and temperature move."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from kernels import safe_math as sm
from kernels.constants import COVER_GLASS_KG_PER_M3
from kernels.quantity import (
    ArealMass,
    CurrentDensityPerKelvinPoints,
    CurrentDensityPoints,
    CurveRatio,
    Efficiency,
    Fluence,
    FluencePoints,
    Fraction,
    GlassThickness,
    Optics,
    PositiveIrradiance,
    PositiveRatio,
    RelativePerKelvin,
    Scalar,
    Spread,
    Temperature,
    VoltagePerKelvinPoints,
    VoltagePoints,
)
from kernels.registry import model, part


class Points(NamedTuple):
    """What a sheet prints of a current-voltage curve, per cell area; or how each of the four changes per kelvin."""

    open_circuit_voltage_v: Array
    max_power_voltage_v: Array
    short_circuit_current_a_per_m2: Array
    max_power_current_a_per_m2: Array


class Cell(NamedTuple):
    """A cell at its age: points at the reference temperature and irradiance, and their change per kelvin."""

    reference: Points
    per_kelvin: Points
    reference_temperature_k: Array
    reference_irradiance_w_per_m2: Array


class Build(NamedTuple):
    """What a cell is made of, per cell area, and what that means to particles."""

    bare_kg_per_m2: Array  # cell and adhesive
    covered_kg_per_m2: Array  # with its cover glass
    cover_glass_thickness_m: Array
    proton_to_electron_ratio: Array


@part("solar_cell")
def build(
    *, areal_mass_kg_per_m2: ArealMass, cover_glass_thickness_m: GlassThickness, proton_to_electron_ratio: PositiveRatio
) -> Build:
    """Mass of the cell with its adhesive, the glass on it, and how many 1 MeV electrons age it as one 10 MeV proton."""
    bare, glass = jnp.asarray(areal_mass_kg_per_m2), jnp.asarray(cover_glass_thickness_m)
    return Build(bare, bare + glass * COVER_GLASS_KG_PER_M3, glass, jnp.asarray(proton_to_electron_ratio))


@part("solar_cell")
def cell_optics(*, absorptivity: Fraction, emissivity: Fraction) -> Optics:
    """Solar absorptivity and infrared emissivity of the covered cell."""
    return Optics(jnp.asarray(absorptivity), jnp.asarray(emissivity))


@model("solar_cell")
def current_voltage(
    fluence_per_m2: Array,
    *,
    fluence_points_per_m2: FluencePoints,
    open_circuit_voltage_v: VoltagePoints,
    max_power_voltage_v: VoltagePoints,
    short_circuit_current_a_per_m2: CurrentDensityPoints,
    max_power_current_a_per_m2: CurrentDensityPoints,
    coefficient_fluence_points_per_m2: FluencePoints,
    open_circuit_voltage_coefficient_v_per_k: VoltagePerKelvinPoints,
    max_power_voltage_coefficient_v_per_k: VoltagePerKelvinPoints,
    short_circuit_current_coefficient_a_per_m2_k: CurrentDensityPerKelvinPoints,
    max_power_current_coefficient_a_per_m2_k: CurrentDensityPerKelvinPoints,
    fluence_scale_per_m2: Fluence,
    reference_temperature_k: Temperature,
    reference_irradiance_w_per_m2: PositiveIrradiance,
) -> Cell:
    """Cell of a data sheet after a fluence of 1 MeV electrons: its printed tables, joined in log(1 + fluence / scale).

    A straight line in that measure is the law of JPL 82-69, 1 - C log(1 + fluence / scale), which is linear in small
    fluences; beyond the last printed fluence the values follow the last segment, the coefficients stay.
    """

    def age(fluence: Array) -> Array:
        return jnp.log1p(fluence / fluence_scale_per_m2)

    now = age(fluence_per_m2)
    printed = age(jnp.asarray(fluence_points_per_m2))
    printed_coefficients = age(jnp.asarray(coefficient_fluence_points_per_m2))
    held = sm.clip(now, printed_coefficients[0], printed_coefficients[-1])
    voltages = (open_circuit_voltage_v, max_power_voltage_v)
    currents = (short_circuit_current_a_per_m2, max_power_current_a_per_m2)
    changes = (
        open_circuit_voltage_coefficient_v_per_k,
        max_power_voltage_coefficient_v_per_k,
        short_circuit_current_coefficient_a_per_m2_k,
        max_power_current_coefficient_a_per_m2_k,
    )
    return Cell(
        Points(*(jnp.maximum(sm.polyline(printed, jnp.asarray(column), now), 0.0) for column in voltages + currents)),
        Points(*(sm.polyline(printed_coefficients, jnp.asarray(column), held) for column in changes)),
        jnp.asarray(reference_temperature_k),
        jnp.asarray(reference_irradiance_w_per_m2),
    )


@model("solar_cell")
def linear_efficiency(
    fluence_per_m2: Array,
    *,
    efficiency_bol: Efficiency,
    power_coefficient_per_k: RelativePerKelvin,
    power_loss_per_decade: Fraction,
    fluence_scale_per_m2: Fluence,
    voltage_ratio: CurveRatio,
    current_ratio: CurveRatio,
    reference_temperature_k: Temperature,
    reference_irradiance_w_per_m2: PositiveIrradiance,
) -> Cell:
    """Cell of which only the efficiency is published: power falls by JPL 82-69's law and linearly with temperature.

    Its voltage is not known and counts as 1 V at maximum power; `voltage_ratio` and `current_ratio` are those of
    maximum power to open circuit and to short circuit.
    """
    decades = jnp.log1p(fluence_per_m2 / fluence_scale_per_m2) / jnp.log(10.0)
    kept = jnp.maximum(1.0 - power_loss_per_decade * decades, 0.0)
    current = kept * efficiency_bol * reference_irradiance_w_per_m2
    one = jnp.ones_like(kept)
    change = one * power_coefficient_per_k
    return Cell(
        Points(one / voltage_ratio, one, current / current_ratio, current),
        Points(change / voltage_ratio, change, 0.0 * one, 0.0 * one),
        jnp.asarray(reference_temperature_k),
        jnp.asarray(reference_irradiance_w_per_m2),
    )


def maximum_power_w_per_m2(cell: Cell, temperature_k: Scalar, irradiance_w_per_m2: Scalar) -> Array:
    """Maximum power per cell area. [W/m2]

    Current follows irradiance. The voltage's logarithm of irradiance is left out: 0.1 % between perihelion and
    aphelion, and 7 % of the little that a cell gives at a tenth of a Sun.
    """
    warmer_k = temperature_k - cell.reference_temperature_k
    voltage = cell.reference.max_power_voltage_v + cell.per_kelvin.max_power_voltage_v * warmer_k
    current = cell.reference.max_power_current_a_per_m2 + cell.per_kelvin.max_power_current_a_per_m2 * warmer_k
    power = jnp.maximum(voltage, 0.0) * jnp.maximum(current, 0.0)
    return power * irradiance_w_per_m2 / cell.reference_irradiance_w_per_m2


def current_a_per_m2(points: Points, voltage_v: Array) -> Array:
    """Current at a voltage from 0 to open circuit: through the four points, with maximum power where it is printed.

    The explicit curve j = 1 - (1 - g) v - g v^m of Karmalkar & Haneefa 2008, IEEE Electron Device Letters 29, 449,
    in units of open circuit and short circuit. Where a sheet's rounded numbers bend more than a diode can, the
    current rises by (g - 1), below 2 %, before it falls.
    """
    exponent, g = _shape(points)
    v = voltage_v / points.open_circuit_voltage_v
    return points.short_circuit_current_a_per_m2 * (1.0 - (1.0 - g) * v - g * sm.power(v, exponent))


@part("array")
def mismatch_loss(points: Points, *, current_spread: Spread) -> Array:
    """Part of a string's power lost when its cells' currents have a relative standard deviation `current_spread`.

    Second order of a string in series around its maximum power, Bucciarelli 1979, Solar Energy 23, 277:
    (C + 2) / 2 times the variance, where C = m (2 - 1/j) for the curve of `current_a_per_m2`.
    A string solved cell by cell loses a sixth more at a spread of 1 %.
    """
    exponent, _ = _shape(points)
    j = points.max_power_current_a_per_m2 / points.short_circuit_current_a_per_m2
    return (1.0 + 0.5 * exponent * (2.0 - 1.0 / j)) * current_spread * current_spread


def _shape(points: Points) -> tuple[Array, Array]:
    """Exponent m and weight g of the curve that meets (v, j) there with the slope -j/v of a power maximum.

    Both conditions leave w exp(w) = s exp(s) with w = s + (m - 1) ln v: Lambert's function on the branch w < -1, by
    Newton's method on its logarithm; the root w = s is a straight line.
    """
    v = points.max_power_voltage_v / points.open_circuit_voltage_v
    j = points.max_power_current_a_per_m2 / points.short_circuit_current_a_per_m2
    ratio = (2.0 * j - 1.0) / (j + v - 1.0)
    straight = ratio * jnp.log(v)
    wanted = straight + jnp.log(-straight)
    w = wanted - jnp.log(-wanted)
    for _ in range(4):
        w = w - (w + jnp.log(-w) - wanted) * w / (w + 1.0)
    exponent = 1.0 + (w - straight) / jnp.log(v)
    return exponent, (2.0 * j - 1.0) / ((exponent - 1.0) * sm.power(v, exponent))
