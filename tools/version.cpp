#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <vector>

#include "backends/loops/library_version.h"
#include "backends/onednn/library_version.h"
#include "backends/parallel/library_version.h"
#include "graph/target.h"
#include "graph/threads.h"
#include "tools/commands.h"

namespace cotan::tools {
namespace {

#if defined(__clang__)
constexpr std::string_view compiler = "Clang " __clang_version__;
#elif defined(__GNUC__)
constexpr std::string_view compiler = "GCC " __VERSION__;
#else
constexpr std::string_view compiler = "unknown";
#endif

// The extensions of the instruction set that decide which kernels run.
std::vector<std::string_view> processor_features() {
  std::vector<std::string_view> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
#define COTAN_FEATURE(name) \
  if (__builtin_cpu_supports(name)) found.emplace_back(name);
  COTAN_FEATURE("sse4.2")
  COTAN_FEATURE("avx")
  COTAN_FEATURE("avx2")
  COTAN_FEATURE("fma")
  COTAN_FEATURE("avx512f")
  COTAN_FEATURE("avx512bw")
  COTAN_FEATURE("avx512vnni")
#undef COTAN_FEATURE
#endif
  return found;
}

}  // namespace

void version() {
  fmt::print("cotan {}\n", COTAN_VERSION);
  fmt::print("oneDNN {}\n", onednn::library_version());
  fmt::print("TBB {}\n", parallel::library_version());
  fmt::print("Highway {}\n", loops::library_version());
  fmt::print("compiler {}\n", compiler);
  fmt::print("processor {}\n", fmt::join(processor_features(), " "));
  fmt::print("machine {}\n", this_machine().text());
  fmt::print("threads {}\n", threads());
}

}  // namespace cotan::tools
