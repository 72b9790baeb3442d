"""What a cluster trains, by hand; its distances against those of Project Suncatcher; refusals of its command."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import twin
from kernels import orbit, training
from twin.clusters import cluster, cluster_cli

CHOICES = ["experiment=suncatcher_cluster", "link=suncatcher", "workload=training_405b"]


def built(*choices: str) -> cluster.Cluster:
    return cluster.cluster(twin.build(twin.compose("simulate", [*CHOICES, *choices])))


@pytest.fixture(scope="module")
def square() -> cluster.Cluster:
    """Nine by nine satellites, failures and upsets as expected."""
    return built("constellation=cluster_81", "failures=expected")


@pytest.fixture(scope="module")
def disc() -> cluster.Cluster:
    """81 satellites in a disc, which never fail."""
    return built()


@pytest.mark.parametrize("side", [3, 4, 9])
def test_ring_and_torus_span_no_more_than_two_places(side):
    """Every satellite has its two and four links; the ring is one."""
    grid = np.arange(side**2).reshape(side, side)
    links = cluster.links(grid)
    for name, each, most in (("ring", 2, 2), ("torus", 4, 2), ("grid", None, 1)):
        pairs = links[name]
        apart = np.abs(np.subtract(*(np.stack(np.divmod(end, side)) for end in pairs.T))).sum(axis=0)
        assert apart.max() == most and len(np.unique(np.sort(pairs, axis=1), axis=0)) == len(pairs)
        if each:
            assert np.all(np.bincount(pairs.ravel()) == each)
    after = dict(links["ring"].tolist())
    place, seen = 0, set()
    while place not in seen:
        seen.add(place)
        place = after[place]
    assert len(seen) == side**2


def test_disc_has_the_distances_of_project_suncatcher(disc):
    """arXiv 2511.19468: 81 satellites within 1 km, next neighbours 100-200 m apart as they circle."""
    from_centre = disc.places_m - np.mean(disc.places_m, axis=1, keepdims=True)
    assert np.linalg.norm(from_centre, axis=-1).max() == pytest.approx(1000.0, rel=1e-3)
    shape = cluster.shape(disc)
    assert shape["nearest_least_m"] == pytest.approx(100.0, rel=1e-3)
    assert shape["nearest_most_m"] == pytest.approx(200.0, rel=1e-3)
    assert shape["parts"] == 1.0


def test_disc_takes_the_places_nearest_to_its_centre():
    """Gauss's circle: 1, 5, 9, 13, 21 places of a square lattice lie within 0, 1, sqrt 2, 2 and sqrt 5 of one."""
    centre = orbit.Elements(*map(jnp.asarray, (7e6, 0.0, 1.7, 0.3, 0.0, 0.0)))
    for satellites, radius in ((5, 1.0), (9, 2**0.5), (13, 2.0), (21, 5**0.5), (81, 5.0)):
        placed = orbit.disc(jnp.arange(float(satellites)), satellites, centre, spacing_m=100.0)
        np.testing.assert_allclose(np.max(placed.eccentricity), radius * 100.0 / 7e6, rtol=1e-12)
        assert (
            len(np.unique(np.round(np.stack([placed.eccentricity, placed.mean_anomaly_rad]), 9), axis=1).T)
            == satellites
        )


def test_square_lattice_is_half_as_wide_a_quarter_of_an_orbit_later(square):
    """110 m up is 110-220 m, 110 m ahead 55-110 m; links of two places up 440 m, of one each way 2 x hypot(110, 55)."""
    shape, longest = cluster.shape(square), cluster.longest_m(square)
    assert shape["grid_neighbour_least_m"] == pytest.approx(55.0, rel=1e-3)
    assert shape["grid_neighbour_most_m"] == pytest.approx(220.0, rel=1e-3)
    assert shape["nearest_most_m"] == pytest.approx(110.0, rel=1e-3)
    assert longest["torus"] == pytest.approx(440.0, rel=1e-3)
    assert longest["ring"] == pytest.approx(2.0 * np.hypot(110.0, 55.0), rel=3e-3)
    assert longest["clos"] == pytest.approx(4.0 * np.hypot(440.0, 220.0), rel=3e-3)


def test_training_takes_what_its_parts_take_by_hand(square):
    """1.62 TB of gradients over links of 9.6 Tbit/s, both ways round the ring; all of it behind the computation."""
    found = cluster.trained(square)
    one_way_s = 80.0 * (1.62e12 / 2.0 / (81.0 * 1.2e12) + 5e-6 + found["ring"]["longest_link_m"] / 299_792_458.0)
    assert found["ring"]["between_satellites_s"] == pytest.approx(2.0 * one_way_s, rel=1e-6)
    inside_s = 2.0 * 63.0 * (1.62e12 / (64.0 * 4e11) + 5e-6)
    rate_flops = float(square.cohort.shared.nominal_flops) * 64 * 81
    compute_s = 6.0 * 4.05e11 * 1.6e7 / rate_flops
    for name in ("ring", "torus", "clos"):
        now = found[name]
        assert now["inside_satellites_s"] == pytest.approx(inside_s, rel=1e-9)
        assert now["compute_s"] == now["step_s"] == pytest.approx(compute_s, rel=1e-9)
        assert now["model_flop_utilization"] == pytest.approx(rate_flops / (64 * 81 * 9.18e14), rel=1e-9)
        delivered = now["delivered_model_flop_utilization"] * 64 * 81 * 9.18e14 * now["training_days"] * 86_400.0
        assert delivered == pytest.approx(6.0 * 4.05e11 * 1.56e13, rel=1e-9)
    assert found["torus"]["bisection_bit_per_s"] == pytest.approx(18 * 9.6e12)


def test_upsets_by_dose_and_failures_by_age_interrupt(square):
    """5 184 chips at 1.5 Gy a year: an uncorrected error per 0.44 Gy, a hang per 50, an eighth of a crash per 2.118.

    New ones fail 4.43 x 0.11 times a year; what they hang on 151 times in 54 days of 16 384 (Llama 3).
    """
    others = 0.062
    assert others == pytest.approx(151 / (16_384 * 54 / 365.25), rel=0.01)
    a_year = 81 * 64 * (1.5 * (1 / 0.44 + 1 / 50.0 + 1 / (8 * 2.118)) + 4.43 * 0.11 + others)
    found = cluster.trained(square)["ring"]
    assert found["interruptions_per_day"] == pytest.approx(a_year / 365.25, rel=1e-5)
    useful = training.useful_fraction(
        jnp.asarray(found["interruptions_per_day"] / 86_400.0),
        jnp.asarray(found["checkpoint_interval_s"]),
        jnp.asarray(found["checkpoint_s"]),
        300.0,
    )
    assert found["useful_fraction"] == pytest.approx(float(useful), rel=1e-12) and found["useful_fraction"] < 0.8


def test_what_never_fails_trains_all_the_time(disc):
    found = cluster.trained(disc)["torus"]
    assert found["interruptions_per_day"] == 0.0 and found["useful_fraction"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (
            "constellation.satellites=80",
            "constellation.satellites = 80: must be a square number of at least 9, such as 81",
        ),
        ("link=none", "link = 'none': must be one between satellites, such as link=suncatcher"),
        ("link.terminals=1", "link.terminals = 1: must be at least 2, as many as a ring takes"),
        ("workload=steady", "workload = 'steady': must be a training, such as workload=training_405b"),
        ("constellation=single", "constellation: must be one cluster, such as constellation=cluster_81, not "),
        ("out=nowhere/answer.json", "out = 'nowhere/answer.json': no such folder 'nowhere'"),
    ],
)
def test_command_refuses_in_one_sentence(choice, sentence, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["cluster.py", choice])
    with pytest.raises(SystemExit) as ended:
        cluster_cli.cluster_main()
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2 and line.startswith(f"error: {sentence}")


def test_command_prints_tables_and_writes_the_same_numbers(tmp_path: Path, monkeypatch, capsys):
    """Three terminals are too few for a torus; links of 100 Gbit/s leave a twentieth of the peak."""
    target = tmp_path / "answer.json"
    arguments = ["workload=training_405b", "workload=training_8b", "link=starlink_laser", f"out={target}"]
    monkeypatch.setattr("sys.argv", ["cluster.py", *arguments])
    cluster_cli.cluster_main()
    found = json.loads(target.read_text(encoding="utf-8"))
    assert list(found["training"]) == ["training_405b", "training_8b"]
    networks = found["training"]["training_405b"]
    assert list(networks) == ["ring"]
    assert 0.04 < networks["ring"]["model_flop_utilization"] < 0.07
    shown = capsys.readouterr().out
    assert f"| step_s | {networks['ring']['step_s']:.4g} |" in shown
    assert f"| grid_neighbour_most_m | {found['shape']['grid_neighbour_most_m']:.4g} |" in shown
