#include "backends/loops/closed_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ops/error.h"

namespace cotan::loops {
namespace {

// In row-major order, since the last view is dense.
Tiling tiling_of(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs) {
  std::vector<View> all(inputs.begin(), inputs.end());
  const auto own = outputs.first(static_cast<std::size_t>(cluster.outputs()));
  all.insert(all.end(), own.begin(), own.end());
  all.push_back(View::dense(f32, domain_of(cluster, inputs, outputs)));
  return Tiling(all);
}

}  // namespace

const Shape& domain_of(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs) {
  if (inputs.empty() && cluster.outputs() == 0) throw InternalError(fmt::format("cluster {} reads and writes nothing", cluster.name));
  return inputs.empty() ? outputs[0].shape : inputs[0].shape;
}

std::vector<ClosingSum> closing_sums(const Cluster& cluster, std::span<const LoopSum> sums, const Shape& shape, std::span<const View> results) {
  std::vector<ClosingSum> made;
  for (std::size_t k = 0; k < sums.size(); ++k) {
    const DType dtype = cluster.nodes[static_cast<std::size_t>(sums[k].value)].dtype;
    const auto form = block_sum(*sums[k].spec, dtype, shape, results[k].shape);
    if (!std::holds_alternative<BlockSum>(form) || !results[k].is_dense() || results[k].dtype != dtype)
      throw InternalError(fmt::format("a sum that cannot end the loop {}", cluster.name));
    made.emplace_back(std::get<BlockSum>(form), dtype, sums[k].spec->coefficient);
  }
  return made;
}

DomainLines::DomainLines(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, std::span<const ClosingSum> sums)
    : tiling_(tiling_of(cluster, inputs, outputs)), length_(tiling_.columns()) {
  for (const ClosingSum& s : sums) {
    const std::int64_t part = s.form().columns > 1 ? s.form().columns : s.form().rows;
    if (length_ % part == 0) length_ = part;
  }
  in_a_row_ = tiling_.columns() / length_;
  const auto outer = tiling_.outer();
  run_ = in_a_row_ > 1 ? in_a_row_ : outer.empty() ? 1 : outer.back();

  std::int64_t block = length_;
  for (const ClosingSum& s : sums) block = std::lcm(block, s.form().block());
  const std::int64_t chunk = std::max(block, chunk_elements / block * block);
  lines_per_chunk_ = chunk / length_;
  chunks_ = (elements() + chunk - 1) / chunk;
}

std::int64_t DomainLines::line_step(std::size_t view) const {
  const auto strides = tiling_.outer_strides(view);
  return in_a_row_ > 1 ? length_ * tiling_.inner_stride(view) : strides.empty() ? 0 : strides.back();
}

bool DomainLines::is_one(std::size_t view) const {
  const auto strides = tiling_.outer_strides(view);
  return tiling_.inner_stride(view) == 0 && std::all_of(strides.begin(), strides.end(), [](std::int64_t s) { return s == 0; });
}

}  // namespace cotan::loops
