#!/usr/bin/env bash
# Plain SFT, Safe SFT and Safe-Rank-GRPO at full size: ten titles a list, every sample, several hundred steps.
#
#   bash run_gpu.sh DATA MODEL OUT [STEPS]
#
# DATA is laid out as the README says, MODEL a hub id, folder or GGUF file, OUT receives data and runs. STEPS is the
# number of Safe-Rank-GRPO steps (600); SFT takes half as many. A machine without a GPU runs it with few STEPS.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
data=$1 model=$2 out=$3 steps=${4:-600}
precision=(); command -v nvidia-smi >/dev/null && precision=(--bf16)

python "$here/prepare.py" --data "$data" --out "$out/data" --tokenizer "$model"

world=(--catalog-path "$out/data/catalog.jsonl" --oracle-path "$out/data/oracle.jsonl" --num-ranks 10
  --eval-at 5,10 --max-completion-length 160 --output-dir "$out/runs" --optim adamw_torch --seed 0)
sft=("${world[@]}" "${precision[@]}" --validation-path "$out/data/validation.jsonl" --learning-rate 2e-4
  --max-steps $((steps / 2)) --per-device-train-batch-size 16 --gradient-accumulation-steps 2 --max-length 640
  --save-steps $((steps / 8)) --eval-strategy no)

saferec sft --model "$model" --train-path "$out/data/train_plain.jsonl" "${sft[@]}" --run-name plain-sft
saferec sft --model "$model" --train-path "$out/data/train.jsonl" "${sft[@]}" --run-name safe-sft

saferec train --model "$model" --sft-checkpoint "$out/runs/safe-sft" --train-path "$out/data/train.jsonl" \
  --test-path "$out/data/test.jsonl" "${world[@]}" "${precision[@]}" \
  --reward relevance --reward safety --reward count --target-count 10 --advantage-mode gdpo \
  --lr 2e-6 --kl-beta 1e-3 --num-generations 8 --per-device-train-batch-size 64 --gradient-accumulation-steps 1 \
  --max-steps "$steps" --temperature 0.8 --eval-temperature 0.8 --eval-decoding sampled,greedy \
  --save-steps $((steps / 4)) --run-name safe-rank-grpo

for run in plain-sft safe-sft safe-rank-grpo; do
  saferec eval "$out/runs/$run" --test-path "$out/data/test.jsonl" --eval-temperature 0.8 \
    --eval-decoding sampled,greedy
done
