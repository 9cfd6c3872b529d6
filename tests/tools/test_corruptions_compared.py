"""Models under corruptions compared: shares, paired differences with intervals, and what cannot be compared."""

import pytest

from seat_components.records.corruptions import FILE, CorruptedCase, Corruptions, Severities
from seat_components.records.model import write_record
from seat_components.refusals import RefusalError
from tools import corruptions_compared

CASES = [f"case_{number}" for number in range(8)]
STEPS = Severities(unit="mm", values=(1, 2, 3, 4, 5), source="here")


def write(folder, clean, left, cases=CASES):
    """A record in which every severity leaves the same; a case is a little better than the one before it."""
    rows = []
    for place, case in enumerate(cases):
        for name, severity in (("clean", 0), *(("blur", severity) for severity in range(1, 6))):
            dice = (left if severity else clean) + place / 100
            rows.append(CorruptedCase(case=case, corruption=name, severity=severity, dice={"organ": dice}))
    record = Corruptions(
        bundle="b",
        seed=0,
        scope="patch",
        severities={"blur": STEPS},
        summary=(),
        dice_kept=0.5,
        dice_kept_under={},
        worst_corruption=None,
        cases=tuple(rows),
    )
    folder.mkdir()
    write_record(record, folder / FILE)
    return str(folder)


def test_shares_and_paired_differences(tmp_path, capsys):
    one, two = write(tmp_path / "one", 0.8, 0.4), write(tmp_path / "two", 0.7, 0.6)
    corruptions_compared.main([one, two])
    table = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    rows = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in table}
    assert rows["none"][:3] == ["Dice 0.8350", "Dice 0.7350", "-0.100 (-0.100 to -0.100)"]
    # (0.4 + 0.035) / (0.8 + 0.035): what is kept is a share of means, as in the record.
    assert rows["blur"][:2] == ["52.1 %", "86.4 %"]
    # Cases differ by up to 0.07, and their differences do not: pairs tell.
    assert rows["blur"][2:] == ["+0.200 (+0.200 to +0.200)", "+0.300 (+0.300 to +0.300)"]
    assert rows[corruptions_compared.ALL] == rows["blur"]


def test_other_cases_are_refused(tmp_path):
    one, two = write(tmp_path / "one", 0.8, 0.4), write(tmp_path / "two", 0.7, 0.6, CASES[1:])
    with pytest.raises(RefusalError, match="other cases"):
        corruptions_compared.main([one, two])
