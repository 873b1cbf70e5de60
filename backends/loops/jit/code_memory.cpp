#include "backends/loops/jit/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "ops/memory.h"

namespace cotan::loops::jit {

std::optional<CodeMemory> CodeMemory::make(std::span<const std::uint8_t> code) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t bytes = (code.size() + page - 1) / page * page;
  void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) no_memory("generated code", bytes);
  std::memcpy(pages, code.data(), code.size());
  if (mprotect(pages, bytes, PROT_READ | PROT_EXEC) != 0) {
    munmap(pages, bytes);
    return std::nullopt;
  }
  return CodeMemory(pages, bytes);
}

CodeMemory::~CodeMemory() {
  if (pages_ != nullptr) munmap(pages_, bytes_);
}

}  // namespace cotan::loops::jit
