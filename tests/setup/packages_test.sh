#!/usr/bin/env bash
# Packages: what is missing is installed as root, named to anyone else, and apt is left alone when
# nothing is missing.
# shellcheck disable=SC1091,SC2317,SC2034,SC2154
. "$(dirname "$0")/harness.sh"

lacking="libfmt-dev libspdlog-dev" user=0 sudo_works=1 apt_works=0
fakes() {
  missing_packages() { echo "$lacking"; }
  id() { echo "$user"; }
  sudo() { return "$sudo_works"; }
  dpkg-query() { true; }
  apt-get() { true; }
  env() {
    echo "${*##*=600 }" >> "$calls"
    return "$apt_works"
  }
}

run setup_packages
expect_said "installing Debian packages: libfmt-dev libspdlog-dev"
grep -q "install --no-install-recommends libfmt-dev libspdlog-dev" "$calls" ||
  expect "apt-get" "an install" "$(cat "$calls")"
called > /dev/null

apt_works=100 status=0
run setup_packages || status=$?
expect "apt-get fails" 1 $status
expect_said "apt-get could not install: libfmt-dev libspdlog-dev"
called > /dev/null

user=1000 status=0
run setup_packages || status=$?
expect "not root" 1 "$status$(called)"
expect_said "install these packages first: sudo apt-get install libfmt-dev libspdlog-dev"

lacking=""
run setup_packages
expect "nothing is missing" "" "$(called)$(cat "$box/said")"

# A browser, and a reader of what it prints, are asked for by the tests alone.
fakes() {
  command() { [ "$2" != chromium ] && [ "$2" != pdftotext ]; }
  dpkg-query() { printf 'installed %s\n' $library_packages; }
}
names_missing() { missing_packages > "$box/missing"; }
run names_missing
expect "a build's packages" "" "$(cat "$box/missing")"
want_tests=1
run names_missing
expect "the tests' packages" "chromium poppler-utils" "$(cat "$box/missing")"
