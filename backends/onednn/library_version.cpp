#include "backends/onednn/library_version.h"

#include <fmt/format.h>

#include <oneapi/dnnl/dnnl.hpp>

namespace cotan::onednn {

std::string library_version() {
  const dnnl_version_t* v = dnnl_version();
  const unsigned runtime = v->cpu_runtime;
  const char* threads = runtime == DNNL_RUNTIME_OMP          ? "OpenMP"
                        : runtime == DNNL_RUNTIME_TBB        ? "TBB"
                        : runtime == DNNL_RUNTIME_SEQ        ? "no"
                        : runtime == DNNL_RUNTIME_THREADPOOL ? "its user's"
                                                             : "other";
  return fmt::format("{}.{}.{}, {} threads", v->major, v->minor, v->patch, threads);
}

}  // namespace cotan::onednn
