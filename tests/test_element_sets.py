"""Element sets: every format, every refusal, decay, and the kernel's orbits against SGP4."""

import csv
import gzip
import io
import json
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sgp4.api import Satrec
from sgp4.exporter import export_omm

from kernels import orbit
from twin.config import ConfigError
from twin.inputs import element_sets
from twin.inputs.data_files import find

jax.config.update("jax_enable_x64", True)

DATA = Path(__file__).parent.parent / "conf" / "data"
DAWN_DUSK = DATA / "dawn_dusk_sso_2026-06-14.tle"
START_MS = round(datetime(2026, 6, 14, tzinfo=UTC).timestamp() * 1000)
NAME_1, FIRST_1, SECOND_1, NAME_2, FIRST_2, SECOND_2 = DAWN_DUSK.read_text().splitlines()[:6]
SETS = [(NAME_1, FIRST_1, SECOND_1), (NAME_2, FIRST_2, SECOND_2)]
THREE_LINES = "".join(f"{line}\n" for record in SETS for line in record)


def signed(line: str) -> str:
    """The line with its checksum made right."""
    total = sum(int(c) if c in "0123456789" else c == "-" for c in line[:68])
    return f"{line[:68]}{total % 10}"


def put(line: str, start: int, text: str) -> str:
    """The line with `text` from column `start` (from 1) on, signed again."""
    return signed(line[: start - 1] + text + line[start - 1 + len(text) :])


def messages() -> list[dict[str, str]]:
    """The two sets as OMM fields, made by the sgp4 package."""
    return [{k: str(v) for k, v in export_omm(Satrec.twoline2rv(a, b), name).items()} for name, a, b in SETS]


def as_xml(records: list[dict[str, str]]) -> str:
    body = ""
    for record in records:
        leaves = {key: f"<{key}>{value}</{key}>" for key, value in record.items()}
        meta = "".join(
            leaves.pop(key) for key in ("OBJECT_NAME", "OBJECT_ID", "REF_FRAME", "TIME_SYSTEM") if key in leaves
        )
        mean = "".join(leaves.values())
        body += (
            f"<omm><body><segment><metadata>{meta}</metadata><data><meanElements>{mean}</meanElements></data></segment>"
        )
        body += "</body></omm>\n"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ndm>\n{body}</ndm>\n'


def as_kvn(records: list[dict[str, str]]) -> str:
    return "".join(
        "CCSDS_OMM_VERS = 3.0\nCOMMENT of no use\n"
        + "".join(
            f"{k} = {v}{' [deg]' if k == 'INCLINATION' else ''}\n" for k, v in record.items() if k != "CCSDS_OMM_VERS"
        )
        for record in records
    )


def as_csv(records: list[dict[str, str]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue()


def as_numbers(records: list[dict[str, str]]) -> str:
    """JSON in which numbers are numbers."""
    return json.dumps(
        [{k: float(v) if re.fullmatch(r"-?\d+\.\d+(e-\d+)?", v) else v for k, v in r.items()} for r in records]
    )


def read(tmp_path: Path, content: str | bytes, subset: str | None = None, name: str = "sets.txt"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return element_sets.read(path, START_MS, subset)


FORMATS = {
    "three_lines_with_zero": "".join(f"0 {n}\n{a}\n{b}\n" for n, a, b in SETS),
    "crlf_and_blank_lines": "\r\n\r\n" + THREE_LINES.replace("\n", "\r\n\r\n"),
    "trailing_blanks": THREE_LINES.replace("\n", "  \n"),
    "no_last_line_end": THREE_LINES.rstrip("\n"),
    "byte_order_mark": "\ufeff" + THREE_LINES,
    "gzip": gzip.compress(THREE_LINES.encode()),
    "xml": as_xml(messages()),
    "xml_name_space": as_xml(messages()).replace("<ndm>", '<ndm xmlns="urn:ccsds:schema:ndmxml">'),
    "kvn": as_kvn(messages()),
    "csv": as_csv(messages()),
    "json": json.dumps(messages()),
    "json_numbers": as_numbers(messages()),
}


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS)
def test_every_format_gives_the_same_elements(tmp_path: Path, content: str | bytes) -> None:
    plain, other = read(tmp_path, THREE_LINES), read(tmp_path, content)
    assert other.names == plain.names == (NAME_1, NAME_2)
    assert other.norad_ids == plain.norad_ids == (7530, 27640)
    for name, values in plain.arrays().items():
        assert values.dtype == np.float64 and values.shape == (2,)
        np.testing.assert_allclose(other.arrays()[name], values, rtol=1e-12, atol=2e-6 if name == "age_s" else 1e-14)


def test_two_lines_without_names(tmp_path: Path) -> None:
    sets = read(tmp_path, f"{FIRST_1}\n{SECOND_1}\n{FIRST_2}\n{SECOND_2}\n")
    assert sets.names == ("NORAD 7530", "NORAD 27640")
    np.testing.assert_array_equal(sets.age_s, read(tmp_path, THREE_LINES).age_s)


def test_elements_are_those_of_sgp4() -> None:
    lines = DAWN_DUSK.read_text().splitlines()
    sets = element_sets.read(DAWN_DUSK, START_MS)
    theirs = [Satrec.twoline2rv(a, b) for a, b in zip(lines[1::3], lines[2::3], strict=True)]

    def column(name: str) -> np.ndarray:
        return np.array([getattr(satellite, name) for satellite in theirs])

    assert len(sets.names) == 415 and not sets.dropped and not sets.stale
    assert sets.norad_ids == tuple(column("satnum"))
    np.testing.assert_allclose(sets.mean_motion_rad_per_s, column("no_kozai") / 60.0, rtol=1e-14)
    np.testing.assert_allclose(sets.mean_motion_rate_rad_per_s2, 2.0 * column("ndot") / 3600.0, rtol=1e-12)
    np.testing.assert_allclose(sets.eccentricity, column("ecco"), rtol=1e-14)
    np.testing.assert_allclose(sets.inclination_rad, column("inclo"), rtol=1e-14)
    np.testing.assert_allclose(sets.node_rad, column("nodeo"), rtol=1e-14)
    np.testing.assert_allclose(sets.argument_of_perigee_rad, column("argpo"), rtol=1e-14)
    np.testing.assert_allclose(sets.mean_anomaly_rad, column("mo"), rtol=1e-14)
    start_julian = START_MS / 86_400_000.0 + 2440587.5
    age_s = ((start_julian - column("jdsatepoch")) - column("jdsatepochF")) * 86_400.0
    np.testing.assert_allclose(sets.age_s, age_s, atol=1e-4)


@pytest.mark.parametrize(
    ("code", "number"), [("A0001", 100_001), ("E8493", 148_493), ("J2931", 182_931), ("Z9999", 339_999)]
)
def test_alpha_5_numbers(tmp_path: Path, code: str, number: int) -> None:
    assert read(tmp_path, f"{put(FIRST_1, 3, code)}\n{put(SECOND_1, 3, code)}\n").norad_ids == (number,)


def test_last_century(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="decayed"):  # a low satellite of 1980, 46 years before the run
        read(tmp_path, f"{put(FIRST_1, 19, '80')}\n{put(SECOND_1, 53, '16.20000000')}\n")


def test_subset(tmp_path: Path) -> None:
    assert read(tmp_path, THREE_LINES, "coriol").names == ("CORIOLIS",)
    with pytest.raises(ConfigError, match=r"none of its 2 satellites has 'starlink'"):
        read(tmp_path, THREE_LINES, "starlink")


def test_newest_epoch_of_an_object_counts(tmp_path: Path) -> None:
    older = put(FIRST_1, 21, "160")
    for content in (f"{older}\n{SECOND_1}\n{FIRST_1}\n{SECOND_1}\n", f"{FIRST_1}\n{SECOND_1}\n{older}\n{SECOND_1}\n"):
        sets = read(tmp_path, content)
        assert sets.norad_ids == (7530,)
        assert abs(sets.age_s[0]) < 2 * 86_400.0


def test_old_epochs_are_kept_and_named(tmp_path: Path) -> None:
    sets = read(tmp_path, f"{put(FIRST_1, 21, '120')}\n{SECOND_1}\n{FIRST_2}\n{SECOND_2}\n")
    assert len(sets.names) == 2
    assert sets.stale == ("NORAD 7530 (7530): epoch 44 days before the start",)


def test_decayed_are_dropped_and_counted(tmp_path: Path) -> None:
    def falling(name: str, number: str, drag: str, motion: str, day: str) -> str:
        first, second = put(put(put(FIRST_2, 3, number), 54, drag), 21, day), put(put(SECOND_2, 3, number), 53, motion)
        return f"{name}\n{first}\n{second}\n"

    sets = read(
        tmp_path,
        falling("LOW", "00001", " 00000+0", "16.80000000", "164")
        + falling("SLOW", "00002", " 99999-2", "16.20000000", "100")
        # 64 days on, SGP4 puts these two beyond the Moon without an error.
        + falling("FAST", "00003", " 99999-2", "16.10000000", "100")
        + falling("FASTER", "00004", " 99999-1", "15.90000000", "100")
        + falling("SOUND", "00005", " 62201-4", "14.19943971", "100"),
    )
    assert sets.names == ("SOUND",)
    assert len(sets.dropped) == 4
    assert re.fullmatch(r"LOW \(1\): (perigee|height) -?\d+ km, below 100 km", sets.dropped[0])
    assert re.fullmatch(r"SLOW \(2\): SGP4 error 6, .* decayed", sets.dropped[1])
    assert all(re.fullmatch(r"FAST\w* \(\d\): (SGP4 error 6, .*|fallen below .*)", text) for text in sets.dropped[2:])


BAD_LINES = {
    "empty": ("", r"empty"),
    "blank": ("\n \n", r"empty"),
    "unknown": ("hello\nworld\n", r"line 1: 'hello' begins no known format"),
    "web_page": ("<html><body>404</body></html>", r"no OMM record"),
    "truncated_1": (f"{FIRST_1[:60]}\n{SECOND_1}\n", r"line 1: 60 characters; a line of an element set has 69"),
    "truncated_2": (f"{NAME_1}\n{FIRST_1}\n{SECOND_1[:-1]}\n", r"line 3: 68 characters"),
    "too_long": (f"{FIRST_1}0\n{SECOND_1}\n", r"line 1: 70 characters"),
    "checksum_1": (f"{FIRST_1[:-1]}9\n{SECOND_1}\n", r"line 1: checksum '9' given, 8 computed"),
    "checksum_2": (f"{FIRST_1}\n{SECOND_1[:-1]}x\n", r"line 2: checksum 'x' given, \d computed"),
    "numbers_differ": (f"{FIRST_1}\n{SECOND_2}\n", r"line 2: catalogue number 27640 differs from 07530 in line 1"),
    "no_line_2": (f"{FIRST_1}\n{FIRST_2}\n{SECOND_2}\n", r"line 2: '1 27640U.*' given where the line 2 of line 1 must"),
    "no_line_2_at_end": (f"{THREE_LINES}{FIRST_1}\n", r"line 8: the end of the file given where the line 2 of line 7"),
    "no_line_1": (f"{NAME_1}\n{SECOND_1}\n{FIRST_2}\n{SECOND_2}\n", r"line 2: a line 2 without a line 1"),
    "two_names": (f"{FIRST_1}\n{SECOND_1}\nA\nB\n{FIRST_2}\n{SECOND_2}\n", r"line 4: 'B' given where line 1 of 'A'"),
    "name_only": (f"{THREE_LINES}ALONE\n", r"line 7: 'ALONE' names a satellite but no element set follows"),
    "not_a_number": (
        f"{FIRST_1}\n{put(SECOND_1, 9, 'abc.defg')}\n",
        r"line 2: inclination = 'abc.defg ' in columns 9-17",
    ),
    "not_a_drag": (f"{put(FIRST_1, 54, ' nan    ')}\n{SECOND_1}\n", r"line 1: drag term = ' nan     ' in columns"),
    "not_blank": (f"{put(FIRST_1, 33, 'X')}\n{SECOND_1}\n", r"line 1: epoch day = .*X' in columns 21-33"),
    "letter_o": (f"{put(FIRST_1, 3, 'O0001')}\n{SECOND_1}\n", r"line 1: catalogue number = 'O0001'"),
    "inclination": (
        f"{FIRST_1}\n{put(SECOND_1, 9, '180.0001')}\n",
        r"line 2: inclination \[deg\] = 180; allowed is 0 to 180",
    ),
    "node": (
        f"{FIRST_1}\n{put(SECOND_1, 18, '400.0000')}\n",
        r"line 2: right ascension .* = 400; allowed is -360 to 360",
    ),
    "mean_motion": (
        f"{FIRST_1}\n{put(SECOND_1, 53, ' 0.00000000')}\n",
        r"line 2: mean motion .* = 0; allowed is above 0",
    ),
    "epoch_day": (
        f"{put(FIRST_1, 21, '366')}\n{SECOND_1}\n",
        r"line 1: epoch day = 366.*; allowed is a day of the year 2026",
    ),
    "epoch_day_0": (f"{put(FIRST_1, 21, '000')}\n{SECOND_1}\n", r"line 1: epoch day = 0\.6"),
    "all_decayed": (
        f"{FIRST_1}\n{put(SECOND_1, 53, '17.00000000')}\n",
        r"all 1 element sets have decayed .* NORAD 7530",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), BAD_LINES.values(), ids=BAD_LINES)
def test_bad_lines_are_refused_in_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refusal:
        read(tmp_path, content, name="fleet.tle")
    assert "fleet.tle" in str(refusal.value) and "\n" not in str(refusal.value)


WRITERS = {"xml": as_xml, "kvn": as_kvn, "csv": as_csv, "json": json.dumps}
NEEDED = (
    "NORAD_CAT_ID",
    "EPOCH",
    "MEAN_MOTION",
    "ECCENTRICITY",
    "INCLINATION",
    "RA_OF_ASC_NODE",
    "BSTAR",
    "MEAN_MOTION_DOT",
)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("field", NEEDED)
def test_missing_omm_field(tmp_path: Path, write, field: str) -> None:
    records = messages()
    for record in records[0 if write is as_csv else 1 :]:  # a CSV lacks a field in all records
        del record[field]
    with pytest.raises(
        ConfigError, match=rf"fleet\.omm, record {1 if write is as_csv else 2}: field {field} is missing"
    ):
        read(tmp_path, write(records), name="fleet.omm")


BAD_FIELDS = [
    ("ECCENTRICITY", "1.0", r"eccentricity = 1; allowed is 0 or more and below 1"),
    ("ECCENTRICITY", "-0.1", r"eccentricity = -0.1"),
    ("ECCENTRICITY", "nan", r"ECCENTRICITY = 'nan' is not a number"),
    ("ECCENTRICITY", " ", r"field ECCENTRICITY is missing"),
    ("MEAN_MOTION", "0.0", r"mean motion \[rev/day\] = 0; allowed is above 0"),
    ("MEAN_MOTION", "1e999", r"mean motion \[rev/day\] = inf"),
    ("INCLINATION", "-1", r"inclination \[deg\] = -1; allowed is 0 to 180"),
    ("INCLINATION", "1_0", r"INCLINATION = '1_0' is not a number"),
    ("NORAD_CAT_ID", "12.5", r"NORAD_CAT_ID = '12.5'; allowed is a whole number"),
    ("EPOCH", "yesterday", r"EPOCH = 'yesterday' must be an instant in UTC"),
    ("EPOCH", "2126-06-14T00:00:00", r"EPOCH = '2126-06-14T00:00:00' must lie in 1950-2049"),
    ("EPOCH", "2026-000T00:00:00", r"EPOCH = '2026-000T00:00:00' must be an instant"),
    ("REF_FRAME", "GCRF", r"REF_FRAME = 'GCRF'; allowed is TEME"),
    ("MEAN_ELEMENT_THEORY", "DSST", r"MEAN_ELEMENT_THEORY = 'DSST'; allowed is SGP4"),
]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(("field", "value", "sentence"), BAD_FIELDS)
def test_bad_omm_field(tmp_path: Path, write, field: str, value: str, sentence: str) -> None:
    records = messages()
    records[0][field] = records[0].get(field, "")
    records[1][field] = value
    with pytest.raises(ConfigError, match=rf"fleet\.omm, record 2: {sentence}"):
        read(tmp_path, write(records), name="fleet.omm")


BAD_SYNTAX = {
    "xml": (as_xml(messages()).replace("</ndm>", ""), r"line \d+: not well-formed XML"),
    "json": ('[{"EPOCH": 1,}]', r"line 1: not well-formed JSON"),
    "json_deep": ("[" * 100_000, r"not well-formed JSON"),
    "json_number": ("[3]", r"record 1: '3' is not a set of OMM fields"),
    "json_empty": ("[]", r"no OMM record"),
    "kvn": ("CCSDS_OMM_VERS = 3.0\nnonsense\n", r"line 2: 'nonsense' is not KEY = VALUE"),
    "csv_header_only": ("OBJECT_NAME,NORAD_CAT_ID,EPOCH\n", r"no OMM record"),
    "csv_field": ("EPOCH\n" + "x" * 200_000, r"not well-formed CSV"),
    "damaged_gzip": (gzip.compress(THREE_LINES.encode())[:-20], r"damaged gzip file"),
}


@pytest.mark.parametrize(("content", "sentence"), BAD_SYNTAX.values(), ids=BAD_SYNTAX)
def test_bad_syntax(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    with pytest.raises(ConfigError, match=rf"fleet\.omm.*{sentence}"):
        read(tmp_path, content, name="fleet.omm")


def test_day_of_the_year_in_an_epoch(tmp_path: Path) -> None:
    records = messages()
    calendar, ordinal = read(tmp_path, as_kvn(records)), None
    for record in records:
        day, clock = record["EPOCH"].split("T")
        record["EPOCH"] = f"{datetime.fromisoformat(day):%Y-%j}T{clock}"
    ordinal = read(tmp_path, as_kvn(records))
    np.testing.assert_array_equal(ordinal.age_s, calendar.age_s)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.tle: no such file"):
        element_sets.read(tmp_path / "nowhere.tle", START_MS)
    with pytest.raises(ConfigError, match=r"cannot be read \(Is a directory\)"):
        element_sets.read(tmp_path, START_MS)


def test_where_files_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search, data = tmp_path / "conf", tmp_path / "data"
    for folder in (search, data / "orbits", data / "workload"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TWIN_DATA", raising=False)
    with pytest.raises(ConfigError, match=r"a\.tle: no such file in the working directory, .*conf"):
        find("a.tle", search)
    (data / "orbits" / "a.tle").touch()
    monkeypatch.setenv("TWIN_DATA", str(data))
    assert find("a.tle", search) == data / "orbits" / "a.tle"
    (search / "a.tle").touch()
    assert find("a.tle", search) == search / "a.tle"
    (tmp_path / "a.tle").touch()
    assert find("a.tle", search).resolve() == (tmp_path / "a.tle").resolve()
    assert find(search / "a.tle") == search / "a.tle"


characters = st.one_of(st.characters(min_codepoint=32, max_codepoint=126), st.characters(codec="utf-8"))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(THREE_LINES) - 1), character=characters, honest=st.booleans())
def test_any_corrupted_character_is_refused_or_harmless(tmp_path: Path, at: int, character: str, honest: bool) -> None:
    text = THREE_LINES[:at] + character + THREE_LINES[at + 1 :]
    if honest:  # the checksum is made to fit, so that the fields have to stand the damage
        text = "\n".join(signed(line) if len(line) == 69 and line[0] in "12" else line for line in text.split("\n"))
    try:
        sets = read(tmp_path, text)
    except ConfigError as error:
        assert "\n" not in str(error)
        return
    assert all(np.isfinite(values).all() for values in sets.arrays().values())


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), form=st.sampled_from(("xml", "kvn", "csv", "json")), character=characters)
def test_corrupted_omm_is_refused_or_harmless(tmp_path: Path, data, form: str, character: str) -> None:
    text = FORMATS[form]
    assert isinstance(text, str)
    at = data.draw(st.integers(0, len(text) - 1))
    try:
        sets = read(tmp_path, text[:at] + character + text[at + 1 :])
    except ConfigError:
        return
    assert all(np.isfinite(values).all() for values in sets.arrays().values())


def positions_km(sets: element_sets.ElementSets, chosen: np.ndarray, later_s: float) -> np.ndarray:
    """Positions (satellite, 3) in TEME by the orbit kernel, as the twin prepares them."""
    a = SimpleNamespace(**{name: jnp.asarray(values[chosen]) for name, values in sets.arrays().items()})
    axis = orbit.brouwer_axis_m(a.mean_motion_rad_per_s, a.eccentricity, a.inclination_rad)
    rates = orbit.secular_rates(axis, a.eccentricity, a.inclination_rad)._replace(
        mean_anomaly_rad_per_s=a.mean_motion_rad_per_s, mean_anomaly_rad_per_s2=a.mean_motion_rate_rad_per_s2
    )
    angles = (a.inclination_rad, a.node_rad, a.argument_of_perigee_rad, a.mean_anomaly_rad)
    elements = orbit.advance(orbit.Elements(axis, a.eccentricity, *angles), rates, a.age_s + later_s)
    place = orbit.place(elements, rates, jnp.zeros(()))
    return np.stack([np.asarray(place.radius_m * component) for component in place.direction], axis=-1) / 1000.0


def errors_km(path: Path, count: int, later_s: float) -> np.ndarray:
    """Distance from SGP4 of near-circular satellites with a fresh epoch, spread over the file."""
    lines = path.read_text().splitlines()
    sets = element_sets.read(path, START_MS)
    fit = np.flatnonzero((sets.eccentricity < 0.002) & (np.abs(sets.age_s) < 86_400.0))
    chosen = fit[np.linspace(0, len(fit) - 1, count).astype(int)]
    ours = positions_km(sets, chosen, later_s)
    theirs = []
    for k in chosen:
        satellite = Satrec.twoline2rv(lines[3 * k + 1], lines[3 * k + 2])
        error, position_km, _ = satellite.sgp4(START_MS / 86_400_000.0 + 2440587.5, later_s / 86_400.0)
        assert error == 0
        theirs.append(position_km)
    return np.linalg.norm(ours - np.array(theirs), axis=-1)


def test_orbits_stay_with_sgp4_for_a_day() -> None:
    assert errors_km(DAWN_DUSK, 10, 86_400.0).max() < 30.0


def test_starlink_of_the_package_is_read_fast() -> None:
    began = time.perf_counter()
    sets = element_sets.read(DATA / "starlink_2026-06-14.tle.gz", START_MS)
    assert len(sets.names) == 10_546 and len(set(sets.norad_ids)) == 10_546 and not sets.dropped
    assert time.perf_counter() - began < 5.0  # 0.5 s on two slow cores


@pytest.mark.skipif("TWIN_DATA" not in os.environ, reason="TWIN_DATA names no folder of data")
def test_whole_catalogue() -> None:
    sets = element_sets.read(find("active_catalogue_2026-06-14.tle.gz"), START_MS)
    assert len(sets.names) + len(sets.dropped) == 15_699
    assert all(np.isfinite(values).all() for values in sets.arrays().values())
