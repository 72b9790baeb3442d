"""The same orbit and power case in other programs, for `scripts/benchmark.py --peers`."""

# pyright: reportAttributeAccessIssue=false

import math
import os
import time
from typing import Any

import numpy as np

AXIS_M, INCLINATION_RAD, STEP_S = 7_028_137.0, math.radians(97.99), 10.0
SUN = (0.0, -math.cos(math.radians(23.4)), -math.sin(math.radians(23.4)))
PERIOD_S = 2.0 * math.pi * math.sqrt(AXIS_M**3 / 3.986004418e14)


def basilisk(satellites: int, threads: int) -> dict[str, Any]:
    """An orbit of a fleet in Basilisk (`pip install bsk`), median of three; satellite-steps per second.

    Per satellite and step of 10 s: two-body motion of a rigid body by RK4, conical eclipse, one solar panel, two loads,
    a battery as a sum of energy, one thermal node by Euler. The twin's step has eleven thermal nodes, view factors and
    albedo, a cell that knows its temperature, an equivalent-circuit battery, a governed chip, wear and radiation.
    """
    from Basilisk.utilities import SimulationBaseClass, macros  # pyright: ignore[reportMissingImports]

    simulation = SimulationBaseClass.SimBaseClass()
    kept = [_thread(simulation, macros, k, range(k, satellites, threads)) for k in range(threads)]
    if threads > 1:
        simulation.TotalSim.resetThreads(threads)
        simulation.TotalSim.assignRemainingProcs()
    simulation.InitializeSimulation()
    steps, walls = int(PERIOD_S / STEP_S), []
    for orbit in range(3):
        simulation.ConfigureStopTime(macros.sec2nano((orbit + 1) * steps * STEP_S))
        began = time.perf_counter()
        simulation.ExecuteSimulation()
        walls.append(time.perf_counter() - began)
    found = {"steps_per_s": satellites * steps / float(np.median(walls)), "objects": len(kept)}
    if threads > 1:  # its threads do not always end with the interpreter
        import json

        print(json.dumps(found), flush=True)
        os._exit(0)
    return found


def _thread(simulation: Any, macros: Any, number: int, members: range) -> list[Any]:
    """One process of Basilisk with its satellites, and everything that must outlive this function."""
    from Basilisk.architecture import messaging  # pyright: ignore[reportMissingImports]
    from Basilisk.simulation import eclipse  # pyright: ignore[reportMissingImports]
    from Basilisk.utilities import simIncludeGravBody  # pyright: ignore[reportMissingImports]

    process, task = simulation.CreateNewProcess(f"process{number}"), f"task{number}"
    process.addTask(simulation.CreateNewTask(task, macros.sec2nano(STEP_S)))
    bodies = []
    for name, place in (("sun", [1.495978707e11 * c for c in SUN]), ("earth", [0.0, 0.0, 0.0])):
        body = messaging.SpicePlanetStateMsgPayload()
        body.PlanetName, body.PositionVector, body.J20002Pfix = name, place, np.identity(3).tolist()
        bodies.append(messaging.SpicePlanetStateMsg().write(body))
    gravity = simIncludeGravBody.gravBodyFactory()
    gravity.createEarth().isCentralBody = True
    shadow = eclipse.Eclipse()
    shadow.addPlanetToModel(bodies[1])
    shadow.sunInMsg.subscribeTo(bodies[0])
    kept = [bodies, gravity, shadow]
    kept += [_satellite(simulation, task, gravity, shadow, bodies[0], member) for member in members]
    simulation.AddModelToTask(task, shadow, 50)
    return kept


def _satellite(simulation: Any, task: str, gravity: Any, shadow: Any, sun: Any, number: int) -> list[Any]:
    from Basilisk.simulation import (  # pyright: ignore[reportMissingImports]
        sensorThermal,
        simpleBattery,
        simplePowerSink,
        simpleSolarPanel,
        spacecraft,
    )
    from Basilisk.utilities import orbitalMotion  # pyright: ignore[reportMissingImports]

    craft, elements = spacecraft.Spacecraft(), orbitalMotion.ClassicElements()
    elements.a, elements.e, elements.i = AXIS_M, 1e-5, INCLINATION_RAD
    elements.Omega, elements.omega, elements.f = math.radians(90.0 * (number % 7) / 7.0), 0.0, 0.1 * number
    craft.hub.mHub, craft.hub.IHubPntBc_B = 9000.0, [[9e4, 0, 0], [0, 8e4, 0], [0, 0, 6e4]]
    craft.hub.r_CN_NInit, craft.hub.v_CN_NInit = orbitalMotion.elem2rv(3.986004418e14, elements)
    craft.hub.sigma_BNInit, craft.hub.omega_BN_BInit = [[0.0]] * 3, [[0.0]] * 3
    craft.gravField.gravBodies = spacecraft.GravBodyVector(list(gravity.gravBodies.values()))
    simulation.AddModelToTask(task, craft, 100)
    shadow.addSpacecraftToModel(craft.scStateOutMsg)
    lit = shadow.eclipseOutMsgs[len(shadow.eclipseOutMsgs) - 1]

    panel = simpleSolarPanel.SimpleSolarPanel()
    panel.setPanelParameters(list(SUN), 480.0, 0.30)
    plate = sensorThermal.SensorThermal()
    plate.nHat_B, plate.sensorArea, plate.sensorAbsorptivity, plate.sensorEmissivity = list(SUN), 4.0, 0.25, 0.85
    plate.sensorMass, plate.sensorSpecificHeat, plate.sensorPowerDraw, plate.T_0 = 60.0, 890.0, 2500.0, 20.0
    for model in (panel, plate):
        model.stateInMsg.subscribeTo(craft.scStateOutMsg)
        model.sunEclipseInMsg.subscribeTo(lit)
        model.sunInMsg.subscribeTo(sun)
    battery = simpleBattery.SimpleBattery()
    battery.storageCapacity, battery.storedCharge_Init = 4.0e8, 3.5e8
    sinks = [simplePowerSink.SimplePowerSink() for _ in range(2)]
    for sink, power_w in zip(sinks, (-5e3, -1e5), strict=True):
        sink.nodePowerOut = power_w
    for source in (panel, *sinks):
        simulation.AddModelToTask(task, source, 40)
        battery.addPowerNodeToModel(source.nodePowerOutMsg)
    simulation.AddModelToTask(task, battery, 30)
    simulation.AddModelToTask(task, plate, 30)
    return [craft, elements, panel, plate, battery, sinks]


def propagators(satellites: int, epochs: int = 2000) -> dict[str, Any]:
    """States per second of SGP4 in `sgp4` and, where installed, in heyoka: position and velocity, nothing else."""
    from sgp4.api import WGS72, Satrec, SatrecArray

    sets = []
    for number in range(satellites):
        one = Satrec()
        one.sgp4init(WGS72, "i", number, 28000.0, 1e-5, 0.0, 0.0, 1e-4, 0.0, INCLINATION_RAD, 0.1 * number,
                     2.0 * math.pi / PERIOD_S * 60.0, 0.05 * number)  # fmt: skip
        sets.append(one)
    days = np.full(epochs, 2461000.5), np.arange(epochs) * STEP_S / 86400.0
    walls = []
    for _ in range(3):
        began = time.perf_counter()
        SatrecArray(sets).sgp4(*days)
        walls.append(time.perf_counter() - began)
    found: dict[str, Any] = {"sgp4_states_per_s": satellites * epochs / float(np.median(walls))}
    try:
        from heyoka.model import sgp4_propagator  # pyright: ignore[reportMissingImports]
    except ImportError:
        return found
    minutes = np.tile(np.arange(epochs)[:, None] * STEP_S / 60.0, (1, satellites))
    propagate = sgp4_propagator(sets)
    walls = []
    for _ in range(3):
        began = time.perf_counter()
        propagate(minutes)
        walls.append(time.perf_counter() - began)
    return found | {"heyoka_states_per_s": satellites * epochs / float(np.median(walls))}
