#!/usr/bin/env bash
# Which llama.cpp is taken: an installed one that works, else the first way of compiling it that
# decodes a token here, and never twice the same work.
# shellcheck disable=SC1091,SC2317,SC2034,SC2154
. "$(dirname "$0")/harness.sh"

installed=3 # how the probe ends with an installed llama.cpp (3: there is none)
dying=""    # the variants that die, and of what
fakes() {
  fetch_llama() { echo fetch >> "$calls"; }
  compile_llama() {
    echo "$1" >> "$calls"
    mkdir -p "$3$2/lib/cmake/llama"
    echo "$1" > "$3$2/lib/cmake/llama/llama-config.cmake"
  }
  probe_llama() {
    found_llama=/opt/llama/lib/cmake/llama
    case ${1:-} in
      */work.*) ;;
      *) return "$installed" ;;
    esac
    local entry variant
    variant=$(cat "$1/lib/cmake/llama/llama-config.cmake")
    for entry in $dying; do
      [ "${entry%:*}" != "$variant" ] || return "${entry#*:}"
    done
  }
}
fresh() { rm -rf "$box/cache" "$box/checkout"; }
taken() { sed -n 's/^set(TQ_LLAMA_PREFIX "\(.*\)")$/\1/p' "$box/checkout/build/setup.cmake"; }

# It works at once; the second run does nothing, and one in a new checkout takes it from the cache.
run setup_llama
expect "first run" "fetch native" "$(called)"
expect "the prefix holds it" native "$(cat "$(taken)/lib/cmake/llama/llama-config.cmake")"
run setup_llama
expect "second run" "" "$(called)"
expect "second run's messages" "" "$(cat "$box/said")"
rm -r "$box/checkout"
run setup_llama
expect "new checkout" "" "$(called)"
expect "nothing is left over" "" "$(find "$box/cache/transferq" -maxdepth 1 -name 'work.*')"

# Other flags are another build.
TQ_LLAMA_CMAKE_ARGS=-DGGML_CUDA=ON run setup_llama
expect "other flags" "fetch native" "$(called)"

# An illegal instruction: again without AMX, and then for any processor. It is remembered.
fresh
dying="native:132"
run setup_llama
expect "illegal instruction" "fetch native fetch no-amx" "$(called)"
expect_said "compiled for this processor does not run here (illegal instruction)"
rm -r "$box/checkout"
run setup_llama
expect "illegal instruction, new checkout" "" "$(called)"
fresh
dying="native:132 no-amx:2"
run setup_llama
expect "two that die" "fetch native fetch no-amx fetch portable" "$(called)"
expect_said "without AMX does not run here (its logits are no numbers)"
rm -r "$(taken)" "$box/checkout"
run setup_llama
expect "those that died are not tried again" "fetch portable" "$(called)"

# All die, or something else is wrong: an end with a message.
fresh
dying="native:132 no-amx:132 portable:132"
status=0
run setup_llama || status=$?
expect "all die" 1 $status
expect_said "install one that does and set TQ_LLAMA_PREFIX"
fresh
called > /dev/null
dying="native:4"
status=0
run setup_llama || status=$?
expect "another failure" "1 fetch native" "$status $(called)"

# An installed one: taken if it works, left aside if not, an error if it was asked for by name.
fresh
dying=""
installed=0
run setup_llama
expect "installed" "/opt/llama" "$(called)$(taken)"
fresh
installed=4
run setup_llama
expect "installed but of no use" "fetch native" "$(called)"
expect_said "/opt/llama/lib/cmake/llama does not work"
fresh
status=0
TQ_LLAMA_PREFIX=/opt/llama run setup_llama || status=$?
expect "asked for, but of no use" "1" "$status$(called)"
expect_said "TQ_LLAMA_PREFIX=/opt/llama holds no llama.cpp that works"

# Two at once compile once.
fresh
installed=3
run setup_llama &
run setup_llama
wait $!
expect "two at once" "fetch native" "$(called)"
