// Which TBB runs here.
#pragma once

#include <string>

namespace cotan::parallel {

// "2021.8.0" or as the loaded library says.
[[nodiscard]] std::string library_version();

}  // namespace cotan::parallel
