// Folding: what a sum reads is put into it, as long as that pays.
//
//   Uses       how often each result is read, carried along while a pass rebuilds the graph
//   folded     a sum with the sums that it reads put into it
//   pays       the measure: fewer points, and nothing lost of what a primitive could do
#pragma once

#include <optional>
#include <span>
#include <unordered_map>

#include "graph/sums/open_sum.h"

namespace cotan::sums {

// How many readers a result has. While a pass rebuilds a function, what stands for a result inherits its readers.
class Uses {
 public:
  explicit Uses(const Function& function);

  // A node of the function is rebuilt on these operands.
  void carry(const Node& node, std::span<const Ref> operands);
  // Whether one node alone reads it, once, and it is no result of the function.
  [[nodiscard]] bool single(const Ref& result) const;
  // Whether the function's own result is read by maps only (before the pass).
  [[nodiscard]] bool read_by_maps(const Ref& result) const;

 private:
  struct Count {
    Edge from;
    int readers = 0;
  };
  std::unordered_map<Edge, int, RefHash> given_;
  std::unordered_map<Edge, bool, RefHash> maps_only_;
  std::unordered_map<Edge, Count, RefHash> now_;
};

// Whether there is a sum in the function: where there is none, the algebra has nothing to walk for.
[[nodiscard]] bool has_sums(const Function& function);

// Which sums are put into their readers.
enum class Fold : std::uint8_t {
  views,       // those that move entries: their work is done where they are read
  everything,  // and sums with a single reader: a product's transpose is the product written in another order, a sum of a sum one sum
};

// Whether `after`, which is `reader` with `inner` put in, is the better way. `single`: nobody else reads `inner`.
[[nodiscard]] bool pays(const OpenSum& after, const OpenSum& reader, const OpenSum& inner, bool single);

// The sum with what it reads put into it; nothing where all stays as it is.
[[nodiscard]] std::optional<OpenSum> folded(OpenSum sum, Fold fold, const Uses& uses);

}  // namespace cotan::sums
