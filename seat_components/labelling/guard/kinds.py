"""The kinds of values that a request to the labelling server may hold, each with its rule in words."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

# What MONAI reads as code, as a reference, or as another file's content when it stands first in a config's value.
_MARKERS = ("$", "@", "%")
_IN_NAMES = frozenset(" ._-+=,()[]~#&'!")
_IN_KEYS = frozenset(" ._-")
_DEVICE = re.compile(r"cpu|mps|cuda(:[0-9]{1,2})?")
_GPUS = re.compile(r"all|[0-9]{1,2}(,[0-9]{1,2}){0,31}")
_SESSION = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CHECKSUM = re.compile(r"((SHA256|SHA512|MD5):)?[0-9a-fA-F]{32,128}")
_DEPTH = 8


class RefusedError(Exception):
    """A request that does not reach MONAI Label: the HTTP status, the field, and the rule that it breaks."""

    def __init__(self, status: int, name: str, rule: str) -> None:
        # JSON can say half a character ("\\ud800"), which no answer can be encoded with.
        name, rule = (text.encode("utf-8", "replace").decode() for text in (name, rule))
        super().__init__(f"{name}: {rule}")
        self.status = status
        self.name = name
        self.rule = rule


class Served(Protocol):
    """What the guard asks of the application that it stands in front of."""

    def info(self) -> Mapping[str, Any]:
        """What ``/info/`` answers: models, trainers, strategies, scoring."""

    def has_image(self, image: str) -> bool:
        """Whether an image has this id."""

    def has_session(self, session: str) -> bool:
        """Whether a session of this id is open, with its image."""

    def has_archive(self) -> bool:
        """Whether the images come from a DICOMweb server, which ``/proxy/dicom/`` passes requests on to."""


@dataclass(frozen=True)
class Context:
    """What a value is judged by, besides itself: the application, and the options of the model that is named."""

    served: Served
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A rule in words, and the test of it. ``read`` makes the value of the text that a URL holds."""

    rule: str
    accepts: Callable[[Any, Context], bool]
    read: Callable[[str], Any] = str


def integer(low: int, high: int) -> Kind:
    """A whole number from ``low`` to ``high``."""
    return Kind(
        f"must be a whole number from {low} to {high}",
        lambda value, _: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high,
        lambda text: int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text,
    )


def choice(*values: Any) -> Kind:
    """One of ``values``."""
    return Kind(
        f"must be one of {', '.join(map(str, values))}",
        lambda value, _: any(type(value) is type(allowed) and value == allowed for allowed in values),
    )


def listed(section: str) -> Kind:
    """A name that ``/info/`` lists in ``section``."""
    return Kind(
        f"must be one of the {section} that /info/ lists",
        lambda value, context: isinstance(value, str) and value in context.served.info().get(section, {}),
    )


def _offered(option: str, value: Any, context: Context) -> bool:
    offered = context.options.get(option, ())
    return isinstance(value, str) and value in ([offered] if isinstance(offered, str) else offered)


def _is_plain(text: Any, limit: int = 200) -> bool:
    """Whether ``text`` is text that no config would take for more, without control characters."""
    return (
        isinstance(text, str)
        and len(text) <= limit
        and not text.lstrip().startswith(_MARKERS)
        and not any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\r\t" for sign in text)
    )


def is_name(text: Any, also: Collection[str] = _IN_NAMES) -> bool:
    """Whether ``text`` names a file, or a part of one, in the folder where it is looked for, and nowhere else."""
    return (
        isinstance(text, str)
        and 0 < len(text.encode(errors="replace")) <= 200
        and (unicodedata.category(text[0])[0] in "LN" or text[0] == "_")
        and ".." not in text
        and all(unicodedata.category(sign)[0] in "LNM" or sign in also for sign in text)
    )


def is_free(value: Any) -> bool:
    """Whether ``value`` is a JSON object of plain keys and values, at most 8 deep."""
    level = [value]
    for _ in range(_DEPTH):
        inner: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                if not all(is_name(key, _IN_KEYS) and not key.startswith("_") for key in item):
                    return False
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif not (_is_plain(item, 10_000) if isinstance(item, str) else _is_finite(item)):
                return False
        level = inner
    return isinstance(value, dict) and not level


_NAME_RULE = "letters, digits, spaces and ._-+=,()[]~#&'! only, without separators and '..', at most 200 bytes"
_FLAGS = {"true": True, "false": False, "1": True, "0": False}
BOOLEAN = Kind("must be true or false", lambda v, _: isinstance(v, bool), lambda text: _FLAGS.get(text.lower(), text))
OFF = Kind("must be false", lambda value, _: value is False, BOOLEAN.read)
PLAIN_TEXT = Kind("must be plain text that begins with none of $ @ %", lambda value, _: _is_plain(value))
EMPTY = Kind("must be left empty", lambda value, _: value == "")
SECRET = Kind(
    "must be a text of at most 1000 characters", lambda value, _: isinstance(value, str) and len(value) <= 1000
)
# What a viewer's page, or a DICOMweb server, reads from the URL; MONAI Label does not.
PARAMETER = Kind("must be plain text of at most 2000 characters", lambda value, _: _is_line(value, 2000))
WORDS = Kind(
    "must be a list of plain texts", lambda value, _: isinstance(value, list) and all(map(_is_plain, value[:1000]))
)
CLASSES = Kind(
    "must be a list of classes",
    lambda value, context: isinstance(value, list) and all(integer(0, 10_000).accepts(item, context) for item in value),
)
NAME = Kind(f"must be a name: {_NAME_RULE}", lambda value, _: is_name(value))
IMAGE = Kind(
    f"must be the id of an image that is there ({_NAME_RULE})",
    lambda value, context: is_name(value) and context.served.has_image(value),
)
SPLIT = Kind(
    "must be a number from 0 to below 1, or -1 for the bundle's own cases",
    lambda value, _: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and (0 <= value < 1 or value == -1)
    ),
)
DEVICE = Kind(
    "must be a device that /info/ lists, or cpu, cuda, cuda:0, …",
    lambda value, context: (
        isinstance(value, str) and (bool(_DEVICE.fullmatch(value)) or _offered("device", value, context))
    ),
)
GPUS = Kind("must be all, or numbers such as 0,1", lambda value, _: _matches(_GPUS, value))
MODEL_FILE = Kind(
    "must be one of the files that /info/ lists for this model",
    lambda v, context: _offered("model_filename", v, context),
)
SESSION = Kind("must be a session's id, as PUT /session/ answers it", lambda value, _: _matches(_SESSION, value))
CHECKSUM = Kind("must be SHA256:, SHA512: or MD5: and hexadecimal digits", lambda value, _: _matches(_CHECKSUM, value))
LEVEL = choice("DEBUG", "INFO", "WARNING", "ERROR")
SUFFIX = choice(".nii.gz", ".nii", ".nrrd", ".seg.nrrd")
DTYPE = choice("uint8", "uint16", "int16", "float32")


def _is_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _is_line(value: Any, limit: int) -> bool:
    return isinstance(value, str) and len(value) <= limit and value.isprintable()


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
