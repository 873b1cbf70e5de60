#include "tests/project/process.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "ops/error.h"

namespace cotan::project {

Outcome run(const std::string& command) {
  const std::string line = fmt::format("( {} ) </dev/null 2>&1", command);
  FILE* pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) throw InternalError("the shell cannot be started");
  Outcome outcome;
  std::array<char, 4096> buffer{};
  for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) outcome.output.append(buffer.data(), got);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

std::string quoted(const std::filesystem::path& text) {
  std::string result = "'";
  for (char c : text.string()) {
    if (c == '\'') {
      result += "'\\''";
    } else {
      result += c;
    }
  }
  return result + "'";
}

ScratchFolder::ScratchFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "cotan-project-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw InternalError("no temporary folder");
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path ScratchFolder::write(const std::filesystem::path& name, const std::string& text) const {
  const std::filesystem::path file = path_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  if (text.starts_with("#!")) std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  return file;
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace cotan::project
