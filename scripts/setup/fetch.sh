# shellcheck shell=bash disable=SC2154,SC2015
# Files from the Python package index, through pip in a throw-away environment.

# python: the system's own where there is one, because python3-venv belongs to it.
python() {
  if [ -x /usr/bin/python3 ]; then /usr/bin/python3 "$@"; else python3 "$@"; fi
}

# fetch KIND NAME==VERSION SHA256: downloads the package (KIND: source or wheel) into $work/NAME.
# pip refuses a file with another SHA-256.
fetch() {
  local kind=$1 requirement=$2 sha256=$3 name=${2%%==*} only=--only-binary
  [ "$kind" = wheel ] || only=--no-binary
  [ -x "$work/venv/bin/python" ] || logged python -m venv "$work/venv" ||
    fail_with_log "cannot make a Python environment: install python3-venv"
  echo "$requirement --hash=sha256:$sha256" > "$work/$name.txt"
  logged "$work/venv/bin/python" -m pip --disable-pip-version-check download --no-cache-dir \
    --no-deps "$only" "$name" --require-hashes -r "$work/$name.txt" -d "$work/$name" < /dev/null ||
    fail_with_log "cannot download $requirement: check the network, then run this again"
}
