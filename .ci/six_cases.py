"""``python .ci/six_cases.py TASK04 OUT``: a small MSD folder with four training and two validation cases of fold 0."""

import json
import shutil
import sys
from pathlib import Path

from seat_components.data import fold_datalist

TASK, COUNTS = "Task04_Hippocampus", {"training": 4, "validation": 2}

dataset, out = map(Path, sys.argv[1:])
content = json.loads((dataset / "dataset.json").read_text(encoding="utf-8"))
cases = [case for section, count in COUNTS.items() for case in fold_datalist(dataset, TASK, 0, section)[:count]]
entries = []
for case in cases:
    files = {key: Path(case[key]).relative_to(dataset.resolve()) for key in ("image", "label")}
    for file in files.values():
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(dataset / file, out / file)
    entries.append({key: str(file) for key, file in files.items()})
index = {**content, "training": entries, "test": [], "numTraining": len(entries), "numTest": 0}
(out / "dataset.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
