"""Sunlit time of real satellites in dawn-dusk orbits against SGP4, astropy's Sun and rays to an oblate Earth."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.time import Time
from sgp4.api import Satrec, SatrecArray
from validation import shadow

import twin

ELEMENTS = Path(__file__).resolve().parents[1] / "conf" / "data" / "dawn_dusk_sso_2026-06-14.tle"
# Eight that are eclipsed on that day, node near 18:00, from 416 to 1043 km up, and two that are not, node near 06:00.
CHOSEN = (
    69215,  # STARLINK-37700, 416 km
    47504,  # ION SCV-002, 431 km
    68845,  # STARLINK-37539, 462 km
    49072,  # TIANHUI 2-02B, 513 km
    56349,  # STARLINK-5887, 546 km, node at 17:26
    51284,  # LUDI TANCE 1-01A, 600 km
    27640,  # CORIOLIS, 823 km, launched in 2003
    63601,  # SHIYAN-27 OBJECT C, 1043 km
    39091,  # BRITE-AUSTRIA, 767 km, node at 05:26
    31598,  # COSMO-SKYMED 1, 573 km, node at 06:17
)
DAY = "2026-06-14T00:00:00"
DAY_S = 86_400.0
INTERVAL_S = 10.0


@pytest.fixture(scope="module")
def sets() -> list[tuple[str, str, str]]:
    """Name and two lines of each chosen satellite, in the order of the file."""
    lines = [line.rstrip("\n") for line in ELEMENTS.read_text().splitlines() if line.strip()]
    every = zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    chosen = [(name.strip(), first, second) for name, first, second in every if int(second[2:7]) in CHOSEN]
    assert len(chosen) == len(CHOSEN)
    return chosen


def mean_visible(place_m: np.ndarray, sun_m: np.ndarray) -> float:
    """Mean visible fraction of the Sun's disc behind the oblate Earth; traced where its centre is near the limb."""
    to_sun = sun_m - place_m
    clear = shadow.clearance(place_m, to_sun)
    fraction, near = np.where(clear > 0.0, 1.0, 0.0), np.abs(clear) < 0.02
    fraction[near] = shadow.visible(place_m[near], to_sun[near])
    return float(fraction.mean())


@pytest.fixture(scope="module")
def independent(sets) -> np.ndarray:
    """Mean visible fraction of the Sun's disc over the day, one sample in the middle of every 10 s."""
    seconds = (np.arange(int(DAY_S / INTERVAL_S)) + 0.5) * INTERVAL_S
    start = Time(DAY, scale="utc")
    sun_m = shadow.sun_track(start, DAY_S)(seconds)
    satellites = SatrecArray([Satrec.twoline2rv(first, second) for _, first, second in sets])
    errors, position_km, _ = satellites.sgp4(np.full(seconds.size, start.jd), seconds / DAY_S)
    assert not errors.any()
    return np.array([mean_visible(1e3 * place, sun_m) for place in position_km])


@pytest.fixture(scope="module")
def telemetry(sets, tmp_path_factory):
    """The twin over the same day with the same ten satellites, as it is configured by default."""
    file = tmp_path_factory.mktemp("sets") / "ten.tle"
    file.write_text("".join(f"{name}\n{first}\n{second}\n" for name, first, second in sets))
    return twin.simulate(twin.compose("simulate", ["experiment=dawn_dusk_2026", f"constellation.file={file}"]))


@pytest.mark.slow
def test_sunlit_fraction_of_a_day(sets, independent, telemetry):
    """Every satellite within 0.1 percentage points; the eclipsed ones spend up to 28 % of the day in the dark."""
    modelled = telemetry["sunlit_fraction"].mean("time").values.astype(float)
    for (name, _, second), ours, theirs in zip(sets, modelled, independent, strict=True):
        print(f"{name:28s} {second[2:7]} twin {100 * ours:8.4f} % independent {100 * theirs:8.4f} %", end=" ")
        print(f"difference {100 * (ours - theirs):+.4f} points")
    assert list(telemetry["norad_id"].values) == [int(second[2:7]) for _, _, second in sets]
    assert independent.min() < 0.75 and np.sort(independent)[7] < 0.95 and (np.sort(independent)[8:] == 1.0).all()
    assert np.abs(modelled - independent).max() < 0.001


@pytest.mark.slow
def test_telemetry_covers_the_day(telemetry):
    """Frames every five minutes to the end of the day, and the summary counts the same sunlit time."""
    summary = json.loads(telemetry.attrs["summary"])
    mean = float(telemetry["sunlit_fraction"].mean())
    assert summary["fleet"]["sunlit_fraction"] == pytest.approx(mean, abs=1e-5)
    ends = telemetry["time"].values
    assert ends[-1] == np.datetime64("2026-06-15T00:00:00") and (np.diff(ends) == np.timedelta64(300, "s")).all()
    assert ends[0] == np.datetime64("2026-06-14T00:05:00") and len(ends) == 288
