"""Published radiator results, by our kernels under each source's own assumptions, with ours beside."""

import jax.numpy as jnp

import twin  # noqa: F401  64-bit numbers
from kernels import radiator, sunlight, thermal_network
from kernels.constants import EARTH_RADIUS_M
from kernels.constants import STEFAN_BOLTZMANN_W_PER_M2_K4 as SIGMA
from kernels.thermal_network import Coefficients, Topology
from validation.rows import Measured, row

PANEL = Topology(nodes=("panel",), massless=(0,))


def numbers(emission_m2):
    return Coefficients((jnp.asarray(0.0),), (), (), (), (), (jnp.asarray(emission_m2),))


def net_w(emission_m2, absorbed_w, temperature_k):
    """Heat that a panel rejects at a temperature."""
    flow = thermal_network.heat_flow_w(
        PANEL, numbers(emission_m2), (), (jnp.asarray(absorbed_w),), (jnp.asarray(temperature_k),)
    )
    return -float(flow[0])


def temperature_k(emission_m2, heat_w):
    """Temperature at which a panel rejects a heat."""
    start = (jnp.asarray(300.0),)
    return float(thermal_network.settled_k(PANEL, numbers(emission_m2), (), (jnp.asarray(heat_w),), start)[0])


def earth_view(altitude_m):
    """View factor of a plate whose plane holds the nadir."""
    return float(sunlight.earth_view_factor(jnp.asarray(0.0), jnp.asarray(1.0 + altitude_m / EARTH_RADIUS_M)))


# Starcloud, "Why we should train AI in space", 2024: 1 m2 of panel at 20 C, emissivity 0.92, absorptivity 0.09 on both
# faces, Sun on one of them, a quarter of the hemisphere filled by the Earth at -20 C.
def starcloud_w_per_m2(absorptivity_of_infrared, faces_that_see_the_earth):
    infrared = SIGMA * 253.15**4
    earth = 0.25 * (absorptivity_of_infrared * infrared + 0.09 * 0.3 * 1366.0)
    return net_w(2 * 0.92, 0.09 * 1366.0 + faces_that_see_the_earth * earth, 293.15)


@row(
    "Starcloud 2024: net heat of a two-sided panel, as published",
    against="633.08 W/m2; their sigma of 5.67e-8 is 7e-5 below ours",
    bound=0.1,
    unit="W/m2",
    kind="definition",
)
def test_starcloud_as_published() -> Measured:
    net = starcloud_w_per_m2(0.09, 1)
    return Measured(abs(net - 633.08), f"ours {net:.2f}; it takes the solar absorptivity for the Earth's infrared")


@row(
    "the same, the Earth's infrared absorbed with the emissivity",
    against="by hand: 584.76 W/m2, the published balance corrected",
    bound=0.1,
    unit="W/m2",
    kind="definition",
)
def test_starcloud_with_emissivity() -> float:
    return abs(starcloud_w_per_m2(0.92, 1) - 584.76)


@row(
    "the same, and both faces see the Earth",
    against="by hand: 521.98 W/m2, the published balance corrected",
    bound=0.1,
    unit="W/m2",
    kind="definition",
)
def test_starcloud_corrected() -> Measured:
    net = starcloud_w_per_m2(0.92, 2)
    view = earth_view(650e3)
    earth = view * (0.92 * 237.0 + 0.09 * 0.3 * 1361.0)
    edge_on = net_w(2 * 0.92, 2 * earth, 293.15)
    words = f"633 is {100 * (633.08 / net - 1):.0f} % high; edge-on to the Sun at 650 km (view {view:.3f}, 237 W/m2 and"
    return Measured(abs(net - 521.98), f"{words} full reflected light) it would be {edge_on:.0f} W/m2")


@row(
    "Turyshev 2026 (arXiv:2604.27197): radiator of 1 MW at 350 K, kg for each kW",
    against="12.476 kg/kW from the paper's inputs, printed as 12.5",
    bound=0.005,
    unit="kg/kW",
    kind="definition",
)
def test_turyshev() -> Measured:
    net = net_w(0.90 * 0.85, 150.0, 350.0)
    area_m2 = 1.25e6 / net
    panel = radiator.panel(
        area_m2=area_m2,
        second_face_fraction=0.0,
        areal_heat_capacity_j_per_m2_k=0.0,
        areal_mass_kg_per_m2=5.0,
        min_temperature_k=150.0,
        max_temperature_k=400.0,
    )
    error = abs(float(panel.mass_kg) / 1e3 - 12.476)
    both = net_w(2 * 0.90 * 0.85, 2 * 150.0, 350.0)
    return Measured(error, f"{net:.2f} W/m2, {area_m2:.0f} m2 (printed 2 500); with both faces {1.25e6 / both:.0f} m2")


@row(
    "SpaceX AI1: mean radiator temperature, 220 m2 of face, sink at 220 K, no Sun",
    against="by hand from the company's figures, June 2026: "
    "337.10 K at 120 kW, 353.16 K at 150 kW, 346.21 K at 120 kW and emissivity 0.80",
    bound=0.05,
    unit="K",
    kind="definition",
)
def test_ai1_radiator() -> Measured:
    cases = ((120e3, 0.91, 337.10), (150e3, 0.91, 353.16), (120e3, 0.80, 346.21))
    errors = []
    for heat_w, emissivity, published_k in cases:
        emission_m2 = 220.0 * emissivity
        errors.append(abs(temperature_k(emission_m2, heat_w + emission_m2 * SIGMA * 220.0**4) - published_k))
    fin = float(
        radiator.fin_efficiency(
            jnp.asarray(0.9),
            facesheet_thickness_m=0.5e-3,
            conductivity_w_per_m_k=167.0,
            tube_spacing_m=0.105,
            design_temperature_k=345.0,
        )
    )
    emission_m2, earth = 220.0 * 0.9 * fin, earth_view(550e3) * 237.0 / SIGMA
    ours = [temperature_k(emission_m2, heat_w + emission_m2 * SIGMA * earth) for heat_w in (120e3, 150e3)]
    words = f"with fins of {fin:.3f}, emissivity 0.90 and the Earth's infrared at 550 km for a sink"
    return Measured(max(errors), f"{words}: {ours[0]:.1f} and {ours[1]:.1f} K")
