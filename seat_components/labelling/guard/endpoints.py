"""The calls that MONAI Label's viewers make: method, path, and each field with its kind. No other call passes.

Left out, because no viewer of these bundles makes them: replacing or deleting weights, whole-slide images, DICOM SEG
answers, and unpacking of uploaded archives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from seat_components.labelling.guard.kinds import (
    BOOLEAN,
    CHECKSUM,
    CLASSES,
    DEVICE,
    DTYPE,
    EMPTY,
    GPUS,
    IMAGE,
    LEVEL,
    MODEL_FILE,
    NAME,
    OFF,
    PLAIN_TEXT,
    SECRET,
    SESSION,
    SPLIT,
    SUFFIX,
    WORDS,
    Context,
    Kind,
    choice,
    integer,
    is_name,
    listed,
)

KnownFields = Mapping[str, Kind]
# In a path, names in braces stand for one segment of their kind, {files} for all that follow. A section of /info/
# also says whose options a model's files and devices must be among.
SECTIONS = ("models", "trainers", "strategies", "scoring")
PLACES: KnownFields = {**{section: listed(section) for section in SECTIONS}, "session": SESSION}

IMAGE_SUFFIXES = (".nii.gz", ".nii", ".nrrd")
# OHIF calls what it sends label.bin; series are uploaded to sessions.
_LABEL_SUFFIXES = (*IMAGE_SUFFIXES, ".bin")
_SESSION_SUFFIXES = (*IMAGE_SUFFIXES, ".dcm")

_CLIENT: KnownFields = {"client_id": PLAIN_TEXT}
_WHERE: KnownFields = {"device": DEVICE, "multi_gpu": BOOLEAN, "gpus": GPUS, "max_workers": integer(0, 64)}
_TRAINING: KnownFields = {
    **_CLIENT,
    "device": DEVICE,
    "multi_gpu": BOOLEAN,
    "gpus": GPUS,
    "max_epochs": integer(1, 100_000),
    "val_split": SPLIT,
    "model_filename": MODEL_FILE,
    # MONAI Label 0.8.5 ends in an error where it is false.
    "pretrained": choice(True),
    "run_id": choice("run"),
    # Its environment has no MLflow; an address would be written to, or asked.
    "tracking": choice("None", "none"),
    "tracking_uri": EMPTY,
    "tracking_experiment_name": PLAIN_TEXT,
    "tracking_run_name": PLAIN_TEXT,
}
_RESULT: KnownFields = {
    "device": DEVICE,
    "model_filename": MODEL_FILE,
    "result_extension": SUFFIX,
    "result_dtype": DTYPE,
    "result_compress": BOOLEAN,
    "restore_label_idx": BOOLEAN,
    "label_prompt": CLASSES,
    "save_label": BOOLEAN,
    "label_tag": NAME,
    "logging": LEVEL,
}
_SCORING: KnownFields = {**_CLIENT, **_WHERE, "max_samples": integer(0, 10**6), "simulation_size": integer(2, 100)}


@dataclass(frozen=True)
class JsonRecord:
    """A JSON object: its fields, any plain ones where None, and perhaps a section whose names hold further ones."""

    fields: KnownFields | None
    section: str | None = None


@dataclass(frozen=True)
class Form:
    """A form: its texts, each a JSON object or a text of some kind, and its files with the suffixes of their names."""

    texts: Mapping[str, JsonRecord | Kind] = field(default_factory=dict)
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    many: bool = False


@dataclass(frozen=True)
class Raw:
    """A body that is passed on as it is, to the DICOMweb server."""


@dataclass(frozen=True)
class Endpoint:
    """A call. ``query`` is None where any short text may stand there; ``page``: other pages may link to it."""

    method: str
    path: str
    query: KnownFields | None = field(default_factory=dict)
    body: JsonRecord | Form | Raw | None = None
    page: bool = False

    def places(self, path: str) -> dict[str, str] | None:
        """What stands for the names in braces, or None if ``path`` is none of this call."""
        pattern, given = _segments(self.path), _segments(path)
        if pattern[-1:] == ["{files}"]:
            rest = len(pattern) - 1
            return {} if given[:rest] == pattern[:rest] and all(map(is_name, given[rest:])) else None
        if len(pattern) != len(given):
            return None
        pairs = list(zip(pattern, given, strict=True))
        if any(text != name for name, text in pairs if not name.startswith("{")):
            return None
        return {name[1:-1]: text for name, text in pairs if name.startswith("{")}

    def context(self, context: Context, places: Mapping[str, str]) -> Context:
        """``context`` with the options of the model in the path."""
        for section in SECTIONS:
            if section in places:
                return of_model(context, section, places[section])
        return context


def of_model(context: Context, section: str, name: str) -> Context:
    """``context`` with the options that ``/info/`` states for a model."""
    return Context(context.served, context.served.info().get(section, {}).get(name, {}).get("config", {}))


def _segments(path: str) -> list[str]:
    # MONAI Label takes a path with and without a slash at its end.
    return path.removeprefix("/").removesuffix("/").split("/")


_STATUS: KnownFields = {"all": BOOLEAN, "check_if_running": BOOLEAN}
_RUN: KnownFields = {"run_sync": BOOLEAN, "enqueue": BOOLEAN}
_INFO = Form({"info": JsonRecord(None)})

ENDPOINTS = (
    Endpoint("GET", "/", page=True),
    Endpoint("GET", "/docs", page=True),
    Endpoint("GET", "/openapi.json"),
    Endpoint("GET", "/favicon.ico"),
    Endpoint("GET", "/static/{files}"),
    Endpoint("GET", "/ohif/{files}", query=None, page=True),
    Endpoint("GET", "/info", page=True),
    Endpoint(
        "GET",
        "/logs",
        {"lines": integer(1, 10**6), "html": BOOLEAN, "text": BOOLEAN, "refresh": integer(0, 3600)},
        page=True,
    ),
    Endpoint("GET", "/logs/gpu"),
    Endpoint("GET", "/auth"),
    Endpoint("GET", "/auth/token/valid"),
    Endpoint(
        "POST", "/auth/token", body=Form({"username": PLAIN_TEXT, "password": SECRET, "grant_type": choice("password")})
    ),
    Endpoint("GET", "/model/{models}"),
    Endpoint("GET", "/model/info/{models}"),
    Endpoint(
        "POST",
        "/infer/{models}",
        {"image": NAME, "session_id": SESSION, "output": choice("image", "json", "all")},
        Form({"params": JsonRecord({**_CLIENT, **_RESULT})}, {"file": IMAGE_SUFFIXES, "label": _LABEL_SUFFIXES}),
    ),
    Endpoint("GET", "/batch/infer", _STATUS),
    Endpoint(
        "POST",
        "/batch/infer/{models}",
        {"images": choice("all", "labeled", "unlabeled"), "run_sync": BOOLEAN},
        JsonRecord({**_CLIENT, **_RESULT, **_WHERE, "max_batch_size": integer(0, 10**6)}),
    ),
    Endpoint("DELETE", "/batch/infer"),
    Endpoint("GET", "/train", _STATUS),
    Endpoint("POST", "/train", _RUN, JsonRecord(_TRAINING, "trainers")),
    Endpoint("POST", "/train/{trainers}", _RUN, JsonRecord(_TRAINING)),
    Endpoint("DELETE", "/train"),
    Endpoint("POST", "/activelearning/{strategies}", body=JsonRecord({**_CLIENT, "label_tag": NAME, "labels": WORDS})),
    Endpoint("GET", "/scoring", _STATUS),
    Endpoint("POST", "/scoring", {"run_sync": BOOLEAN}, JsonRecord(_SCORING, "scoring")),
    Endpoint("POST", "/scoring/{scoring}", {"run_sync": BOOLEAN}, JsonRecord(_SCORING)),
    Endpoint("DELETE", "/scoring"),
    Endpoint("GET", "/datastore", {"output": choice("train", "stats", "all")}),
    *(
        endpoint
        for path in ("/datastore", "/datastore/image")
        for endpoint in (
            Endpoint("PUT", path, {"image": NAME}, Form({"params": JsonRecord(None)}, {"file": IMAGE_SUFFIXES})),
            Endpoint("DELETE", path, {"id": IMAGE}),
        )
    ),
    Endpoint("HEAD", "/datastore/image", {"image": IMAGE, "check_sum": CHECKSUM}),
    Endpoint("GET", "/datastore/image", {"image": IMAGE}),
    Endpoint("GET", "/datastore/image/info", {"image": IMAGE}),
    Endpoint("PUT", "/datastore/image/info", {"image": IMAGE}, _INFO),
    Endpoint(
        "PUT",
        "/datastore/label",
        {"image": IMAGE, "tag": NAME},
        Form({"params": JsonRecord(None)}, {"label": _LABEL_SUFFIXES}),
    ),
    Endpoint("DELETE", "/datastore/label", {"id": IMAGE, "tag": NAME}),
    Endpoint("HEAD", "/datastore/label", {"image": IMAGE, "tag": NAME}),
    Endpoint("GET", "/datastore/label", {"label": IMAGE, "tag": NAME}),
    Endpoint("GET", "/datastore/label/info", {"label": IMAGE, "tag": NAME}),
    Endpoint("PUT", "/datastore/label/info", {"label": IMAGE, "tag": NAME}, _INFO),
    Endpoint("PUT", "/datastore/updatelabelinfo", {"label": IMAGE, "tag": NAME}, Form({"params": JsonRecord(None)})),
    Endpoint("GET", "/datastore/dataset", {"limit_cases": integer(1, 10**6)}),
    Endpoint("GET", "/session/{session}", {"update_ts": BOOLEAN, "image": BOOLEAN}),
    Endpoint(
        "PUT",
        "/session",
        {"uncompress": OFF, "expiry": integer(0, 10**6)},
        Form({"client_id": PLAIN_TEXT}, {"files": _SESSION_SUFFIXES}, many=True),
    ),
    Endpoint("DELETE", "/session/{session}"),
    Endpoint("GET", "/proxy/dicom/{files}", query=None),
    Endpoint("POST", "/proxy/dicom/{files}", query=None, body=Raw()),
)
