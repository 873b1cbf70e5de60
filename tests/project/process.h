// Running commands from a test, and folders to run them in.
#pragma once

#include <filesystem>
#include <string>

namespace cotan::project {

// What a command printed, both streams together, and its exit status (128 + the signal's number if one ended it).
struct Outcome {
  int status = 0;
  std::string output;
};

// Runs a command line by the shell, without standard input. InternalError if the shell cannot be started.
[[nodiscard]] Outcome run(const std::string& command);

// `text` as one word of a shell's command line.
[[nodiscard]] std::string quoted(const std::filesystem::path& text);

// An empty folder that lives as long as the object.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Writes a file, making the folders above it. Executable if it starts with "#!".
  std::filesystem::path write(const std::filesystem::path& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

// The whole content of a file; empty if it cannot be read.
[[nodiscard]] std::string content_of(const std::filesystem::path& file);

}  // namespace cotan::project
