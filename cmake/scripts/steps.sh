# What ./quickstart and ./check share: named steps, packages, builds. Sourced by bash, with $root set to the repository.

step=""

# begin TEXT: says what is being done; a failure later names it.
begin() {
  step=$1
  printf '\n==> %s\n' "$step"
}

# die WHAT DO: ends the script, naming the step, what went wrong and what to do. on_failure, where a script defines it, has the last word.
die() {
  printf '\n%s: the step "%s" failed: %s\n%s\n' "$(basename "$0")" "$step" "$1" "$2" >&2
  if declare -F on_failure >/dev/null; then on_failure; fi
  exit 1
}

has_command() { command -v "$1" >/dev/null 2>&1; }

# has_header HEADER: whether the C++ compiler finds it.
has_header() { "${CXX:-g++}" -std=c++20 -E -x c++ - >/dev/null 2>&1 <<<"#include <$1>"; }

# apt_install PACKAGE...: by apt, as root or through sudo. Lists are refreshed only here, where something is missing.
apt_install() {
  local as_root=()
  has_command apt-get || die "missing: $*, and there is no apt-get" "Install them with your system's package manager and run this again."
  if [ "$(id -u)" != 0 ]; then
    has_command sudo || die "missing: $*, and neither root nor sudo is there to install them" "As root, run: apt-get install $*"
    as_root=(sudo)
  fi
  echo "installing: $*"
  run_logged packages "${as_root[@]}" apt-get update -qq || die "apt-get update" "Check the network and the package sources, then run this again."
  run_logged packages "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" ||
    die "apt-get install $*" "Read apt's message above, install these packages by hand and run this again."
}

# run_logged NAME COMMAND...: keeps what the command prints in build/NAME.log, and shows its end only if it fails.
run_logged() {
  local log=$root/build/$1.log
  shift
  mkdir -p "$root/build"
  "$@" >"$log" 2>&1 </dev/null || {
    tail -40 "$log" >&2
    return 1
  }
}

# need_tools PROBE:PACKAGE...: installs the packages whose probe is not there. A probe with a dot in it is a header, any other a command. Headers are
# looked for after the commands, since the compiler looks for them.
need_tools() {
  local entry probe missing=()
  for entry in "$@"; do
    probe=${entry%%:*}
    case $probe in *.*) ;; *) has_command "$probe" || missing+=("${entry##*:}") ;; esac
  done
  for entry in "$@"; do
    probe=${entry%%:*}
    case $probe in *.*) has_header "$probe" || missing+=("${entry##*:}") ;; esac
  done
  [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"
}

# What the library itself is built with and from.
build_tools=(g++:g++ cmake:cmake ninja:ninja-build oneapi/dnnl/dnnl.hpp:libdnnl-dev tbb/parallel_for.h:libtbb-dev fmt/format.h:libfmt-dev
  hwy/highway.h:libhwy-dev xbyak/xbyak.h:libxbyak-dev zlib.h:zlib1g-dev CLI/CLI.hpp:libcli11-dev nlohmann/json.hpp:nlohmann-json3-dev)

# need_compiler: g++ from 12 on, unless CXX names another compiler.
need_compiler() {
  local version
  [ -z "${CXX:-}" ] || return 0
  version=$(g++ -dumpversion 2>/dev/null) || die "g++ does not run" "Reinstall the package g++."
  [ "${version%%.*}" -ge 12 ] || die "g++ is version $version, Cotan needs 12 or newer" "Install a newer g++, or name another C++20 compiler in CXX."
}

# configure PRESET [CMAKE-OPTION...]
configure() {
  (cd "$root" && run_logged "$1-configure" cmake --preset "$@" -Wno-dev) ||
    die "cmake could not configure build/$1" "Read the message above. After a change of compiler or libraries, remove build/$1 and run this again."
}

# compile PRESET [TARGET...]: all targets unless some are named.
compile() {
  local preset=$1 targets=()
  shift
  [ $# = 0 ] || targets=(--target "$@")
  cmake --build "$root/build/$preset" "${targets[@]}" ||
    die "the compiler stopped on build/$preset" "Read the first error above. If the compiler was killed, memory ran out: CMAKE_BUILD_PARALLEL_LEVEL=1 uses less."
}
