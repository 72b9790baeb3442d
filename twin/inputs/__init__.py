"""Recorded data that a run starts from: element sets of real satellites, traces of demand."""
