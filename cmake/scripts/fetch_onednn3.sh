#!/usr/bin/env bash
# fetch_onednn3.sh PREFIX: puts oneDNN 3.2 in its TBB build below PREFIX (include/, lib/), from Python wheels; the versions and their checksums are in
# onednn3.txt beside this file. The library needs two run-time libraries of the Intel compiler, which its own wheel does not name; TBB is the system's.
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
prefix=${1:?usage: fetch_onednn3.sh PREFIX}
[ ! -e "$prefix/complete" ] || exit 0

[ "$(uname -m)" = x86_64 ] || { echo "the wheels of oneDNN 3.2 are for x86_64, this machine is $(uname -m)" >&2; exit 1; }
mkdir -p "$(dirname "$prefix")"
scratch=$(mktemp -d "$(dirname "$prefix")/.onednn3.XXXXXX")
trap 'rm -rf "$scratch"' EXIT

python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest "$scratch/wheels" --requirement "$here/onednn3.txt"
for wheel in "$scratch"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$scratch/unpacked"; done

# pick NAME: the one file of that name in the wheels.
pick() { find "$scratch/unpacked" -name "$1" -not -type d | grep . | head -1; }
mkdir -p "$scratch/prefix/lib"
cp -r "$(dirname "$(dirname "$(find "$scratch/unpacked" -path '*/include/oneapi' -type d | grep . | head -1)")")/include" "$scratch/prefix/include"
for library in libdnnl.so.3 libimf.so libintlc.so.5; do cp -L "$(pick "$library")" "$scratch/prefix/lib/"; done
ln -s libdnnl.so.3 "$scratch/prefix/lib/libdnnl.so"
touch "$scratch/prefix/complete"

# The prefix appears whole or not at all.
rm -rf "$prefix"
mv "$scratch/prefix" "$prefix"
