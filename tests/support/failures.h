// What a check finds wrong, as values: a test demands that the list is empty, and a test of the tests hands the same check a planted fault and demands that
// it is not.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cotan::testing {

// One sentence for each thing that is wrong, with the numbers. Empty: nothing is.
using Failures = std::vector<std::string>;

inline void append(Failures& to, Failures more) { to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end())); }

// For EXPECT_TRUE(none(failures)): the first ten sentences, and how many there are.
[[nodiscard]] inline ::testing::AssertionResult none(const Failures& failures) {
  if (failures.empty()) return ::testing::AssertionSuccess();
  auto result = ::testing::AssertionFailure() << failures.size() << " failures";
  for (std::size_t i = 0; i < failures.size() && i < 10; ++i) result << "\n  " << failures[i];
  return result;
}

// For a planted fault: the check must have found something.
[[nodiscard]] inline ::testing::AssertionResult caught(const Failures& failures) {
  if (!failures.empty()) return ::testing::AssertionSuccess() << failures[0];
  return ::testing::AssertionFailure() << "the check did not notice the planted fault";
}

// "1, 2.5, -3": operands of a failing point.
[[nodiscard]] inline std::string list_text(const auto& values) { return fmt::format("{}", fmt::join(values, ", ")); }

}  // namespace cotan::testing
