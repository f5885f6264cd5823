#!/usr/bin/env bash
# Where the time of a decoding goes, by perf: matrix work, the rest of the engine, our own code, and
# everything else (the C library and the kernel). Loading the model is in it, so decode some tokens.
#
#     bench/where.sh build/release/apps/tq/tq generate "Describe a rainy day." ...
#
# Needs perf (Debian: apt-get install linux-perf). Symbols decide: ggml's kernels are matrix work,
# what else is of ggml, llama or gguf is the engine's, what is of tq is ours.
set -eu
if ! command -v perf > /dev/null; then
  echo "where: perf is not here; install it (Debian: apt-get install linux-perf)" >&2
  exit 1
fi
samples=$(mktemp)
trap 'rm -f "$samples"' EXIT
perf record -q -o "$samples" -F 499 -e cpu-clock -- "$@" > /dev/null 2>&1
perf report -i "$samples" --stdio --sort symbol 2> /dev/null |
  awk '
    /^#/ || NF < 3 { next }
    {
      share = $1; sub("%", "", share)
      if ($2 == "[k]") kind = "kernel"
      else if ($0 ~ /tq::/) kind = "ours"
      else if ($0 ~ /tinyBLAS|vec_dot|mul_mat|gemm|gemv|quantize_row/) kind = "matrix"
      else if ($0 ~ /ggml|llama|gguf|llm_/) kind = "engine"
      else kind = "libraries"
      sum[kind] += share
    }
    END {
      printf "matrix work          %5.1f%%\n", sum["matrix"]
      printf "engine, other        %5.1f%%\n", sum["engine"]
      printf "ours                 %5.1f%%\n", sum["ours"]
      printf "C and C++ libraries  %5.1f%%\n", sum["libraries"]
      printf "kernel               %5.1f%%\n", sum["kernel"]
    }'
