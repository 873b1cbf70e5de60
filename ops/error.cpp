#include "ops/error.h"

#include <fmt/format.h>

#include <utility>

namespace cotan {
namespace {

thread_local CallSite* innermost = nullptr;

std::string message(const std::string& function, const std::string& problem, const std::string& remedy, const SourceLine& where) {
  std::string text = function.empty() ? problem : fmt::format("{}: {}", function, problem);
  if (!remedy.empty()) text += fmt::format(". {}", remedy);
  if (where.line > 0) text += fmt::format(" (at {})", where.text());
  return text;
}

}  // namespace

std::string SourceLine::text() const { return line > 0 ? fmt::format("{}:{}", file, line) : "unknown line"; }

Error::Error(std::string function, std::string problem, std::string remedy, SourceLine where)
    : std::runtime_error(message(function, problem, remedy, where)),
      function_(std::move(function)),
      problem_(std::move(problem)),
      remedy_(std::move(remedy)),
      where_(where) {}

InternalError::InternalError(const std::string& what, std::source_location where)
    : std::logic_error(fmt::format("internal fault: {} ({}:{}); please report it with the program that led here", what, where.file_name(), where.line())) {}

CallSite::CallSite(std::string_view function, const SourceLine& where) : function_(function), where_(where), outer_(innermost) {
  if (outer_ != nullptr && outer_->where_.line > 0) where_ = outer_->where_;
  innermost = this;
}

CallSite::~CallSite() { innermost = outer_; }

std::string_view CallSite::current_function() { return innermost != nullptr ? innermost->function_ : std::string_view{}; }

SourceLine CallSite::current_line() { return innermost != nullptr ? innermost->where_ : SourceLine{}; }

void fail(std::string problem, std::string remedy) {
  throw Error(std::string(CallSite::current_function()), std::move(problem), std::move(remedy), CallSite::current_line());
}

}  // namespace cotan
