"""MONAI Label's application behind the guard; uvicorn imports it in MONAI Label's own environment.

Start it with ``python -m monailabel.main start_server … --uvicorn_app seat_components.labelling.guarded:app``, and
``-c allow_hosts a,b`` and ``-c allow_origins a,b`` for names that the guard is to let in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monailabel.app import app as application
from monailabel.config import settings
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.utils.app import app_instance

from seat_components.labelling.guard import Gate, Guard


class _Served:
    def info(self) -> Mapping[str, Any]:
        content: Mapping[str, Any] = app_instance().info()
        return content

    def has_image(self, image: str) -> bool:
        # A DICOMweb server is asked only where the image is needed.
        return self.has_archive() or bool(app_instance().datastore().get_image_uri(image))

    def has_session(self, session: str) -> bool:
        sessions = app_instance().sessions()
        return sessions is not None and sessions.get_session(session) is not None

    def has_archive(self) -> bool:
        return not isinstance(app_instance().datastore(), LocalDatastore)


def _named(key: str) -> list[str]:
    return [name for name in settings.MONAI_LABEL_APP_CONF.get(key, "").split(",") if name]


app = Guard(application, _Served(), Gate(_named("allow_hosts"), _named("allow_origins")))
