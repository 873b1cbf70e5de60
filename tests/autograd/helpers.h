// What the tests of the user's layer share: a fixture that runs in both modes, and errors as values.
#pragma once

#include <cotan/cotan.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/tape.h"
#include "graph/node.h"

namespace cotan::testing {

// Runs each case on the reference and compiled.
class InBothModes : public ::testing::TestWithParam<ExecutionMode> {
 protected:
  void SetUp() override { before_ = set_execution_options({.mode = GetParam()}); }
  void TearDown() override { set_execution_options(before_); }

 private:
  ExecutionOptions before_;
};

inline std::string mode_name(const ::testing::TestParamInfo<ExecutionMode>& info) { return info.param == ExecutionMode::reference ? "reference" : "compiled"; }

#define COTAN_IN_BOTH_MODES(Suite) \
  INSTANTIATE_TEST_SUITE_P(Modes, Suite, ::testing::Values(ExecutionMode::reference, ExecutionMode::compiled), ::cotan::testing::mode_name)

// The Error that the action throws; a failure where it throws none.
inline std::optional<Error> error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  } catch (const std::exception& e) {
    ADD_FAILURE() << "not an Error but: " << e.what();
    return std::nullopt;
  }
  ADD_FAILURE() << "no Error was thrown";
  return std::nullopt;
}

// What the Error says: "function: problem. remedy (at file:line)".
inline std::string message_of(const std::function<void()>& action) {
  const auto e = error_of(action);
  return e ? e->what() : "";
}

inline std::string_view file_name(const SourceLine& line) {
  const std::string_view file = line.file;
  return file.substr(file.rfind('/') + 1);
}

// The lines at which a tensor's node was recorded.
inline std::vector<int> lines_of(const Tensor& t) {
  std::vector<int> lines;
  const Node& n = *t.state()->ref.node();
  for (const Origin& o : n.table->origins_of(n)) lines.push_back(o.line.line);
  return lines;
}

inline std::vector<int> line_numbers(const std::vector<SourceLine>& lines) {
  std::vector<int> numbers;
  for (const SourceLine& l : lines) numbers.push_back(l.line);
  return numbers;
}

// Sanitizers slow these tests down tenfold and more: long loops are shorter under them.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

inline std::size_t live_nodes() { return NodeTable::current().live_nodes(); }

}  // namespace cotan::testing
