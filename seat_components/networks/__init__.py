"""Networks: ROG, and loading weights into any network."""

from seat_components.networks.operators import on_device
from seat_components.networks.pretrained import load_pretrained
from seat_components.networks.rog import ROG

__all__ = ["ROG", "load_pretrained", "on_device"]
