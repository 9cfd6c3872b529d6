"""The commands of pages that no test runs as they stand, each with what it needs that tests do not have."""

from enum import Enum


class Needs(Enum):
    """What keeps a command out of the tests."""

    NETWORK = "the network"
    GPU = "a GPU"
    MACHINES = "several machines"
    CLUSTER = "SLURM; the tests run its script with stand-ins for what SLURM has"
    DAYS = "days"
    QUIET = "a machine that does nothing else, for a quarter of an hour"
    LONG = "minutes to an hour, for what the tests do with fewer inputs and fewer kills"
    ENVIRONMENT = "an environment of its own, in which tests/weights/test_wheel.py installs the package"
    ITSELF = "itself: it runs the tests, or .ci/run runs it beside them"


EXCUSED = {
    "torchrun --nnodes=2 --nproc_per_node=4 --rdzv_backend=c10d --rdzv_endpoint=HOST:29500 -m monai.bundle run"
    " --config_file \"['configs/train.json','configs/multi_gpu_train.json']\" --dataset_dir DATA": Needs.MACHINES,
    "sbatch docs/slurm_train.sh BUNDLE DATA OUT --epochs 300": Needs.CLUSTER,
    "python -m tools.gpu_needs": Needs.LONG,
    "python -m tools.whole_volume_memory": Needs.LONG,
    ".ci/run": Needs.ITSELF,
    "make test": Needs.ITSELF,
    "make lint": Needs.ITSELF,
    "make run": Needs.ITSELF,
    "make label-env": Needs.ITSELF,
    "make run DATA=<folder of MSD Task04_Hippocampus>": Needs.ITSELF,
    "pip install .": Needs.ENVIRONMENT,
    "make fuzz": Needs.LONG,
    "make kills": Needs.LONG,
    "python tests/fuzz.py tests/data/test_damage.py tests/data/test_stated_geometry.py": Needs.LONG,
    "python tests/kills.py --kills 12 --only experiment": Needs.LONG,
    "python -m tools.single_attacks --weights FILE --dataset DATA --attacks apgd-dice:20 apgd-dice-normalised:20"
    " apgd-ce:20 cospgd:20 --cases 8 --out NETWORK_FOLDER": Needs.LONG,
    "python -m tools.protocol_choice NETWORK_FOLDER": Needs.LONG,
    "python -m tools.protocols_compared NETWORK_FOLDER": Needs.LONG,
    "python -m monai.bundle run --config_file \"['configs/train.json','configs/attack.json']\" --dataset_dir DATA"
    ' --weights FILE --protocol standard --attack_eps_255 "[8]" --max_cases 8'
    " --output_dir NETWORK_FOLDER/standard": Needs.LONG,
    "python -m monai.bundle run --config_file \"['configs/train.json','configs/attack.json']\" --dataset_dir DATA"
    ' --weights FILE --protocol strong --attack_eps_255 "[8]" --max_cases 8'
    " --output_dir NETWORK_FOLDER/strong": Needs.LONG,
    "python -m monai.bundle run --config_file \"['configs/train.json','configs/corrupt.json']\" --dataset_dir DATA"
    " --weights FILE --output_dir NETWORK_FOLDER": Needs.LONG,
    "python -m tools.corruptions_compared CLEAN_FOLDER SEAT_FOLDER FREE_FOLDER": Needs.LONG,
    "python -m seat_components experiment --plan seat_components/experiments/plans/task04_augment.json"
    " --dataset DATA": Needs.DAYS,
    "python -m monai.bundle run --config_file \"['configs/train.json','configs/corrupt.json']\" --dataset_dir DATA"
    ' --weights FILE --network_def "$UNET" --val_patch_size "[24,40,24]" --output_dir NETWORK_FOLDER': Needs.LONG,
    "python -m tools.corruptions_compared CLEAN_FOLDER CLEAN_AUGMENT_FOLDER PHASED_FOLDER"
    " PHASED_AUGMENT_FOLDER": Needs.LONG,
    "make data": Needs.NETWORK,
    "python -m tools.benchmark --device cuda --amp --batch 22 --out FILE": Needs.GPU,
    "python -m tools.benchmark --device cuda --amp --batch 22 --profile": Needs.GPU,
    # They time full-size batches; tests/tools runs what they call on a small one.
    "make bench": Needs.QUIET,
    "python -m tools.benchmark --repeats 2": Needs.QUIET,
    "python -m tools.threads": Needs.QUIET,
    # Whole trainings and their attacks on a CPU; for some plans, a GPU as well.
    **{
        f"python -m seat_components experiment --plan seat_components/experiments/plans/{name}.json"
        f" --dataset {data} --results docs/results_{name}.md": Needs.DAYS
        for name, data in {
            "task04": "DATA/Task04_Hippocampus",
            "task04_cpu": "runs/data/Task04_Hippocampus",
            "task04_unet": "runs/data/Task04_Hippocampus",
            "task04_batch_1": "runs/data/Task04_Hippocampus",
            "task04_rog": "runs/data/Task04_Hippocampus",
            "task04_long": "runs/data/Task04_Hippocampus",
            "left_atrium": "runs/data/left_atrium",
        }.items()
    },
}
