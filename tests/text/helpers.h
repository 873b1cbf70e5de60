// What the tests of the text form share: round trips, and messages of errors.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "graph/builder.h"
#include "graph/text/text.h"
#include "graph/verify.h"
#include "ops/error.h"

namespace cotan::text_tests {

// A function of these results whose parameters are the leaves they read.
inline Function closed(std::vector<Ref> results, std::vector<std::string> names = {}) { return close_over_leaves(results, std::move(names)); }

// Prints, parses, and demands the same nodes, the same text and a legal graph. Returns the text.
inline std::string round_trip(const Function& f) {
  verify(f);
  const std::string text = to_text(f);
  Function back;
  try {
    back = parse_function(text, "printed");
  } catch (const Error& e) {
    ADD_FAILURE() << e.what() << "\n" << text;
    return text;
  }
  EXPECT_EQ(back.parameters, f.parameters) << text;
  EXPECT_EQ(back.results.size(), f.results.size());
  for (std::size_t i = 0; i < f.results.size() && i < back.results.size(); ++i)
    EXPECT_TRUE(back.results[i] == f.results[i]) << text << "\nread back as\n" << to_text(back);
  EXPECT_EQ(to_text(back), text);
  return text;
}

inline std::string round_trip(const Ref& r) { return round_trip(closed({r})); }

// The message of the Error that parsing gives; "" and a failure if there is none.
inline std::string error_of(std::string_view text) {
  try {
    (void)parse_function(text, "t");
  } catch (const Error& e) {
    return e.what();
  }
  ADD_FAILURE() << "no error for\n" << text;
  return "";
}

}  // namespace cotan::text_tests
