"""Write conf/data/particle_fluence.csv.gz: what trapped and solar protons and electrons of an orbit do to cells.

    pip install radbelt && TWIN_DATA=folder python scripts/particle_fluence.py

Fluxes of AE-8 and AP-8 (NASA tables and IGRF field in `radbelt`) are averaged over circular orbits and folded with the
relative damage coefficients of JPL 96-9 and 82-69; solar protons come from a SPENVIS run (ESP-PSYCHIC, 95 %, 825 km,
98.8 degrees), scaled by the part of an orbit outside the geomagnetic cut-off.
"""

import csv
import gzip
import io
import os
from pathlib import Path

import numpy as np

from kernels.constants import EARTH_RADIUS_M, YEAR_S

DATA = Path(os.environ["TWIN_DATA"]) / "radiation"
OUT = Path(__file__).resolve().parent.parent / "conf" / "data" / "particle_fluence.csv.gz"
ALTITUDE_KM = (300, 400, 500, 550, 600, 650, 700, 800, 900, 1000, 1200, 1400, 1600, 1800, 2000, 2500, 3000, 4000,
               6000, 8000, 10000, 15000, 20000, 28000, 36000)  # fmt: skip
INCLINATION_DEG = tuple(range(0, 91, 10))
MIL = (0, 1, 3, 6, 12, 20, 30, 60)
MICROMETRE = tuple(round(25.4 * mil) for mil in MIL)
ENERGY_MEV = {
    "electron": np.array([.15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 3, 4, 5, 6, 7]),
    "proton": np.array([.1, .15, .2, .3, .4, .6, .8, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 30, 50, 100, 200, 400]),
}  # fmt: skip
FIELD_YEAR = {"min": 1964.0, "max": 1970.0}  # the epochs at which the models were made
LATITUDE_DEG = np.arange(-90.0, 91.0, 5.0)
DIPOLE_TILT_RAD = np.radians(9.7)
# The fluence of seven active years is that of a cycle: spread over eleven years in proportion to activity, mean 0.5.
FULL_ACTIVITY_S = 0.5 * 11.0 * YEAR_S


def zonal_flux(altitude_km: float, activity: str, particle: str) -> np.ndarray:
    """Integral flux over energy and latitude, mean over longitude. [1/cm2/s]"""
    import radbelt  # pyright: ignore[reportMissingImports]

    step = 10.0 if altitude_km <= 2000.0 else 45.0
    longitude, latitude = np.meshgrid(np.arange(-180.0, 180.0, step), LATITUDE_DEG)
    shell, field_ratio = radbelt.igrf(longitude, latitude, altitude_km, FIELD_YEAR[activity])
    reached = np.isfinite(shell) & np.isfinite(field_ratio)
    means = []
    for energy in ENERGY_MEV[particle]:
        flux = np.zeros(shell.shape)
        if reached.any():
            found = radbelt.aep8(energy, shell[reached], field_ratio[reached], particle[0], activity)
            flux[reached] = np.maximum(np.nan_to_num(found), 0.0)
        reached &= flux > 0.0  # where none pass an energy, none pass a higher one
        means.append(flux.mean(axis=1))
    return np.array(means)


def orbit_mean(zonal: np.ndarray, inclination_deg: float) -> np.ndarray:
    """Mean over a circular orbit of a function of latitude, by its argument of latitude."""
    along = (np.arange(720) + 0.5) * np.pi / 360.0
    latitude = np.degrees(np.arcsin(np.sin(np.radians(inclination_deg)) * np.sin(along)))
    return np.array([np.interp(latitude, LATITUDE_DEG, row).mean() for row in zonal])


def damage_coefficients(cell: str, particle: str) -> tuple[np.ndarray, np.ndarray]:
    """Energies [MeV] and coefficients (energy, thickness)."""
    wanted = {"electron": "all", "proton": "Pmax_Voc"}[particle]
    columns: dict[str, dict[float, float]] = {str(mil): {} for mil in MIL}
    with open(DATA / "solar_cell_relative_damage_coefficients.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["cell"], row["particle"], row["parameter"]) == (cell, particle, wanted):
                columns.get(row["coverglass_mil"], {})[float(row["energy_MeV"])] = float(row["relative_damage"])
    energy = np.array(sorted(columns["0"]))
    return energy, np.array([[column[e] for column in columns.values()] for e in energy])


def equivalent(energy: np.ndarray, integral: np.ndarray, coefficients: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Spectrum folded with the coefficients, by thickness; the spectrum is a power law between its energies."""
    filled = integral > 0.0
    if filled.sum() < 2:
        return np.zeros(len(MIL))
    fine = np.geomspace(energy[filled][0], energy[filled][-1], 3000)
    above = np.exp(np.interp(np.log(fine), np.log(energy[filled]), np.log(integral[filled])))
    middle, between = np.sqrt(fine[1:] * fine[:-1]), -np.diff(above)
    return np.array([(between * np.interp(middle, coefficients[0], c)).sum() for c in coefficients[1].T])


def polar_share(altitude_km: float, inclination_deg: float, shell: float) -> float:
    """Part of a circular orbit on dipole shells above `shell`, longitudes averaged."""
    along, longitude = np.meshgrid(np.linspace(0.0, 2 * np.pi, 721)[:-1], np.linspace(0.0, 2 * np.pi, 73)[:-1])
    sine = np.sin(np.radians(inclination_deg)) * np.sin(along)
    magnetic = np.cos(DIPOLE_TILT_RAD) * sine + np.sin(DIPOLE_TILT_RAD) * np.sqrt(1 - sine**2) * np.cos(longitude)
    return float(np.mean((1.0 + altitude_km * 1e3 / EARTH_RADIUS_M) / (1.0 - magnetic**2) > shell))


def solar_protons() -> tuple[np.ndarray, np.ndarray, float]:
    """Energy [MeV], fluence in 7 years on the reference orbit [1/cm2], and the cut-off shell that explains it."""
    table = np.genfromtxt(DATA / "spenvis_825km_98p8deg_solar_protons_95pct.csv", delimiter=",", names=True)
    fluence, outside = table["integral_fluence_sc_7yr_cm2"], table["integral_fluence_1AU_cm2"]
    shells = np.linspace(2.0, 10.0, 161)
    shares = [polar_share(825.0, 98.8, shell) for shell in shells]
    return table["energy_MeV"], fluence, float(np.interp(-fluence[0] / outside[0], -np.array(shares), shells))


def main() -> None:
    """Compute every entry and write the table."""
    rows: list[list[str]] = []
    flux = {
        (h, activity, particle): zonal_flux(h, activity, particle)
        for h in ALTITUDE_KM
        for activity in FIELD_YEAR
        for particle in ENERGY_MEV
    }
    energy, fluence, shell = solar_protons()
    reference = polar_share(825.0, 98.8, shell)
    for cell in ("GaAs/Ge", "Si"):
        folded = {particle: damage_coefficients(cell, particle) for particle in ENERGY_MEV}
        solar = equivalent(energy, fluence / FULL_ACTIVITY_S, folded["proton"]) / reference
        for h in ALTITUDE_KM:
            for inclination in INCLINATION_DEG:
                for activity in FIELD_YEAR:
                    share = polar_share(h, inclination, shell) if activity == "max" else 0.0
                    for particle, rate in (
                        *((p, equivalent(e, orbit_mean(flux[h, activity, p], inclination), folded[p]))
                          for p, e in ENERGY_MEV.items()),
                        ("solar_proton", solar * share),
                    ):  # fmt: skip
                        rows.append(
                            [cell, particle, activity, str(h), str(inclination), *(f"{r * 1e4:.4g}" for r in rate)]
                        )
    text = io.StringIO()
    header = ["cell", "particle", "activity", "altitude_km", "inclination_deg", *(f"rate_{t}um" for t in MICROMETRE)]
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    OUT.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    print(f"{OUT}: {len(rows)} rows; geomagnetic cut-off at L = {shell:.2f}")


if __name__ == "__main__":
    main()
