"""The channels of a network's answer: what each is called, and which values of a label it stands for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seat_components.attacks.reading import SIGMOID
from seat_components.refusals import refuse

_HOW = "Give --label-names, one name for each channel of the network's answer, each another"


@dataclass(frozen=True)
class Channel:
    """One channel.

    Attributes:
        name: of the class or structure.
        values: the label values that it is made of.
    """

    name: str
    values: tuple[int, ...]

    def __str__(self) -> str:
        return f"{'+'.join(map(str, self.values))} {self.name}"


def in_words(channels: Sequence[Channel], most: int = 12) -> str:
    """The first of them, and how many more there are."""
    more = [f"and {len(channels) - most} more"] if len(channels) > most else []
    return ", ".join([*map(str, channels[:most]), *more])


def channels_of(
    typed: Sequence[str] | None, of_network: Sequence[str], of_data: Mapping[str, str], outputs: str
) -> list[Channel]:
    """The channels in their order.

    Of a softmax, channel k stands for label value k, the background first. Of sigmoids, it stands for k + 1, or, typed
    as ``NAME=VALUE,VALUE``, for those values, which another structure may be made of as well.

    Args:
        typed: names as they were typed; None for those of the network, else those of the data.
        of_network: names that the network's bundle gives; empty where it gives none.
        of_data: label value → name, as dataset.json says; empty where it says nothing.
        outputs: ``softmax`` or ``sigmoid``.

    Raises:
        RefusalError: if nobody names the channels, or two alike, or a bundle and the data call one value two names,
            or it is not said what several structures of a bundle are made of.
    """
    overlapping = outputs == SIGMOID
    names = list(typed or of_network) or [of_data.get(str(value), "") for value in range(overlapping, len(of_data))]
    if len(names) < (1 if overlapping else 2) or not all(names):
        refuse(f"What are the network's classes called? {_HOW}{'' if overlapping else ', the background first'}.")
    if typed is None and overlapping and len(names) > 1 and of_network:
        refuse(
            f"The network's structures may overlap: {', '.join(names)}. Which label values is each made of? {_HOW}, "
            f"with its values, as in --label-names {shlex.quote(f'{names[0]}=1,3')} {shlex.quote(f'{names[1]}=1,2,3')}."
        )
    if typed is None and of_network:
        _check_agreement(names, of_data, overlapping)
    channels = [_channel(name, value, overlapping) for value, name in enumerate(names, start=overlapping)]
    if len({channel.name for channel in channels}) < len(channels):
        refuse(f"Two channels are called alike in {', '.join(names)}. {_HOW}.")
    return channels


def _channel(name: str, value: int, overlapping: bool) -> Channel:
    if overlapping and (parts := re.fullmatch(r"(.+)=(\d+(?:,\d+)*)", name)):
        return Channel(parts[1], tuple(int(one) for one in parts[2].split(",")))
    return Channel(name, (value,))


def _check_agreement(names: Sequence[str], of_data: Mapping[str, str], overlapping: bool) -> None:
    """A value that is one organ in the data and another in the network would be scored against it."""
    for value, name in enumerate(names, start=overlapping):
        other = of_data.get(str(value), name)
        if value > 0 and other.casefold() != name.casefold():
            refuse(
                f"Label {value} is {other!r} in dataset.json, but {name!r} in the network's bundle. If they are the "
                f"same, say so with --label-names, the names of all {len(names)} channels; else these labels are not "
                "for this network."
            )
