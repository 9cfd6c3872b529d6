"""Two protocols' records compared: the share of the fall, what each attack adds, and what is no pair."""

import pytest

from seat_components.records.attacked import AttackDice, AttackedCase, Cost
from seat_components.records.model import write_record
from seat_components.records.robustness import FILE, Robustness
from seat_components.refusals import RefusalError
from tools import protocols_compared


def write(folder, left, passes, weights="a" * 64):
    """A record of Dice left by attack, of two cases alike."""
    rows = [
        AttackedCase(case=case, attack=attack, eps_255=0.0 if attack == "clean" else 8.0, dice={"organ": dice})
        for case in ("one", "two")
        for attack, dice in left.items()
    ]
    cost = {
        "apgd-ce": Cost(forwards=passes, backwards=passes, seconds=1.0),
        "checks": Cost(forwards=99, backwards=99, seconds=1.0),
    }
    least = min(left.values())
    worst = AttackDice(attack="worst", eps_255=8.0, mean_dice=least, dice={"organ": least})
    record = Robustness(
        bundle="b", protocol="p", weights_sha256=weights, summary=(worst,), cases=tuple(rows), cost=cost
    )
    folder.mkdir(parents=True)
    write_record(record, folder / FILE)


def test_the_share_of_the_fall_the_passes_and_what_an_attack_adds(tmp_path, capsys):
    write(tmp_path / "net/standard", {"clean": 0.9, "apgd-ce": 0.5}, passes=20)
    write(tmp_path / "net/strong", {"clean": 0.9, "apgd-ce": 0.5, "apgd-dice": 0.4}, passes=100)
    protocols_compared.main([str(tmp_path / "net")])
    lines = [line.split("|")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    rows = {name.strip(): value.strip() for name, value in lines}
    assert rows["Dice left by strong"] == "0.4000"
    assert rows["standard's share of the fall"] == "80.0 %"
    assert (rows["gradients a case, strong"], rows["gradients a case, standard"]) == ("50", "10")
    assert (rows["strong without apgd-dice"], rows["strong without apgd-ce"]) == ("+0.1000", "+0.0000")


def test_other_weights_are_no_pair(tmp_path):
    write(tmp_path / "net/standard", {"clean": 0.9, "apgd-ce": 0.5}, passes=20)
    write(tmp_path / "net/strong", {"clean": 0.9, "apgd-ce": 0.5}, passes=20, weights="b" * 64)
    with pytest.raises(RefusalError, match="different weights"):
        protocols_compared.main([str(tmp_path / "net")])
