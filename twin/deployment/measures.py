"""What orbit and the ground are compared by: names of metrics that both have, so that a ratio means something."""

DENOMINATORS = ("kwh", "accelerator_hour", "pflop_day", "million_tokens")
COSTS = tuple(f"usd_per_{work}{chips}" for work in DENOMINATORS for chips in ("", "_without_chips"))
MEASURES = (
    *(f"{kind}_{cost}" for kind in ("levelised", "total") for cost in COSTS),
    *(f"usd_per_w_{power}{chips}" for power in ("nominal", "delivered") for chips in ("", "_without_chips")),
    "carbon_kg_per_kwh",
    "carbon_kg_per_pflop_day",
)
