// Which Highway the loop kernels were compiled with.
#pragma once

#include <string>

namespace cotan::loops {

// "1.0.3".
[[nodiscard]] std::string library_version();

}  // namespace cotan::loops
