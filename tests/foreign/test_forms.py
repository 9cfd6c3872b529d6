"""One network gives one record, in whatever form it comes; and that of a bundle of ours is attack.json's."""

import json

import nibabel
import numpy as np
import pytest
import torch
from bundle_runs import SMALL, UNET, save_unet, unet, workflow
from own_networks import FORMS, SIZE, attacked, results

from seat_components.bundles.render import write_bundle
from seat_components.evaluation import robustness_of
from seat_components.foreign import attack
from seat_components.foreign.network import OneModule

AS_THEY_ARE = ["--preprocessing", "none", "--patch", *SIZE]

PLAIN_CONV_UNET = """
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet

def build():
    torch.manual_seed(0)
    return PlainConvUNet(
        1, 2, [4, 8], torch.nn.Conv3d, 3, [1, 2], 1, 3, 1, conv_bias=True, norm_op=torch.nn.InstanceNorm3d,
        nonlin=torch.nn.LeakyReLU, deep_supervision=True,
    )
"""


def test_each_form_is_the_same_network_and_a_run_goes_on(forms, task04_phantom, capsys):
    words = ["--data", task04_phantom]
    found = {}
    for form in FORMS:
        own = [] if form == "zoo_like" else AS_THEY_ARE
        found[form] = attacked(form, forms / f"out_{form}", *words, *own, "--max_cases", "1")
    first = results(found["net.ts"])
    assert first["hippocampus_004", "worst", 16] != first["hippocampus_004", "clean", 0]
    for form in FORMS:
        assert results(found[form]).keys() == first.keys()
        for row, dice in results(found[form]).items():
            assert dice == pytest.approx(first[row], abs=1e-4), form
    # What builds a network and the network that it has built are the same code and weights.
    assert len({record["weights_sha256"] for record in found.values()}) == len(FORMS) - 1
    assert [found[form]["bundle"] for form in FORMS] == list(FORMS)
    assert capsys.readouterr().out.count("Name only what you trust") == len(FORMS)
    more = attacked("net.ts", forms / "out_net.ts", *words, *AS_THEY_ARE)
    assert {case for case, _, _ in results(more)} == {"hippocampus_004", "hippocampus_011"}
    assert {row: dice for row, dice in results(more).items() if row in first} == first
    assert more["cost"]["apgd-dice"]["backwards"] == 2 * found["net.ts"]["cost"]["apgd-dice"]["backwards"]


def test_a_part_of_the_answer_and_two_folders(forms, task04_phantom, monkeypatch):
    """A dictionary's part is the network; folders of scans and labels are the dataset that they are of."""
    reported = []
    monkeypatch.setattr(attack, "write_report", reported.append)
    folders = ["--images", task04_phantom / "imagesTr", "--labels", task04_phantom / "labelsTr"]
    names = ["--label-names", "background", "Anterior", "Posterior", "--output-key", "logits"]
    record = attacked("own_code:several", forms / "out", *folders, *AS_THEY_ARE, *names, "--max_cases", "1")
    other = attacked("net.ts", forms / "other", *folders, *AS_THEY_ARE, *names[:4], "--max_cases", "1")
    assert results(record) == results(other)
    assert {case for case, _, _ in results(record)} == {"hippocampus_001"}
    assert reported == [[forms / "out"], [forms / "other"]]
    # Another part is another network, whose record does not go on with the first one's.
    turned = [*folders, *AS_THEY_ARE, *names[:5], "turned", "--max_cases", "1"]
    assert results(attacked("own_code:several", forms / "out", *turned)) != results(record)


def test_two_files_are_a_case_attacked_whole_as_robustness_of_does(forms):
    """The file's values and its whole size: what the Python interface says of the same tensors."""
    generator = np.random.default_rng(0)
    label = np.zeros((16, 12, 8), np.uint8)
    label[4:9, 3:8, 2:6], label[9:12, 3:8, 2:6] = 1, 2
    image = (label + generator.normal(0, 0.3, label.shape)).astype(np.float32)
    for name, values in (("a_scan", image), ("mask", label)):
        nibabel.save(nibabel.Nifti1Image(values, np.diag([2.0, 1, 1, 1])), forms / f"{name}.nii.gz")
    files = ["--images", "a_scan.nii.gz", "--labels", "mask.nii.gz", "--preprocessing", "none"]
    record = attacked("net.ts", forms / "out", *files, "--label-names", "background", "one", "two")
    cases = [("a_scan", torch.as_tensor(image)[None, None], torch.as_tensor(label)[None, None].long())]
    labels = ["background", "one", "two"]
    expected = robustness_of(
        unet().eval(), cases, labels=labels, eps_255=16, protocol="quick", voxel_mm3=2, progress=False
    )
    for row, dice in results(expected).items():
        assert results(record)[row] == pytest.approx(dice, abs=1e-5)
    assert record["volumes_ml"] == expected["volumes_ml"]


def test_onnx_is_searched_without_gradients(forms, task04_phantom):
    """A convolution of one voxel, written as ONNX and as TorchScript."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    network = torch.nn.Conv3d(1, 3, 1)
    parts = [onnx.numpy_helper.from_array(p.detach().numpy(), name) for name, p in network.named_parameters()]
    sides = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, channels, 16, 16, 16])
        for name, channels in (("image", 1), ("logits", 3))
    ]
    node = onnx.helper.make_node("Conv", ["image", "weight", "bias"], ["logits"])
    graph = onnx.helper.make_graph([node], "voxelwise", sides[:1], sides[1:], parts)
    versions = {"ir_version": 8, "opset_imports": [onnx.helper.make_opsetid("", 13)]}
    onnx.save(onnx.helper.make_model(graph, **versions), forms / "net.onnx")
    torch.jit.save(torch.jit.script(network), forms / "voxelwise.ts")
    words = ["--data", task04_phantom, *AS_THEY_ARE, "--max_cases", "1", "--steps", "6", "--protocol", "black-box"]
    found = [attacked(form, forms / f"out_{form}", *words) for form in ("net.onnx", "voxelwise.ts")]
    for row, dice in results(found[0]).items():
        assert dice == pytest.approx(results(found[1])[row], abs=1e-4)
    assert found[0]["cost"]["square"] == {**found[0]["cost"]["square"], "backwards": 0, "forwards": 6}
    assert attacked("net.onnx", forms / "again", *words[:-2])["protocol"] == "black-box", "where none is asked for"


def test_an_nnunet_style_network(forms, task04_phantom):
    """Its deep supervision returns a list, the finest logits first."""
    pytest.importorskip("dynamic_network_architectures")
    (forms / "own_code.py").write_text(PLAIN_CONV_UNET)
    words = ["--data", task04_phantom, *AS_THEY_ARE, "--max_cases", "1"]
    record = attacked("own_code:build", forms / "out", *words, "--output-key", "0")
    found = results(record)
    assert found["hippocampus_004", "worst", 16] != found["hippocampus_004", "clean", 0]


def test_a_bundle_of_ours_has_the_record_of_its_own_attack(task04_phantom, tmp_path):
    bundle = write_bundle("Task04_Hippocampus", tmp_path)
    for name in ("train.json", "inference.json"):
        file = bundle / "configs" / name
        content = {**json.loads(file.read_text()), "network_def": UNET, "val_patch_size": [16, 16, 16]}
        file.write_text(json.dumps(content))
    weights = save_unet(bundle / "models" / "model.pt")
    values = {"dataset_dir": str(task04_phantom), "weights": str(weights), "attack_eps_255": [16], "max_cases": 1}
    own = {**SMALL, **values, "val_patch_size": [16, 16, 16], "output_dir": str(tmp_path / "own")}
    workflow(bundle, ["train", "attack"], **own).run()
    expected = json.loads((tmp_path / "own" / "robustness.json").read_text())
    record = attacked(bundle, tmp_path / "out", "--data", task04_phantom, "--max_cases", "1")
    assert results(record) == results(expected)
    assert record["weights_sha256"] == expected["weights_sha256"]
    assert sorted(file.name for file in (tmp_path / "out" / "slices").iterdir()) == ["hippocampus_004.npz"]


def test_the_networks_behind_a_function_follow_its_mode():
    """Dropout must not draw under attack, wherever the network stands."""
    network = torch.nn.Sequential(torch.nn.Conv3d(1, 3, 1), torch.nn.Dropout(0.5))
    module = OneModule(lambda image: {"logits": network(image)}, "logits").eval()
    image = torch.ones(1, 1, 4, 4, 4)
    assert not network[1].training
    assert torch.equal(module(image), module(image))
    module.train()
    assert network[1].training
