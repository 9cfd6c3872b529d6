#!/bin/bash
# Train a bundle on one machine or several under SLURM; when its time is over it stops with a checkpoint, and goes on
# when the same command is given again. Change the numbers below to what your cluster has, then:
#   sbatch docs/slurm_train.sh BUNDLE DATA OUT [--id value ...]
# BUNDLE, DATA and OUT are folders that every machine sees under the same path.
#SBATCH --job-name=seat
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=2
#SBATCH --cpus-per-task=16
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120
set -euo pipefail
bundle=$1 data=$2 out=$3
shift 3
# One process per GPU, and on a cluster without GPUs one per machine; they share its cores.
per_machine=${SLURM_GPUS_ON_NODE:-1}
export OMP_NUM_THREADS=$((${SLURM_CPUS_PER_TASK:-per_machine} / per_machine))
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
cd "$bundle"
exec srun --kill-on-bad-exit=1 torchrun \
    --nnodes="$SLURM_JOB_NUM_NODES" --nproc_per_node="$per_machine" \
    --rdzv_id="$SLURM_JOB_ID" --rdzv_backend=c10d --rdzv_endpoint="$first:$((20000 + SLURM_JOB_ID % 20000))" \
    -m monai.bundle run \
    --config_file "['configs/train.json','configs/multi_gpu_train.json','configs/resume.json']" \
    --dataset_dir "$data" --ckpt_dir "$out" --output_dir "$out" "$@"
