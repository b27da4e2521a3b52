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

catalog="$data/catalog/reddit_gt_catalog.jsonl"
mkdir -p "$out"
movies="$data/movies" tmdb=ml1m_tmdb.csv.gz tags=ml25m_tag_keywords.csv.gz
saferec oracle build "$here/oracle.yaml" --out "$out/oracle.arrow" \
  --set sources.rating-reasons.path="$movies/mpaa_reasons.csv.gz" \
  --set sources.scores.path="$movies/kids_in_mind.csv.gz" \
  --set sources.tmdb.path="$movies/$tmdb" --set sources.tmdb-genres.path="$movies/$tmdb" \
  --set sources.tags.path="$movies/$tags" --set sources.tag-genres.path="$movies/$tags"
chain=(--set input="$data/crs/redial_train.jsonl.gz" --catalog-path "$catalog")
saferec data build "$here/data.yaml" "${chain[@]}" --oracle-path "$out/oracle.arrow" --out "$out/dataset"
saferec data build "$here/data_plain.yaml" "${chain[@]}" --out "$out/dataset-plain"

world=(--catalog-path "$catalog" --oracle-path "$out/oracle.arrow" --num-ranks 10
  --eval-at 5,10 --max-completion-length 160 --output-dir "$out/runs" --optim adamw_torch --seed 0)
sft=("${world[@]}" "${precision[@]}" --validation-path "$out/dataset/validation" --learning-rate 2e-4
  --max-steps $((steps / 2)) --per-device-train-batch-size 16 --gradient-accumulation-steps 2 --max-length 640
  --save-steps $((steps / 8)) --eval-strategy no)

saferec sft --model "$model" --train-path "$out/dataset-plain/train" "${sft[@]}" --run-name plain-sft
saferec sft --model "$model" --train-path "$out/dataset/train" "${sft[@]}" --run-name safe-sft

saferec train --model "$model" --sft-checkpoint "$out/runs/safe-sft" --train-path "$out/dataset/train" \
  --test-path "$out/dataset/test" "${world[@]}" "${precision[@]}" \
  --reward relevance --set rewards.relevance.weight=3 --reward safety --reward count --target-count 10 \
  --advantage-mode gdpo \
  --lr 1e-5 --lr-scheduler-type constant --kl-beta 0.1 --num-generations 8 --per-device-train-batch-size 64 --gradient-accumulation-steps 1 \
  --max-steps "$steps" --temperature 0.8 --eval-temperature 0.8 --eval-decoding sampled,greedy \
  --save-steps $((steps / 4)) --run-name safe-rank-grpo

for run in plain-sft safe-sft safe-rank-grpo; do
  saferec eval "$out/runs/$run" --test-path "$out/dataset/test" --eval-temperature 0.8 \
    --eval-decoding sampled,greedy
done
