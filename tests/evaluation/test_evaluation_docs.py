"""The lines of docs/evaluation.md run as they stand there, and its tables name what exists."""

import re
from pathlib import Path

import pytest
from networks_under_test import LABELS, cases, smooth
from torch import nn

from seat_components.evaluation import PROTOCOLS
from seat_components.evaluation.alarms import ALARMS

DOCS = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout = nn.Dropout(0.5)

    def forward(self, image):
        return smooth(self.dropout(image))[:, [0, 2]]


def test_the_lines_for_a_plain_model_run(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)
    _, image, label = cases(1)[0]
    names = {"model": Model().train(), "image": image, "label": (label == 2).long()}
    exec(compile(code, "docs/evaluation.md", "exec"), names)  # noqa: S102 - the documented lines themselves
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    dice = {words[0]: float(words[2]) for words in lines[:-1]}
    assert dice["clean"] == 1
    assert dice["worst"] == min(dice.values())
    assert names["model"].training, "left as found"
    assert len(code.strip().splitlines()) <= 8


def test_every_alarm_and_protocol_has_its_paragraph():
    assert re.findall(r"^- \*\*(.+?)\*\*:", DOCS, flags=re.MULTILINE) == list(ALARMS)
    assert [name for name in PROTOCOLS if f"| `{name}` |" not in DOCS] == []


@pytest.mark.parametrize("label", LABELS)
def test_the_model_under_test_has_every_class(label):
    assert (cases(1)[0][2] == LABELS.index(label)).any()
