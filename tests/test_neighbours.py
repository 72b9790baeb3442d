"""The neighbour graph against all pairs of small fleets, and its facts against graphs known by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

import twin
from kernels import constants as const
from kernels import orbit
from twin.clusters import neighbours, neighbours_cli

CLEAR_M = 6_378_137.0 + 80e3  # over which a line of sight must pass


def sees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether both tangents to a sphere are longer than what lies between."""
    reach = sum(np.sqrt(np.sum(place**2, axis=1) - CLEAR_M**2) for place in (a, b))
    return np.linalg.norm(a - b, axis=1) <= reach


def everything(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.ones(len(a), dtype=bool)


def shell(satellites: int, seed: int = 0) -> np.ndarray:
    """Places all round the Earth, 500 to 1 500 km up."""
    numbers = np.random.default_rng(seed)
    directions = numbers.normal(size=(satellites, 3))
    radius = 6_378_137.0 + numbers.uniform(5e5, 1.5e6, (satellites, 1))
    return directions / np.linalg.norm(directions, axis=1)[:, None] * radius


def lattice(rows: int, columns: int, spacing_m: float = 100.0) -> np.ndarray:
    up, ahead = np.divmod(np.arange(rows * columns), columns)
    tilted = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    return np.stack([up, ahead, 0 * up], axis=1) * spacing_m @ tilted + 7e6


def by_all_pairs(places: np.ndarray, count: int, range_m: float) -> set[tuple[int, int]]:
    found = set()
    for one, place in enumerate(places):
        distance = np.linalg.norm(places - place, axis=1)
        fit = [k for k in np.argsort(distance) if k != one and distance[k] <= range_m]
        clear = [k for k in fit if sees(places[[one]], places[[k]])[0]]
        found |= {(min(one, int(k)), max(one, int(k))) for k in clear[:count]}
    return found


@pytest.mark.parametrize(
    ("satellites", "count", "range_m"), [(300, 4, 5e6), (40, 12, 2e7), (60, 3, 1.5e6), (2, 4, 1e6)]
)
def test_links_are_those_of_all_pairs(satellites, count, range_m):
    """Few satellites all round the Earth hide their nearest from each other; some have none in range."""
    places = shell(satellites)
    graph = neighbours.nearest(places, count, range_m, sees)
    assert set(map(tuple, graph.pairs.tolist())) == by_all_pairs(places, count, range_m)
    ends = [places[end] for end in graph.pairs.T]
    np.testing.assert_allclose(graph.length_m, np.linalg.norm(ends[0] - ends[1], axis=1))


def test_hidden_satellites_are_passed_over_for_those_in_sight():
    """Of a row of nine the four nearest are hidden from the first: it looks on."""
    places = np.zeros((9, 3))
    places[:, 0] = np.arange(9) ** 1.5

    def beyond_five(a, b):
        return np.linalg.norm(a - b, axis=1) >= 5.0**1.5

    graph = neighbours.nearest(places, 2, np.inf, beyond_five)
    assert [pair for pair in graph.pairs.tolist() if pair[0] == 0] == [[0, 5], [0, 6]]


def test_satellites_at_one_place_are_linked():
    graph = neighbours.nearest(np.zeros((3, 3)), 2, 1.0, everything)
    assert graph.pairs.tolist() == [[0, 1], [0, 2], [1, 2]] and np.all(graph.length_m == 0.0)


def test_a_lattice_has_its_links_its_routes_and_its_halves():
    places = lattice(10, 10)
    graph = neighbours.nearest(places, 4, 120.0, everything)
    degree = np.bincount(graph.pairs.ravel())
    assert np.bincount(degree).tolist() == [0, 0, 4, 32, 64] and len(graph.pairs) == 180
    assert neighbours.components(graph).tolist() == [100]
    assert neighbours.bisection_links(graph, places) == 10
    assert np.allclose(neighbours.nearest_m(places), 100.0)
    routes = neighbours.routes(graph, 0, hop_s=1e-3)
    assert routes.hops.reshape(10, 10).tolist() == np.add.outer(np.arange(10), np.arange(10)).tolist()
    np.testing.assert_allclose(routes.delay_s, routes.hops * (100.0 / const.SPEED_OF_LIGHT_M_PER_S + 1e-3))


def test_fleets_out_of_range_are_parts_of_their_own():
    places = np.concatenate([lattice(3, 3), lattice(2, 2) + 1e5])
    graph = neighbours.nearest(places, 4, 1e3, everything)
    assert neighbours.components(graph).tolist() == [9, 4]
    assert np.isinf(neighbours.routes(graph, 0).delay_s).tolist() == [False] * 9 + [True] * 4


def test_least_delay_is_no_longer_than_any_path():
    graph = neighbours.nearest(shell(200), 5, 6e6, sees)
    delay = neighbours.routes(graph, 3).delay_s
    (a, b), light_s = graph.pairs.T, graph.length_m / const.SPEED_OF_LIGHT_M_PER_S
    assert np.all(np.abs(delay[a] - delay[b]) <= light_s + 1e-15) and delay[3] == 0.0
    straight = np.linalg.norm(shell(200) - shell(200)[3], axis=1) / const.SPEED_OF_LIGHT_M_PER_S
    assert np.all(delay >= straight - 1e-15)


def test_places_of_a_built_model_are_those_of_its_orbits():
    """81 within a kilometre; an orbit later each is back but for the turn of its plane."""
    choices = ["orbit=dawn_dusk_650", "constellation=cluster_81"]
    model = twin.build(twin.compose("simulate", choices))
    places = neighbours.places_m(model, 0.0)
    assert places.shape == (81, 3)
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), 7_028_137.0, atol=450.0)
    graph = neighbours.nearest(places, 4, 230.0, everything)
    assert neighbours.components(graph).tolist() == [81]
    assert np.allclose(neighbours.nearest_m(places), 110.0, rtol=1e-3)
    plane = model.params["reference"]["orbit"]
    axis_m = jnp.asarray(plane["altitude_m"] + const.EARTH_RADIUS_M)
    rates = orbit.secular_rates(
        axis_m, jnp.asarray(0.0), orbit.sun_synchronous_inclination_rad(axis_m, jnp.asarray(0.0))
    )
    period_s = 2.0 * np.pi / float(rates.mean_anomaly_rad_per_s + rates.argument_of_perigee_rad_per_s)
    turned_m = axis_m * rates.node_rad_per_s * period_s
    moved_m = np.linalg.norm(neighbours.places_m(model, period_s) - places, axis=1)
    np.testing.assert_allclose(moved_m, turned_m, rtol=0.01)


def command(monkeypatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["neighbours.py", *arguments])
    neighbours_cli.neighbours_main()


def test_command_tells_of_a_shell_what_its_graph_says(monkeypatch, capsys):
    command(monkeypatch, "66/6")
    head, _, line = (row.strip("| ").split(" | ") for row in capsys.readouterr().out.splitlines())
    told = dict(zip(head, line, strict=True))
    shell = ["orbit=mid_inclination_550", "constellation=walker_delta", "constellation.satellites=66"]
    model = twin.build(twin.compose("simulate", [*shell, "constellation.planes=6", "link=starlink_laser"]))
    sight = neighbours.above_the_air(model.params["reference"]["link"])
    graph = neighbours.nearest(neighbours.places_m(model, 0.0), 4, 5e6, sight)
    assert told["fleet"] == "66/6" and told["links"] == str(len(graph.pairs)) and told["parts"] == "1"
    assert told["most hops"] == f"{neighbours.routes(graph, 0).hops.max():.0f}"


def test_command_has_help_and_refuses_what_is_no_fleet(monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, "--help")
    assert ended.value.code == 0 and "SATELLITES/PLANES" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, "66/6", "many")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: fleet = 'many': must be SATELLITES/PLANES")
