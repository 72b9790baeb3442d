"""Table of what the particles of an orbit do to solar cells, as `scripts/particle_fluence.py` wrote it."""

import csv
import functools
import io

import jax.numpy as jnp
import numpy as np
from jax import Array

from twin.conf_path import conf_dir
from twin.inputs.data_files import read_text

CELLS = {"gallium_arsenide": "GaAs/Ge", "silicon": "Si"}
PARTICLES = ("electron", "proton", "solar_proton")


def read(material: str) -> dict[str, Array]:
    """Parameters of `kernels.cell_damage.FluenceTable` by name, for cells of a material."""
    return {name: jnp.asarray(values, dtype=jnp.float64) for name, values in _table(CELLS[material]).items()}


@functools.cache
def _table(cell: str) -> dict[str, np.ndarray]:
    header, *rows = csv.reader(io.StringIO(read_text(conf_dir() / "data" / "particle_fluence.csv.gz")))
    own = [row for row in rows if row[0] == cell]
    altitude_km, inclination_deg = (sorted({float(row[k]) for row in own}) for k in (3, 4))
    thickness_um = [float(name.removeprefix("rate_").removesuffix("um")) for name in header[5:]]
    shape = (2, len(altitude_km), len(inclination_deg), len(thickness_um))
    rates = {particle: np.full(shape, np.nan) for particle in PARTICLES}
    for row in own:
        place = ("min", "max").index(row[2]), altitude_km.index(float(row[3])), inclination_deg.index(float(row[4]))
        rates[row[1]][place] = [float(value) for value in row[5:]]
    return {
        "altitude_m": np.array(altitude_km) * 1e3,
        "inclination_rad": np.radians(inclination_deg),
        "thickness_m": np.array(thickness_um) * 1e-6,
        **{f"{particle}_per_m2_s": table for particle, table in rates.items()},
    }
