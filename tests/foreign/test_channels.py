"""What the channels of a network are called and made of, and whose word counts."""

import pytest

from seat_components.foreign.channels import Channel, channels_of, in_words
from seat_components.refusals import RefusalError

DATA = {"0": "background", "1": "liver", "2": "tumour"}


def named(*arguments):
    return [(channel.name, channel.values) for channel in channels_of(*arguments)]


def test_names_are_those_typed_else_the_bundles_else_the_datas():
    names = ["background", "liver", "tumour"]
    expected = [(name, (value,)) for value, name in enumerate(names)]
    assert named(None, (), DATA, "softmax") == named(None, names, {}, "softmax") == expected
    assert named(names, ["background", "spleen"], DATA, "softmax") == expected
    assert named(None, ["Background", "Liver", "TUMOUR", "vessel"], DATA, "softmax")[3] == ("vessel", (3,))
    assert named(None, (), DATA, "sigmoid") == expected[1:]
    assert named(["tumour"], (), {}, "sigmoid") == [("tumour", (1,))]


def test_structures_that_overlap_say_what_they_are_made_of():
    typed = ["whole=1,2,3", "core=1,3", "edge"]
    assert named(typed, ["a", "b", "c"], {}, "sigmoid") == [("whole", (1, 2, 3)), ("core", (1, 3)), ("edge", (3,))]
    assert named(["a=1", "b"], (), {}, "softmax") == [("a=1", (0,)), ("b", (1,))], "classes do not overlap"
    assert in_words([Channel("core", (1, 3))]) == "1+3 core"
    many = channels_of([f"n{value}" for value in range(15)], (), {}, "softmax")
    assert in_words(many, 2) == "0 n0, 1 n1, and 13 more"


REFUSED = {
    "nobody names them": (None, (), {}, "softmax", "--label-names, one name for each channel.*background first"),
    "one class": (["organ"], (), {}, "softmax", "background first"),
    "a hole in the data": (None, (), {"0": "background", "2": "tumour"}, "softmax", "--label-names"),
    "two alike": (["background", "a", "a"], (), {}, "softmax", "called alike"),
    "another organ": (None, ["background", "spleen", "tumour"], DATA, "softmax", "Label 1 is 'liver'.*but 'spleen'"),
    "unknown regions": (None, ["a core", "whole"], DATA, "sigmoid", "'a core=1,3' whole=1,2,3"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_said_or_contradicts_is_refused(case):
    *arguments, rule = REFUSED[case]
    with pytest.raises(RefusalError, match=rule):
        channels_of(*arguments)
