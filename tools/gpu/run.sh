#!/usr/bin/env bash
# What wants a GPU, in one place: tools/gpu/run.sh PART… --out DIR (docs/gpu.md). It installs nothing and runs the checkout.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(( $(nproc) < 8 ? $(nproc) : 8 ))}"
# less memory lost to fragments when batches shrink
export PYTORCH_ALLOC_CONF="${PYTORCH_ALLOC_CONF:-expandable_segments:True}"
exec "${PYTHON:-python3}" -m tools.gpu "$@"
