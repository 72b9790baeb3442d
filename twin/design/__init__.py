"""Design by gradient: the best satellite, and why."""
