"""Whether a dataset.json and a bundle mean the same by channel 0 and by label 1."""

from __future__ import annotations

from collections.abc import Mapping

from seat_components.data.index import DatasetIndex
from seat_components.refusals import refuse
from seat_components.tasks.table import is_ct_name


def require_agreement(
    index: DatasetIndex,
    channel_names: Mapping[str, str] | None = None,
    label_names: Mapping[str, str] | None = None,
) -> None:
    """Refuse a dataset whose dataset.json contradicts the bundle on the order of channels or labels.

    A contradiction is: another number of channels; a channel or label that bears the name which the bundle gives to
    another number; CT in place of MRI, or the reverse. Names that the bundle does not know may be other words for the
    same thing and pass, as does a dataset.json without names. Case and punctuation do not count.

    Args:
        index: the dataset.
        channel_names: channel number → name, as the bundle's network was planned for; None checks no channels.
        label_names: label value → name, likewise.

    Raises:
        RefusalError: naming the file, both orders, and what to do.
    """
    declared = index.modalities
    if channel_names and declared:
        if _ct_channels(declared) != _ct_channels(channel_names):
            _refuse(index, "modality", declared, channel_names)
        _require_order(index, "modality", declared, channel_names)
    if label_names and index.labels:
        _require_order(index, "labels", index.labels, label_names)


def _require_order(index: DatasetIndex, section: str, declared: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    numbers = {_plain(name): number for number, name in wanted.items()}
    if any(numbers.get(_plain(name), number) != number for number, name in declared.items()):
        _refuse(index, section, declared, wanted)


def _refuse(index: DatasetIndex, section: str, declared: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    what = "channels" if section == "modality" else "label values"
    refuse(
        f'{index.file}: its "{section}" is {_listing(declared)}, but this bundle is made for {_listing(wanted)}. '
        f"Bring the {what} of the files, and dataset.json, into the bundle's order, or take another bundle."
    )


def _ct_channels(names: Mapping[str, str]) -> list[bool]:
    """Which channels are CT, in the order of their numbers."""
    return [is_ct_name(names[number]) for number in sorted(names)]


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def _listing(names: Mapping[str, str]) -> str:
    return ", ".join(f"{number} {name}" for number, name in names.items())
