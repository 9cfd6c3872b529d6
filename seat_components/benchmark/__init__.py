"""ROG's time and memory against its stock form: ``python -m seat_components.benchmark --out FILE``."""
