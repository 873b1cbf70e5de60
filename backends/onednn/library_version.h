// Which oneDNN runs here.
#pragma once

#include <string>

namespace cotan::onednn {

// "2.6.3, OpenMP threads": the library that is loaded, and the thread runtime it was built for.
[[nodiscard]] std::string library_version();

}  // namespace cotan::onednn
