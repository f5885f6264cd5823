# shellcheck shell=bash disable=SC2154,SC2015
# Shared by the parts of scripts/bootstrap: messages, the log, the cache folder and its lock.
# Expects $root, the project's folder.

cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/transferq
log=$root/build/setup.log

# say MESSAGE: one line of progress.
say() { echo "setup: $*" >&2; }

# fail MESSAGE: one line that says what to do, and the end.
fail() {
  say "$*"
  exit 1
}

# fail_with_log MESSAGE: the same, with the last lines of the log.
fail_with_log() {
  say "$*"
  say "the log is $log, which ends:"
  tail -n 15 "$log" | sed 's/^/  | /' >&2
  exit 1
}

# logged COMMAND...: runs it with its output in the log, and what the shell says of its death too.
logged() {
  { echo "+ $*" && "$@"; } >> "$log" 2>&1
}

# Makes the cache folder, lets in one set-up at a time, and makes $work, a folder for this run only.
open_cache() {
  mkdir -p "$cache" 2> /dev/null && [ -w "$cache" ] ||
    fail "cannot write to $cache: set XDG_CACHE_HOME to a folder that can be written to"
  exec 9> "$cache/lock"
  flock -n 9 || {
    say "waiting for another set-up to finish"
    flock 9
  }
  rm -rf "$cache"/work.* # left by a set-up that was killed
  work=$(mktemp -d "$cache/work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  mkdir -p "$root/build"
  : > "$log"
}
