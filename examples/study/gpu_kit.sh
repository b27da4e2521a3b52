#!/usr/bin/env bash
# The ReDial study on a machine with a GPU and without a network, within minutes.
#
#   bash gpu_kit.sh pack MODEL.gguf STUDY KIT   on this machine: puts everything that travels under KIT
#   bash gpu_kit.sh run KIT RESULTS [gpu_study.py's options]   on that machine
#
# STUDY holds dataset/, dataset-plain/, oracle.arrow and catalog.jsonl (see examples/redial/README.md). KIT gets
# wheels/ (saferec and what that machine lacks; more wheels may be put there), model/ (the GGUF file in pieces under
# 50 MB, for ways that carry no large file) and data/. PYTHON names the interpreter (python3).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}

case ${1:-} in
pack)
  model=$2 study=$3 kit=$4
  rm -rf "$kit" && mkdir -p "$kit/wheels" "$kit/model" "$kit/data"
  "$python" -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir "$kit/wheels" "$here/../.."
  split --bytes 49m --numeric-suffixes --additional-suffix .part "$model" "$kit/model/piece"
  cp -rL "$study/dataset" "$study/dataset-plain" "$study/oracle.arrow" "$study/catalog.jsonl" "$kit/data/"
  # Nothing is chosen on the validation samples: policies are evaluated on them as well.
  "$python" -c 'import sys; from datasets import concatenate_datasets, load_from_disk
splits = load_from_disk(sys.argv[1])
concatenate_datasets([splits["test"], splits["validation"]]).save_to_disk(sys.argv[2])' "$study/dataset" "$kit/data/held-out"
  cp "$here/gpu_study.py" "$here/gpu_kit.sh" "$kit/"
  du -sh "$kit"/*
  ;;
run)
  kit=$2 results=$3
  shift 3
  mkdir -p "$results"
  if compgen -G "$kit/wheels/*.whl" >/dev/null; then
    site=$(mktemp -d)
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$kit"/wheels/*.whl
    export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
  fi
  [ -s "$kit/model.gguf" ] || cat "$kit"/model/piece*.part >"$kit/model.gguf"
  export HF_HUB_OFFLINE=1 TQDM_DISABLE=1 TRANSFORMERS_VERBOSITY=error PYTHONUNBUFFERED=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-4} OMP_WAIT_POLICY=PASSIVE
  "$python" "$kit/gpu_study.py" --kit "$kit" --results "$results" "$@"
  ;;
*)
  sed -n '2,9s/^# \{0,1\}//p' "$0"
  exit 2
  ;;
esac
