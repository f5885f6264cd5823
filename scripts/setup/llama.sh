# shellcheck shell=bash disable=SC2154,SC2015
# Step 3: llama.cpp. One that is installed is taken if it works; otherwise it is compiled, once, into
# the cache. Nothing is used before it has decoded a token (scripts/setup/probe).

llama_version=0.3.36
llama_sha256=832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e

# The ways to compile it, in the order in which they are tried. On some machines the processor lists
# AMX and yet dies on its instructions.
llama_variants="native no-amx portable"
llama_flags="-DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON
  -DCMAKE_INSTALL_LIBDIR=lib -DGGML_OPENMP=OFF -DLLAMA_CURL=OFF -DLLAMA_BUILD_COMMON=OFF
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
  -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF"
no_amx="-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"

llama_variant_says() {
  case $1 in
    native) echo "for this processor" ;;
    no-amx) echo "without AMX" ;;
    portable) echo "for any recent processor" ;;
  esac
}

# The cache key of a variant: the version, and a hash of all that the result depends on.
llama_key() {
  local compilers cpu
  compilers=$("${CC:-cc}" --version 2> /dev/null | head -n 1)$("${CXX:-c++}" --version 2> /dev/null | head -n 1)
  cpu=$(grep -m 1 -E '^(flags|Features)' /proc/cpuinfo || uname -m)
  echo "$llama_version-$1-$(echo "$compilers|$cpu|$llama_flags|${CFLAGS:-}|${CXXFLAGS:-}|${TQ_LLAMA_CMAKE_ARGS:-}" |
    sha256sum | cut -c 1-12)"
}

# Leaves the source in $work/llama.cpp.
fetch_llama() {
  [ ! -d "$work/llama.cpp" ] || return 0
  say "downloading llama.cpp (llama-cpp-python $llama_version, 77 MB)"
  fetch source "llama-cpp-python==$llama_version" "$llama_sha256"
  mkdir "$work/llama.cpp"
  logged tar -xzf "$work"/llama-cpp-python/*.tar.gz -C "$work/llama.cpp" --strip-components=3 \
    --wildcards '*/vendor/llama.cpp' || fail_with_log "the llama.cpp package cannot be unpacked"
}

# compile_llama VARIANT PREFIX STAGE: compiles for PREFIX, and leaves it in STAGE/PREFIX.
compile_llama() {
  local build=$work/build-$1 extra="" native=ON
  case $1 in
    no-amx) extra=$no_amx ;;
    portable) native=OFF ;;
  esac
  # shellcheck disable=SC2086
  CFLAGS="${CFLAGS:-} $extra" CXXFLAGS="${CXXFLAGS:-} $extra" logged cmake -G Ninja \
    -S "$work/llama.cpp" -B "$build" -DCMAKE_INSTALL_PREFIX="$2" -DGGML_NATIVE=$native \
    $llama_flags ${TQ_LLAMA_CMAKE_ARGS:-} &&
    DESTDIR=$3 logged cmake --build "$build" --target install --parallel "$(nproc)"
}

# probe_llama [PREFIX]: decodes a token with the llama.cpp at PREFIX, or with the one CMake finds.
# Status 0: it works, and found_llama says where it is. 3: none found, 4: it does not compile;
# else as the probe ended.
probe_llama() {
  local build status=0
  build=$(mktemp -d "$work/probe.XXXXXX")
  found_llama=""
  logged cmake -G Ninja -S "$root/scripts/setup/probe" -B "$build" -DPROBE_PREFIX="${1:-}" || status=4
  [ ! -f "$build/llama_dir" ] || found_llama=$(cat "$build/llama_dir")
  [ -n "$found_llama" ] || return 3
  [ $status = 0 ] && logged cmake --build "$build" || return 4
  logged "$build/probe" "$model" || return
}

# Whether a probe's status means that the processor and the code do not fit: death by a signal that
# nobody sent, or logits that are no numbers.
is_processor_trouble() {
  case $1 in
    2 | 132 | 134 | 135 | 136 | 139) return 0 ;;
    *) return 1 ;;
  esac
}

end_says() {
  case $1 in
    2) echo "its logits are no numbers" ;;
    132) echo "illegal instruction" ;;
    *) echo "killed by signal $(($1 - 128))" ;;
  esac
}

# Takes an installed llama.cpp: $TQ_LLAMA_PREFIX, or what CMake finds by itself.
find_installed_llama() {
  local status=0
  probe_llama "${TQ_LLAMA_PREFIX:-}" || status=$?
  if [ $status = 0 ]; then
    llama_prefix=${found_llama%/lib*/cmake/llama}
    return 0
  fi
  [ -z "${TQ_LLAMA_PREFIX:-}" ] || fail_with_log \
    "TQ_LLAMA_PREFIX=$TQ_LLAMA_PREFIX holds no llama.cpp that works here: correct it, or unset it to have llama.cpp compiled"
  [ $status = 3 ] || say "the llama.cpp in $found_llama does not work with transferq and is left aside"
  return 1
}

# Takes the first variant that decodes a token, from the cache or compiled now.
compile_first_that_works() {
  local variant key status died=""
  for variant in $llama_variants; do
    key=$(llama_key "$variant")
    llama_prefix=$cache/llama/$key
    [ ! -f "$llama_prefix/lib/cmake/llama/llama-config.cmake" ] || return 0
    [ ! -f "$llama_prefix.died" ] || continue # it was tried before
    [ -z "$died" ] || say "$died"
    fetch_llama
    say "compiling llama.cpp $(llama_variant_says "$variant"), once; this takes a few minutes"
    rm -rf "$work/stage"
    compile_llama "$variant" "$llama_prefix" "$work/stage" || fail_with_log "llama.cpp did not compile"
    status=0
    probe_llama "$work/stage$llama_prefix" || status=$?
    if [ $status = 0 ]; then
      mkdir -p "$cache/llama"
      mv "$work/stage$llama_prefix" "$llama_prefix"
      say "llama.cpp decodes; it is kept in $llama_prefix"
      return 0
    fi
    is_processor_trouble $status ||
      fail_with_log "the llama.cpp just compiled cannot be used (status $status)"
    mkdir -p "$cache/llama"
    echo $status > "$llama_prefix.died"
    died="llama.cpp compiled $(llama_variant_says "$variant") does not run here ($(end_says $status))"
  done
  fail_with_log "${died:-llama.cpp did not run here before}: install one that does and set TQ_LLAMA_PREFIX"
}

setup_llama() {
  local out=$root/build/setup.cmake inputs compiled=OFF llama_prefix="" found_llama=""
  inputs=$(echo "${TQ_LLAMA_PREFIX:-}|${CMAKE_PREFIX_PATH:-}|$cache|$model|$(llama_key native)" | sha256sum | cut -c 1-12)
  # Settled before, from the same inputs, and still there?
  if [ -f "$out" ]; then
    llama_prefix=$(sed -n "s/^# $inputs //p" "$out")
    [ -z "$llama_prefix" ] || [ ! -d "$llama_prefix" ] || return 0
    rm -f "$root"/build/*/CMakeCache.txt # it may point to another llama.cpp
  fi
  find_installed_llama || {
    compiled=ON
    compile_first_that_works
  }
  {
    echo "# Written by scripts/bootstrap and loaded by the CMake presets: where llama.cpp and the model are."
    echo "# $inputs $llama_prefix"
    echo "set(TQ_LLAMA_PREFIX \"$llama_prefix\")"
    echo "set(TQ_LLAMA_COMPILED $compiled)"
    echo "set(TQ_DEFAULT_MODEL \"$model\")"
    echo "list(APPEND CMAKE_PREFIX_PATH \"\${TQ_LLAMA_PREFIX}\")"
  } > "$out.part"
  mv "$out.part" "$out"
}
