"""The config of a plan's training, as the training will read it."""

from __future__ import annotations

from typing import Any

from monai.bundle import ConfigParser

from seat_components.experiments.plan import Plan
from seat_components.refusals import RefusalError, causes, reason, refuse


def run_config(plan: Plan, run: str) -> ConfigParser:
    """The config of a training of ``run``, with the plan's overrides; weights that it starts from are left out."""
    entry = plan.runs[run]
    config = ConfigParser()
    overlays = [name for name in entry.overlays if name != "finetune"]
    config.read_config([str(plan.bundle / "configs" / f"{name}.json") for name in ("train", *overlays)])
    # Trainings run in the bundle's folder, this program anywhere.
    places = {"bundle_root": str(plan.bundle.resolve()), "dataset_dir": str(plan.dataset_dir.resolve())}
    values = {**plan.common, **plan.train, **entry.train, **places}
    for name, value in values.items():
        config[name] = value
    return config


def content_of(config: ConfigParser, name: str) -> Any:
    """What a training's config makes of ``name``.

    Raises:
        RefusalError: if it cannot: what the training would say.
    """
    try:
        return config.get_parsed_content(name)
    except Exception as error:
        # MONAI wraps whatever is raised while it resolves a config.
        said = [str(cause) for cause in causes(error) if isinstance(cause, RefusalError)]
        refuse(said[0] if said else f"{name}: {reason(error)}")
