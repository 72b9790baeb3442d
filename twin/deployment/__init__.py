"""Deployment of a fleet and what it costs, beside datacenters on the ground and published studies."""
