"""An orbit that several files simulate: its program is compiled once, and found in the cache by all the others."""

SATELLITES = 37
ORBIT = [
    "time.duration_s=6000",
    "time.save_every_s=300",
    f"constellation.satellites={SATELLITES}",
    "output.report=false",
    "distributed.devices=1",
]
