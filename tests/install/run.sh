#!/usr/bin/env bash
# Installs a build into a fresh prefix, moves the prefix, and builds and runs examples/consumer
# against it. Usage: run.sh SOURCE_DIR BUILD_DIR MODEL.gguf
set -eu
source=$1 build=$2 model=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/first" > "$work/log"
mv "$work/first" "$work/moved" # a package that holds no path of its own can be moved
"$work/moved/bin/tq" --help > /dev/null

cmake -G Ninja -S "$source/examples/consumer" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/moved"
cmake --build "$work/build"
answer=$("$work/build/consumer" "$model" "The capital of France is")
echo "$answer"
[[ $answer == *Paris* ]]
