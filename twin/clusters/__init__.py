"""Satellites that fly close together: who is whose neighbour, and what they train together."""
