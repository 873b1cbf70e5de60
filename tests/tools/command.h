// Running the built program from a test, in a folder of its own.
#pragma once

#include <filesystem>
#include <string>

namespace cotan::tools_tests {

struct Outcome {
  int status = 0;
  std::string out, err;
};

// An empty folder that lives as long as the object, and the program run inside it.
class Workplace {
 public:
  Workplace();
  ~Workplace();
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  // `cotan ARGUMENTS` by the shell, `input` on its standard input.
  [[nodiscard]] Outcome cotan(const std::string& arguments, const std::string& input = "") const;
  void write(const std::string& name, const std::string& content) const;
  [[nodiscard]] std::string read(const std::string& name) const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace cotan::tools_tests
