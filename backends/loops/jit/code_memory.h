// Memory of executable code.
//
// No page is ever writable and executable at once: code is written to memory that cannot run, and from when it can run nobody can write to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace cotan::loops::jit {

class CodeMemory {
 public:
  // A copy of the code, ready to run; nothing where the operating system does not allow it.
  [[nodiscard]] static std::optional<CodeMemory> make(std::span<const std::uint8_t> code);
  CodeMemory(CodeMemory&& other) noexcept : pages_(other.pages_), bytes_(other.bytes_) { other.pages_ = nullptr; }
  CodeMemory& operator=(CodeMemory&&) = delete;
  ~CodeMemory();

  [[nodiscard]] const void* first() const { return pages_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }  // whole pages

 private:
  CodeMemory(void* pages, std::size_t bytes) : pages_(pages), bytes_(bytes) {}

  void* pages_;
  std::size_t bytes_;
};

}  // namespace cotan::loops::jit
