#include "backends/loops/library_version.h"

#include <fmt/format.h>
#include <hwy/highway.h>

namespace cotan::loops {

std::string library_version() { return fmt::format("{}.{}.{}", HWY_MAJOR, HWY_MINOR, HWY_PATCH); }

}  // namespace cotan::loops
