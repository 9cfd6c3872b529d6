"""Parts behind the SEAT bundles: robust training, attacks and evaluation of 3D segmentation networks."""

__version__ = "0.1.0"
