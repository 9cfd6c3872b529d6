"""Weights that are damaged, of another kind, or not finite are refused by name, wherever they are read."""

from __future__ import annotations

import io
import pickle
import tracemalloc
import zipfile

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from seat_components.networks import load_pretrained
from seat_components.refusals import RefusalError
from seat_components.torch_file import MOST_PICKLED, UnusableFileError, read_torch_file


def network(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv3d(2, 3, 3), nn.BatchNorm3d(3)).to(dtype)


def saved(content, **options):
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


GOOD = saved(network().state_dict())
SOUND = network().state_dict()


def loads_the_same_or_refuses(file):
    own = network()
    for value in own.state_dict().values():
        value.zero_()
    try:
        load_pretrained(own, file)
    except RefusalError as error:
        assert str(file) in str(error)
        assert not any(value.any() for value in own.state_dict().values()), "nothing is loaded"
        return False
    assert all(torch.equal(value, SOUND[name]) for name, value in own.state_dict().items())
    return True


@given(place=st.integers(0, len(GOOD) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path, place, bit):
    content = bytearray(GOOD)
    content[place] ^= 1 << bit
    (tmp_path / "model.pt").write_bytes(content)
    loads_the_same_or_refuses(tmp_path / "model.pt")


@given(place=st.integers(0, len(GOOD) - 1), put=st.binary(max_size=40))
def test_bytes_that_are_replaced_are_refused_or_change_nothing(tmp_path, place, put):
    (tmp_path / "model.pt").write_bytes(GOOD[:place] + put + GOOD[place + len(put) :])
    loads_the_same_or_refuses(tmp_path / "model.pt")


@given(kept=st.integers(0, len(GOOD) - 1))
def test_a_cut_file_is_refused(tmp_path, kept):
    (tmp_path / "model.pt").write_bytes(GOOD[:kept])
    assert not loads_the_same_or_refuses(tmp_path / "model.pt")


@given(content=st.binary(max_size=200), begin=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", GOOD[:600]]))
def test_bytes_of_any_kind_are_refused(tmp_path, content, begin):
    (tmp_path / "model.pt").write_bytes(begin + content)
    assert not loads_the_same_or_refuses(tmp_path / "model.pt")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(torch.ones(2)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.tuples(), inner),
)


@given(content=PLAIN, wrapped=st.booleans())
def test_content_of_another_form_is_refused(tmp_path, content, wrapped):
    torch.save({"state_dict": content} if wrapped else content, tmp_path / "model.pt")
    assert not loads_the_same_or_refuses(tmp_path / "model.pt")


def refusal(tmp_path, state, own=None):
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(RefusalError, match=r"model\.pt do not fit") as caught:
        load_pretrained(own or network(), tmp_path / "model.pt")
    return str(caught.value)


@given(name=st.sampled_from(sorted(SOUND)), value=st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_a_value_that_is_not_finite_is_refused_by_name(tmp_path, name, value):
    state = network().state_dict()
    if not state[name].is_floating_point():
        return
    state[name].view(-1)[-1] = value
    assert f"with values that are not finite: {name}" in refusal(tmp_path, state)


KINDS = {
    "integer": lambda value: value.to(torch.int64),
    "boolean": lambda value: value > 0,
    "complex": lambda value: value.to(torch.complex64),
    "sparse": lambda value: value.to_sparse(),
    "quantized": lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.quint8),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_of_another_kind_is_refused_by_name(tmp_path, kind):
    state = network().state_dict()
    state["0.weight"] = KINDS[kind](state["0.weight"])
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(RefusalError, match=r"model\.pt") as caught:
        load_pretrained(network(), tmp_path / "model.pt")
    if kind != "quantized":  # which torch does not even read
        assert f"0.weight ({kind} instead of floating point)" in str(caught.value)


def test_whole_numbers_stay_whole_numbers(tmp_path):
    state = network().state_dict()
    state["1.num_batches_tracked"] = state["1.num_batches_tracked"].float()
    assert "1.num_batches_tracked (floating point instead of integer)" in refusal(tmp_path, state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_another_precision_is_converted(tmp_path, dtype):
    state = network(dtype).state_dict()
    torch.save(state, tmp_path / "model.pt")
    own = load_pretrained(network(), tmp_path / "model.pt").state_dict()
    assert all(torch.equal(own[name], value.to(own[name].dtype)) for name, value in state.items())


def test_values_beyond_the_networks_precision_are_refused(tmp_path):
    state = network(torch.float64).state_dict()
    state["0.bias"][0] = 1e39
    assert "with values beyond the network's type: 0.bias (torch.float32)" in refusal(tmp_path, state)
    state["0.bias"][0] = 1e5
    assert "0.bias (torch.float16)" in refusal(tmp_path, state, network(torch.float16))


def test_the_format_without_checksums_is_refused_but_for_conversion(tmp_path, caplog):
    file = tmp_path / "old.pth"
    file.write_bytes(saved(SOUND, _use_new_zipfile_serialization=False))
    with pytest.raises(RefusalError, match=r"old\.pth is in the format of PyTorch before 1\.6.*--convert"):
        load_pretrained(network(), file)
    own = load_pretrained(network(), file, unchecked=True).state_dict()
    assert all(torch.equal(own[name], value) for name, value in SOUND.items())
    assert "no checksum" in caplog.text


def rezipped(tmp_path, change=lambda _, content: content, compression=zipfile.ZIP_STORED):
    """The good weights with a changed part, and checksums that hold."""
    file = tmp_path / "model.pt"
    with zipfile.ZipFile(io.BytesIO(GOOD)) as old, zipfile.ZipFile(file, "w", compression) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return file


def refused_in_little_memory(file, rule):
    tracemalloc.start()
    with pytest.raises(UnusableFileError, match=rule) as caught:
        read_torch_file(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(file) in str(caught.value)
    assert peak < 2**22


def test_a_zip_that_would_unpack_to_far_more_is_refused(tmp_path):
    file = rezipped(tmp_path, lambda name, old: bytes(2**24) if "/data/" in name else old, zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 2**20
    refused_in_little_memory(file, "compressed entries")


def test_more_than_tensors_need_to_be_described_is_refused(tmp_path):
    deep = b"\x80\x02" + b"]" * (MOST_PICKLED + 1) + b"."
    file = rezipped(tmp_path, lambda name, old: deep if name.endswith(".pkl") else old)
    with pytest.raises(UnusableFileError, match="is the most allowed"):
        read_torch_file(file)


def nested(depth):
    return b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."


def test_containers_nested_deep_are_read_without_a_traceback(tmp_path):
    file = rezipped(tmp_path, lambda name, old: nested(100_000) if name.endswith(".pkl") else old)
    with pytest.raises(RefusalError, match="holds no network weights"):
        load_pretrained(network(), file)


def test_a_container_that_holds_itself_is_read_without_end(tmp_path):
    itself: list[object] = []
    itself.append(itself)
    pickled = pickle.dumps(itself, 2)
    file = rezipped(tmp_path, lambda name, old: pickled if name.endswith(".pkl") else old)
    with pytest.raises(RefusalError, match="holds no network weights"):
        load_pretrained(network(), file)


def test_a_tensor_that_is_larger_than_what_is_stored_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(1).expand(10**12)}, tmp_path / "model.pt")
    refused_in_little_memory(tmp_path / "model.pt", "fewer values than that are stored")


def test_two_parts_of_one_name_are_refused(tmp_path):
    file = rezipped(tmp_path)
    with zipfile.ZipFile(file, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[0], b"other")
    with pytest.raises(UnusableFileError, match="same name"):
        read_torch_file(file)
