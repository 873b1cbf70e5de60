// NumPy's .npy files (format versions 1 to 3, little-endian): one dense array each, of float32, float64, int32, uint8 or bool.
// The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <filesystem>

#include "backends/reference/reference.h"

namespace cotan::tools {

// The array in the file, row-major whatever its order there. Throws Error naming the file where it cannot be read, is cut short, or holds another type.
[[nodiscard]] reference::Array read_npy(const std::filesystem::path& file);

// Writes the array as its dtype says. The file appears whole or not at all. Throws Error where it cannot be written.
void write_npy(const std::filesystem::path& file, const reference::Array& array);

}  // namespace cotan::tools
