#!/usr/bin/env bash
# scripts/models/get: names it does not know, and the catalog's agreement on what it fetches.
# shellcheck disable=SC1090,SC1091,SC2154
. "$(dirname "$0")/harness.sh"

status=0
"$source_dir/scripts/models/get" no-such-model 2> "$box/said" || status=$?
expect "an unknown name" 1 "$status"
expect_said "usage: scripts/models/get NAME, where NAME is one of: .*minilm"

for file in "$source_dir"/scripts/models/*.sh; do
  models=$box/models
  . "$file"
  for fact in "$model_name" "$model_sha256" "scripts/models/get $(basename "$file" .sh)"; do
    grep -qF "\"$fact\"" "$source_dir/transferq/policy/catalog.cpp" ||
      expect "the catalog's entry of $file" "$fact" "none"
  done
done

# What is there is left alone, and what is fetched is taken only if it is right.
fakes() {
  . "$source_dir/scripts/models/minilm.sh"
  model_sha256=$(printf 'a model' | sha256sum | cut -d ' ' -f 1)
  fetch_model() {
    echo fetch >> "$calls"
    printf %s "$content" > "$1"
  }
}
file=$box/cache/transferq/models/all-MiniLM-L6-v2.F16.gguf
content="something else"
status=0
run get_minilm || status=$?
expect "a wrong conversion" "1 fetch" "$status $(called)"
expect_said "wrong SHA-256"
content="a model"
run get_minilm
expect "a right one" "fetch a model" "$(called) $(cat "$file")"
run get_minilm
expect "a second run" "" "$(called)$(cat "$box/said")"
