// Reading whole files.
#pragma once

#include <string>

namespace cotan::tools {

// The bytes of the file, or of standard input for "-". Throws Error with the system's reason and this remedy where it cannot be read.
[[nodiscard]] std::string content_of(const std::string& file, const std::string& remedy);

}  // namespace cotan::tools
