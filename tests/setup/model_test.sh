#!/usr/bin/env bash
# The default model is downloaded once, and never taken unless its SHA-256 is right.
# shellcheck disable=SC1091,SC2317,SC2034,SC2154
. "$(dirname "$0")/harness.sh"

content="a model"
fakes() {
  model_sha256=$(printf 'a model' | sha256sum | cut -d ' ' -f 1)
  fetch_model() {
    echo fetch >> "$calls"
    printf %s "$content" > "$1"
  }
}
model=$box/cache/transferq/models/SmolLM2-135M-Instruct.Q4_1.gguf

content="something else"
status=0
run setup_model || status=$?
expect "wrong file" "1 fetch" "$status $(called)"
expect_said "wrong SHA-256"
expect "nothing is left" "" "$(ls "$(dirname "$model")")"

content="a model"
run setup_model
expect "right file" "fetch a model" "$(called) $(cat "$model")"
run setup_model
expect "second run" "" "$(called)$(cat "$box/said")"

# A file without its stamp is hashed; a changed one is refused and kept.
rm "$model.sha256"
run setup_model
expect "without its stamp" "" "$(called)$(cat "$box/said")"
printf 'a m0del' > "$model"
touch -d '+1 minute' "$model"
status=0
run setup_model || status=$?
expect "damaged" "1 a m0del" "$status $(called)$(cat "$model")"
expect_said "remove it and run this again"

TQ_MODELS_DIR=$box/elsewhere run setup_model
expect "another folder" "fetch a model" "$(called) $(cat "$box/elsewhere/${model##*/}")"
