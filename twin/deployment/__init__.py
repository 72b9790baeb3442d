"""A fleet as an undertaking: what it takes to build, what it costs, and what the ground offers instead."""
