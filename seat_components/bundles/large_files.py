"""``large_files.yml``: where a bundle's weights are that are not in the repository."""

from __future__ import annotations

import json
from collections.abc import Iterable

from seat_components.records.registered import RegisteredWeights

FILE_NAME = "large_files.yml"


def large_files(results: Iterable[RegisteredWeights]) -> dict[str, str]:
    """The file that lists weights for download, in the model zoo's form; nothing where there are none.

    ``python -m monai.bundle download_large_files --bundle_path BUNDLE`` reads it, and checks the hashes.

    Args:
        results: registered weights; those with an address are listed.

    Returns:
        file name → text, for none or one file.
    """
    listed = [result for result in results if result.url]
    if not listed:
        return {}
    lines = ["large_files:"]
    for result in listed:
        values = {
            "path": f"models/{result.file}",
            "url": result.url,
            "hash_val": result.sha256,
            "hash_type": "sha256",
        }
        # A JSON string is a YAML string, whatever it holds.
        lines += [
            f"{'- ' if not index else '  '}{key}: {json.dumps(v)}" for index, (key, v) in enumerate(values.items())
        ]
    return {FILE_NAME: "\n".join(lines) + "\n"}
