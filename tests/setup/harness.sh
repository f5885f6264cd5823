# shellcheck shell=bash disable=SC2034,SC2154,SC1090
# Loads the parts of scripts/bootstrap with a home and a checkout of their own. Tests then replace
# the functions that download, compile or run something. $calls collects what those were asked.
set -eu
source_dir=$1
box=$(mktemp -d)
: > "$box/said"
trap 'status=$?; [ $status = 0 ] || cat "$box/said" >&2; rm -rf "$box"; exit $status' EXIT
calls=$box/calls
: > "$calls"
want_tests=""
unset TQ_LLAMA_PREFIX TQ_LLAMA_CMAKE_ARGS TQ_MODELS_DIR CMAKE_PREFIX_PATH
export HOME=$box/home XDG_CACHE_HOME=$box/cache

# run STEP...: the steps of a set-up in a process of its own; its messages go to $box/said.
run() {
  (
    root=$box/checkout
    for part in common packages fetch model llama; do . "$source_dir/scripts/setup/$part.sh"; done
    if declare -F fakes > /dev/null; then fakes; fi
    open_cache
    for step in "$@"; do "$step"; done
  ) 2> "$box/said"
}

# expect WHAT EXPECTED GOT
expect() {
  [ "$2" = "$3" ] || {
    printf 'FAILED: %s\n  expected: %s\n  got:      %s\n' "$1" "$2" "$3" >&2
    exit 1
  }
}

# expect_said PATTERN
expect_said() {
  grep -q -- "$1" "$box/said" || expect "a message" "$1" "$(cat "$box/said")"
}

# called: what was called since the last time, on one line.
called() {
  paste -sd ' ' "$calls"
  : > "$calls"
}
