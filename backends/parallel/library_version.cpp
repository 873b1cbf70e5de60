#include "backends/parallel/library_version.h"

#include <oneapi/tbb/version.h>

namespace cotan::parallel {

std::string library_version() { return TBB_runtime_version(); }

}  // namespace cotan::parallel
