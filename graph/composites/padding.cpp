// Entries around a tensor.
//
// Zeros are a sum whose access leaves the tensor, circular padding is one that wraps around. What reflect and replicate repeat is no integer combination of
// indices (it takes an absolute value, a minimum), so both read x through a small table of positions for each padded dimension, made of iota by one formula:
// one sum whatever the number of dimensions, whose gradient scatters through the same tables.
#include <fmt/format.h>

#include <algorithm>

#include "graph/composites/bodies.h"
#include "ops/attributes.h"
#include "ops/error.h"
#include "ops/sizes.h"

namespace cotan::graph {
namespace {

struct Margin {
  std::int64_t before = 0, after = 0;
};

// Of each dimension of x, outermost first.
std::vector<Margin> margins_of(const Ref& x, const Sizes& pad) {
  const std::size_t rank = x.shape().rank();
  if (pad.size() % 2 != 0) fail(fmt::format("an odd count of paddings ({})", pad.size()), "Give two for each dimension: before, after");
  if (pad.size() > 2 * rank) fail(fmt::format("paddings for more dimensions than the {} there are", rank), "Give two for each dimension: before, after");
  std::vector<Margin> margins(rank);
  for (std::size_t pair = 0; pair < pad.size() / 2; ++pair) margins[rank - 1 - pair] = {pad[2 * pair], pad[2 * pair + 1]};
  return margins;
}

// What negative margins leave of a dimension.
std::int64_t left_of(std::int64_t size, const Margin& margin) {
  return size + std::min<std::int64_t>(margin.before, 0) + std::min<std::int64_t>(margin.after, 0);
}

// Fails where a dimension has not the entries that a mode would repeat: reflect takes all but the outermost, circular those that negative margins leave.
void require_entries(const Ref& x, const std::vector<Margin>& margins, const std::string& mode) {
  for (std::size_t d = 0; d < margins.size(); ++d) {
    const auto [before, after] = margins[d];
    const std::int64_t size = x.shape()[d], most = std::max(before, after);
    if (sum_of_sizes(sum_of_sizes(size, before), after) < 0 || (mode == "circular" && left_of(size, margins[d]) < 0))
      fail(fmt::format("padding ({}, {}) gives dimension {} of {} a negative size", before, after, d, x.shape().text()), "Cut less");
    const std::int64_t whole = mode == "circular" ? left_of(size, margins[d]) : size;
    if (most > 0 && (whole == 0 || (mode == "reflect" && most >= whole) || (mode == "circular" && most > whole)))
      fail(fmt::format("{} padding of {} for a dimension of {} entries", mode, most, whole),
           mode == "reflect" ? "It is smaller than the dimension" : "It is at most as large as the dimension, which has entries");
  }
}

// The entries of x that stand along a padded dimension of `size` entries.
Ref positions(std::int64_t size, const Margin& margin, bool reflect) {
  return formula({iota(DType::i32, {size + margin.before + margin.after}, 0)}, [&](std::span<const Ex> x) {
    using namespace formula_language;
    using formula_language::max, formula_language::min;
    const auto last = static_cast<double>(size - 1);
    const Ex at = x[0] - static_cast<double>(margin.before);
    if (!reflect) return max(min(at, last), 0);
    const Ex right = max(at, -at);
    const Ex from_end = last - right;
    return last - max(from_end, -from_end);
  });
}

Ref through_tables(const Ref& x, const std::vector<Margin>& margins, bool reflect) {
  SumSpec spec;
  Shape shape;
  Access in;
  std::vector<Ref> tables;
  for (std::size_t d = 0; d < margins.size(); ++d) {
    const auto [before, after] = margins[d];
    const IndexExpr i = index_of(static_cast<int>(d));
    shape.push_back(x.shape()[d] + before + after);
    spec.output.push_back(i);
    if (before == 0 && after == 0) {
      in.push_back(i);
      continue;
    }
    in.push_back(entry_of(static_cast<int>(tables.size()), {i}));
    tables.push_back(positions(x.shape()[d], margins[d], reflect));
  }
  spec.domain.assign(shape.begin(), shape.end());
  spec.factors = {std::move(in)};
  const Ref factors[] = {x};
  return sum(std::move(spec), shape, factors, tables);
}

// The circle is what negative margins leave, as in PyTorch.
Ref around(const Ref& x, const std::vector<Margin>& margins) {
  Sizes starts, sizes, cut;
  for (std::size_t d = 0; d < margins.size(); ++d) {
    const auto [before, after] = margins[d];
    const std::int64_t left = left_of(x.shape()[d], margins[d]);
    starts.push_back(before > 0 ? -before : 0);
    sizes.push_back(left + std::max<std::int64_t>(before, 0) + std::max<std::int64_t>(after, 0));
    cut.insert(cut.begin(), {std::min<std::int64_t>(before, 0), std::min<std::int64_t>(after, 0)});
  }
  const bool whole = std::ranges::all_of(cut, [](std::int64_t n) { return n == 0; });
  return wrap(whole ? x : pad_zeros(x, {.pad = cut}), {.starts = starts, .sizes = sizes});
}

// The value is chosen where x is not, never added: x may hold infinities.
Ref constant(const Ref& x, const Sizes& pad, double value) {
  if (!is_floating(x.dtype()) && round_to(x.dtype(), value) != value)
    fail(fmt::format("the value {} beside a tensor of {}", value, name_of(x.dtype())), "Cast the tensor to f32 first, or give a whole number in range");
  const Ref zeros = pad_zeros(x, {.pad = pad});
  if (value == 0) return zeros;
  const Ref inside = pad_zeros(fill(1, DType::boolean, x.shape()), {.pad = pad});
  return where(inside, zeros, fill(value, x.dtype(), {}));
}

}  // namespace

std::vector<Ref> pad_body(std::span<const Ref> operands, const PadOptions& options) {
  const Ref& x = operands[0];
  const std::string& mode = options.mode;
  if (mode == "constant") return {constant(x, options.pad, options.value)};
  if (mode != "reflect" && mode != "replicate" && mode != "circular")
    fail(fmt::format("the mode {}", quoted(mode)), "There are constant, reflect, replicate and circular");
  if (options.value != 0) fail(fmt::format("a value for mode {}", mode), "Only constant padding has one");
  const std::vector<Margin> margins = margins_of(x, options.pad);
  require_entries(x, margins, mode);
  return {mode == "circular" ? around(x, margins) : through_tables(x, margins, mode == "reflect")};
}

}  // namespace cotan::graph
