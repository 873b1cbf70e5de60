// The idx file format: how MNIST and its relatives are published.
//
// A file is a four-byte magic (two zeros, a type code, the rank), the sizes as 32-bit big-endian numbers, and the elements, row-major. Only unsigned bytes
// (type code 8) are read. Files may be compressed by gzip: the content decides, not the name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace cotan::training {

// An array of bytes as it stood in a file: sizes outermost first, and as many bytes as their product.
struct IdxArray {
  std::vector<std::int64_t> sizes;
  std::vector<std::uint8_t> bytes;
};

// Reads an idx file of unsigned bytes with `rank` dimensions, plain or compressed by gzip. The whole file is checked before anything is returned: Error,
// naming the file, what was expected and what was found, when it cannot be opened, is not an idx file of unsigned bytes of that rank, ends before or goes on
// after the elements its header promises, or its compression is damaged.
[[nodiscard]] IdxArray read_idx(const std::filesystem::path& file, std::size_t rank);

}  // namespace cotan::training
