// Programs just inside and just outside of what each pass, fusion and recognition takes: a row is a program with letters for what varies, and the values of
// each letter. A new row is tested without a line of code.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cotan::testing {

struct PreconditionRow {
  std::string_view name;
  // What is switched off in one of the two computations that are compared; empty for what has no switch.
  std::string_view subject;
  // Of which names of the tally the row has both sides, "taken" and "refused", among its values.
  std::vector<std::string> sides;
  // The program. $N stands for a value of N, $(N+1), $(N*M-1) for arithmetic with + - * /, from left to right.
  std::string_view text;
  std::vector<std::pair<std::string, std::vector<std::string>>> values;
  bool gradients = false;  // of the first result, by all floating parameters, are computed too
};

[[nodiscard]] const std::vector<PreconditionRow>& precondition_rows();

}  // namespace cotan::testing
