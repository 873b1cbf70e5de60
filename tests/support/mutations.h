// Mutated texts: texts of graphs, each changed in a few places, so that about half of them still are graphs, and graphs that nobody would write.
//
// What parses must be legal, survive a round trip and every pass and fusion, compile, and where it is small compute what the reference computes. What does not
// parse must be refused by an Error.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/support/failures.h"
#include "tests/support/random.h"

namespace cotan::testing {

// The texts that mutations start from: the examples of docs/ (those blocks that parse), every row's cases with their gradients, small random graphs with
// theirs, and windows, masks, pads and narrows around one another. `docs`: the folder.
[[nodiscard]] std::vector<std::string> texts_to_mutate(const std::string& docs);

// A text of the list, changed in one to three places.
[[nodiscard]] std::string mutated_text(const std::vector<std::string>& texts, Random& random);

// What a text came to.
struct MutationOutcome {
  bool parsed = false;     // or refused, by an Error
  bool compared = false;   // small enough to be run
  bool undecided = false;  // results that rounding decides, or NaN and infinities
  Failures failures;
};

// Holds the text to what is said above, with passes switched so ("-fuse_regions") beside the usual.
[[nodiscard]] MutationOutcome check_text(const std::string& text, std::uint64_t seed, const std::string& passes = "");

// The text of that seed, made and checked. Failures begin with the seed and hold the text.
[[nodiscard]] MutationOutcome check_mutation(const std::vector<std::string>& texts, std::uint64_t seed, const std::string& passes = "");

}  // namespace cotan::testing
