// NumPy's .npy files (format versions 1 to 3, little-endian): one dense array each, of float32, float64, int32, int64, uint8, uint32 or bool.
// The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "backends/reference/reference.h"

namespace cotan::tools {

// A dense array as memory holds it: `bytes` are its elements, row-major.
struct NpyArray {
  DType dtype = DType::f32;
  Shape shape;
  std::vector<std::byte> bytes;
  bool operator==(const NpyArray&) const = default;
};

// The array in the file, row-major whatever its order there. Throws Error naming the file where it cannot be read, is cut short, or holds another type.
[[nodiscard]] NpyArray read_npy(const std::filesystem::path& file);

// Writes the array as its dtype says; bf16, which NumPy does not know, as float32. The file appears whole or not at all. Throws Error where it cannot be
// written.
void write_npy(const std::filesystem::path& file, const NpyArray& array);

// From and to the reference's arrays; i64 beyond 2^53 is rounded there.
[[nodiscard]] NpyArray npy_of(const reference::Array& array);
[[nodiscard]] reference::Array values_of(const NpyArray& array);

}  // namespace cotan::tools
