#include "tools/file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "ops/error.h"

namespace cotan::tools {

std::string content_of(const std::string& file, const std::string& remedy) {
  auto fail_with = [&](int reason) { throw Error("", fmt::format("{}: {}", file == "-" ? "standard input" : file, std::strerror(reason)), remedy); };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> opened(nullptr, std::fclose);
  std::FILE* in = stdin;
  if (file != "-") {
    opened.reset(std::fopen(file.c_str(), "rb"));
    if (!opened) fail_with(errno);
    in = opened.get();
  }
  std::string content;
  std::array<char, 65536> part{};
  while (const std::size_t n = std::fread(part.data(), 1, part.size(), in)) content.append(part.data(), n);
  if (std::ferror(in) != 0) fail_with(errno);
  return content;
}

}  // namespace cotan::tools
