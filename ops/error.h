// Errors as the user meets them.
//
// `Error` is the user's mistake or bad input: it names the public function that was called, what was wrong with the values it was given, how to put it
// right, and the user's source line. `InternalError` is a fault of this library: catching one is always a bug report.
//
// Public functions open a `CallSite`; code far below them calls `fail(problem, remedy)`, which takes the function's name and line from the innermost site.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace cotan {

// Where in the user's program a call was written. `line` 0 means unknown.
struct SourceLine {
  const char* file = "";
  const char* function = "";
  int line = 0;

  SourceLine() = default;
  // A line given by hand, or the one that a source_location names.
  SourceLine(const char* file, int line, const char* function = "") : file(file), function(function), line(line) {}
  SourceLine(const std::source_location& where)  // NOLINT: implicit on purpose, it is how a line enters an argument type
      : file(where.file_name()), function(where.function_name()), line(static_cast<int>(where.line())) {}

  // "file.cpp:12", or "unknown line".
  [[nodiscard]] std::string text() const;
  bool operator==(const SourceLine&) const = default;
};

// A mistake in what the user gave. what() reads "function: problem. remedy (at file.cpp:12)".
class Error : public std::runtime_error {
 public:
  Error(std::string function, std::string problem, std::string remedy, SourceLine where = {});

  // The parts of the message: the public function called, what was wrong, what to do, and where the user's program called it.
  [[nodiscard]] const std::string& function() const { return function_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] const std::string& remedy() const { return remedy_; }
  [[nodiscard]] const SourceLine& where() const { return where_; }

 private:
  std::string function_, problem_, remedy_;
  SourceLine where_;
};

// A fault of this library: an invariant that no input may break was broken.
class InternalError : public std::logic_error {
 public:
  explicit InternalError(const std::string& what, std::source_location where = std::source_location::current());
};

// Names the public function that runs on this thread and the user's line that called it, for as long as the object lives. Nested sites keep the outermost
// line (the user's) and the innermost name.
class CallSite {
 public:
  CallSite(std::string_view function, const SourceLine& where);
  ~CallSite();
  CallSite(const CallSite&) = delete;
  CallSite& operator=(const CallSite&) = delete;

  [[nodiscard]] static std::string_view current_function();  // "" outside any site
  [[nodiscard]] static SourceLine current_line();            // unknown outside any site

 private:
  std::string_view function_;
  SourceLine where_;
  CallSite* outer_;
};

// Throws Error with the innermost call site's name and line. Both texts are phrases without a final period.
[[noreturn]] void fail(std::string problem, std::string remedy);

}  // namespace cotan
