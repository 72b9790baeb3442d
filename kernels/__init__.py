"""Pure JAX physics of an orbital datacenter: arrays in, arrays out, SI units.

The marker lets a caller see that this is the digital twin's package and not an
unrelated distribution that shares its import name.
"""

PROJECT = "orbital-datacenter-twin"
