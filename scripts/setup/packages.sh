# shellcheck shell=bash disable=SC2154,SC2015
# Step 1: tools and libraries from Debian's packages.

# Tools, as package:command. Any command of that name will do, wherever it comes from.
tool_packages="g++:g++ cmake:cmake ninja-build:ninja python3:python3 clang-format:clang-format"
library_packages="libc6-dev python3-venv libfmt-dev libcli11-dev nlohmann-json3-dev libtomlplusplus-dev
  libssl-dev libcpp-httplib-dev zlib1g-dev libeigen3-dev liblbfgs-dev libpcre2-dev
  libgtest-dev libgmock-dev librapidcheck-dev"
# What tests alone need: `scripts/bootstrap --tests` asks for it, so that a build goes without.
test_packages="chromium:chromium poppler-utils:pdftotext"

# Prints the packages that are not there, on one line.
missing_packages() {
  local pair name missing="" installed
  for pair in $tool_packages ${want_tests:+$test_packages}; do
    command -v "${pair#*:}" > /dev/null || missing="$missing ${pair%%:*}"
  done
  # shellcheck disable=SC2086
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $library_packages 2> /dev/null || true)
  for name in $library_packages; do
    grep -qx "installed $name" <<< "$installed" || missing="$missing $name"
  done
  echo "${missing# }"
}

setup_packages() {
  if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
    # Not Debian: CMake says by name what it cannot find.
    command -v cmake > /dev/null && command -v ninja > /dev/null ||
      fail "install cmake, ninja and what these Debian packages hold: ${library_packages//$'\n'/}"
    return
  fi
  local missing as_root=""
  missing=$(missing_packages)
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    sudo -n true 2> /dev/null || fail "install these packages first: sudo apt-get install $missing"
    as_root="sudo -n"
  fi
  say "installing Debian packages: $missing"
  local apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600"
  # A repository of the user's own may be down without harm: whether the install works decides.
  # shellcheck disable=SC2086
  logged $apt update || true
  # shellcheck disable=SC2086
  logged $apt install --no-install-recommends $missing < /dev/null ||
    fail_with_log "apt-get could not install: $missing"
}
