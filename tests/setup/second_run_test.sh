#!/usr/bin/env bash
# A set-up of this very checkout, again: it succeeds and says nothing, with everything that could
# reach the network or compile replaced by a command that fails.
set -eu
source_dir=$1
[ -f "$source_dir/build/setup.cmake" ] || exit 77 # llama.cpp was given by hand

box=$(mktemp -d)
trap 'rm -rf "$box"' EXIT
for command in apt-get pip pip3 curl wget cmake ninja sudo; do
  printf '#!/bin/sh\necho "called: %s" >&2\nexit 1\n' $command > "$box/$command"
  chmod +x "$box/$command"
done
before=$(cat "$source_dir/build/setup.cmake")
said=$(PATH=$box:$PATH "$source_dir/scripts/bootstrap" 2>&1)
[ -z "$said" ] || {
  echo "FAILED: it said: $said"
  exit 1
}
[ "$before" = "$(cat "$source_dir/build/setup.cmake")" ]
