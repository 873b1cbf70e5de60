// Maps behind products and convolutions, in the kernels of these.
//
// A product's result is stored once; what a chain of maps makes of it can be made before that. A chain starts at a node whose backend can end its kernel with a
// formula (Backend::match_with), and goes on while the one reader of its end is a map; the longest part that the backend takes becomes one group.
//
// An update `w + factor * product`, the product read by nobody else, is one group likewise, which adds to w in place.
#pragma once

#include <optional>

#include "graph/fusion/groups.h"

namespace cotan::fusion {

// A chain of maps over a node's value, as one formula.
class Chain {
 public:
  // Of the node alone.
  explicit Chain(Ref base);

  // The chain with a map behind it that reads its end.
  [[nodiscard]] Chain with(const Ref& map) const;

  [[nodiscard]] const Ref& base() const { return nodes_.front(); }
  [[nodiscard]] const Ref& end() const { return nodes_.back(); }
  // The base and the maps.
  [[nodiscard]] const std::vector<Ref>& nodes() const { return nodes_; }
  // What a backend is asked. `in_place`: the tensor whose memory the result may take.
  [[nodiscard]] Epilogue epilogue(const std::optional<Ref>& in_place = std::nullopt) const;

 private:
  std::vector<Ref> nodes_, operands_;
  FormulaRef formula_;
};

// The only node that reads the chain's end and is a map of its shape; or none, with the reason if there are several readers.
[[nodiscard]] Ref next_map(const Groups& groups, const Ref& end, std::optional<Reason>& why_not);

// The claim on a chain that also has a kernel for the views that its inputs are expected to be; or the reason against it.
[[nodiscard]] Match claim_chain(const Groups& groups, const Chain& chain, const std::optional<Ref>& in_place = std::nullopt);

}  // namespace cotan::fusion
