#include "tests/tools/command.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "ops/error.h"

namespace cotan::tools_tests {

Workplace::Workplace() {
  std::string name = (std::filesystem::temp_directory_path() / "cotan-tools-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw InternalError("no folder for a test");
  path_ = name;
}

Workplace::~Workplace() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Outcome Workplace::cotan(const std::string& arguments, const std::string& input) const {
  write(".stdin", input);
  const int status = std::system(fmt::format("cd '{}' && '{}' {} <.stdin >.stdout 2>.stderr", path_.string(), COTAN_TOOL, arguments).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read(".stdout"), read(".stderr")};
}

void Workplace::write(const std::string& name, const std::string& content) const { std::ofstream(path_ / name, std::ios::binary) << content; }

std::string Workplace::read(const std::string& name) const {
  std::ifstream in(path_ / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace cotan::tools_tests
