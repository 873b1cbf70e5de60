// Poolings: which dimensions have windows; and the scatter that is a maximum's gradient.
#include <algorithm>

#include "graph/recognise.h"
#include "graph/recognise_tensor.h"

namespace cotan {
namespace {

// The expression without indices of size 1, which are always 0.
IndexExpr without_units(const IndexExpr& e, const Domain& domain) {
  IndexExpr kept(e.constant);
  for (const IndexTerm& t : e.terms)
    if (t.index < 0 || domain[static_cast<std::size_t>(t.index)] != 1) kept.terms.push_back(t);
  return kept;
}

class Reading {
 public:
  Reading(const Domain& domain, const Access& source, const Shape& source_shape, const Access& result, const Shape& result_shape)
      : domain_(domain), source_(source), source_shape_(source_shape), result_(result), result_shape_(result_shape) {}

  std::optional<PoolingWindows> run() {
    if (!has_points(domain_) || !read_result()) return std::nullopt;
    bool slides = false;
    for (std::size_t d = 0; d < source_.size(); ++d) {
      const IndexExpr e = without_units(source_[d], domain_);
      if (!e.affine()) return std::nullopt;
      if (is_batch(e, source_shape_[d])) {
        (made_.input.rank() > 0 ? made_.channels : made_.batch) *= source_shape_[d];
        in_front_ |= made_.input.rank() == 0;
      } else if (made_.channels > 1 || !window(e, source_shape_[d], slides)) {
        return std::nullopt;
      }
    }
    for (std::size_t i = 0; i < domain_.size(); ++i)
      if (domain_[i] != 1 && !used_[i]) return std::nullopt;
    if (!slides || made_.input.rank() > 3) return std::nullopt;
    // Windows over the outermost dimension are blocks of rows: a reduction, not a pooling of images.
    if (made_.channels > 1 && !in_front_) return std::nullopt;
    return made_;
  }

 private:
  // Every dimension of the result is an index.
  bool read_result() {
    dimension_.assign(domain_.size(), -1);
    used_.assign(domain_.size(), false);
    for (std::size_t d = 0; d < result_.size(); ++d) {
      const IndexExpr e = without_units(result_[d], domain_);
      if (e.terms.empty() && e.constant == 0 && result_shape_[d] == 1) continue;
      const int i = e.plain();
      if (i < 0 || domain_[static_cast<std::size_t>(i)] != result_shape_[d] || dimension_[static_cast<std::size_t>(i)] >= 0) return false;
      dimension_[static_cast<std::size_t>(i)] = static_cast<int>(d);
    }
    return true;
  }

  // Takes an index that positions something; the result's dimensions come in order.
  bool take_position(int index) {
    const auto i = static_cast<std::size_t>(index);
    if (used_[i] || dimension_[i] <= last_) return false;
    used_[i] = true;
    last_ = dimension_[i];
    return true;
  }

  bool is_batch(const IndexExpr& e, std::int64_t size) {
    if (e.terms.empty()) return e.constant == 0 && size == 1;
    const int i = e.plain();
    return i >= 0 && dimension_[static_cast<std::size_t>(i)] >= 0 && domain_[static_cast<std::size_t>(i)] == size && take_position(i);
  }

  bool window(const IndexExpr& e, std::int64_t size, bool& slides) {
    int position = -1, tap = -1;
    std::int64_t stride = 1, dilation = 1;
    for (const IndexTerm& t : e.terms) {
      const bool is_position = dimension_[static_cast<std::size_t>(t.index)] >= 0;
      int& index = is_position ? position : tap;
      if (index >= 0 || t.coefficient < 1) return false;
      index = t.index;
      (is_position ? stride : dilation) = t.coefficient;
    }
    if (e.constant > 0) return false;
    if (position >= 0 && !take_position(position)) return false;
    if (tap >= 0) {
      if (used_[static_cast<std::size_t>(tap)]) return false;
      used_[static_cast<std::size_t>(tap)] = true;
    }
    slides |= position >= 0 && tap >= 0;
    made_.input.push_back(size);
    made_.kernel.push_back(tap < 0 ? 1 : domain_[static_cast<std::size_t>(tap)]);
    made_.output.push_back(position < 0 ? 1 : domain_[static_cast<std::size_t>(position)]);
    made_.stride.push_back(stride);
    made_.dilation.push_back(dilation);
    made_.padding.push_back(-e.constant);
    return true;
  }

  const Domain& domain_;
  const Access& source_;
  const Shape& source_shape_;
  const Access& result_;
  const Shape& result_shape_;
  std::vector<int> dimension_;  // of the result, by index of the domain; -1: a tap
  std::vector<bool> used_;
  int last_ = -1;
  bool in_front_ = false;  // a dimension before the windows
  PoolingWindows made_;
};

}  // namespace

std::optional<PoolingWindows> as_pooling(const SumSpec& spec, const TensorShapes& shapes) {
  if (spec.factors.size() != 1 || !spec.guards.empty()) return std::nullopt;
  if (auto windows = Reading(spec.domain, spec.factors[0], shapes[1], spec.output, shapes[0]).run()) return windows;
  auto windows = Reading(spec.domain, spec.output, shapes[0], spec.factors[0], shapes[1]).run();
  if (windows) windows->gradient = true;
  return windows;
}

std::optional<PoolingWindows> as_pooling(const ReduceSpec& spec, const Shape& x) {
  if (spec.reduction != Reduction::max) return std::nullopt;
  Access result;
  Shape shape;
  for (int i = 0; i < spec.outputs; ++i) {
    result.push_back(index_of(i));
    shape.push_back(spec.domain[static_cast<std::size_t>(i)]);
  }
  return Reading(spec.domain, spec.access, x, result, shape).run();
}

namespace {

// Reads a sum as the gradient of a maximum. All that this takes is asked here, in order:
//   - one factor, no condition, one table, which is the argmax of a tensor of the sum's own type and shape;
//   - the factor has the result of the maximum's shape, and is read at that result's indices;
//   - the sum has these indices and no others;
//   - each entry of the argmax is read at the same indices, and is one coordinate that there is;
//   - with the coordinates in place of the taps, the sum writes where the argmax reads.
class MaxGradientReading {
 public:
  explicit MaxGradientReading(const Node& sum) : sum_(sum), spec_(sum.as<SumSpec>()) {}

  std::optional<ExtremeGradient> run() {
    if (spec_.factors.size() != 1 || !spec_.guards.empty() || sum_.operand_count != 2) return std::nullopt;
    const Ref positions = sum_.operand(1);
    if (positions->kind != Kind::reduce) return std::nullopt;
    argmax_ = &positions->as<ReduceSpec>();
    const Ref x = positions->operand(0);
    if (argmax_->reduction != Reduction::argmax || x.shape() != sum_.shape || x.dtype() != sum_.dtype) return std::nullopt;
    if (!reads_the_result() || !writes_at_the_extreme()) return std::nullopt;
    ReduceSpec max = *argmax_;
    max.reduction = Reduction::max;
    return ExtremeGradient{x, std::move(max)};
  }

 private:
  [[nodiscard]] std::size_t outputs() const { return static_cast<std::size_t>(argmax_->outputs); }
  // The result's index along a dimension, or the 0 that it always is.
  [[nodiscard]] IndexExpr position(std::size_t d) const { return argmax_->domain[d] == 1 ? IndexExpr(0) : index_of(static_cast<int>(d)); }

  // The factor has an entry for each of the result's, read at its place. Fills to_: the sum's indices as those of the argmax.
  bool reads_the_result() {
    const Shape& shape = sum_.operand(0).shape();
    const Access& factor = spec_.factors[0];
    if (shape.rank() != outputs()) return false;
    to_.assign(spec_.domain.size(), std::nullopt);
    for (std::size_t d = 0; d < outputs(); ++d) {
      if (shape[d] != argmax_->domain[d]) return false;
      if (shape[d] == 1 && factor[d] == IndexExpr(0)) continue;
      const int i = factor[d].plain();
      if (i < 0 || spec_.domain[static_cast<std::size_t>(i)] != shape[d] || to_[static_cast<std::size_t>(i)]) return false;
      to_[static_cast<std::size_t>(i)] = position(d);
    }
    return std::ranges::all_of(to_, [](const auto& e) { return e.has_value(); });
  }

  [[nodiscard]] IndexExpr in_argmax(const IndexExpr& e) const {
    std::vector<IndexExpr> to;
    for (const auto& index : to_) to.push_back(*index);
    return substitute(e, to);
  }

  bool writes_at_the_extreme() const {
    for (std::size_t d = 0; d < spec_.output.size(); ++d) {
      IndexExpr written(spec_.output[d].constant);
      for (const IndexTerm& t : spec_.output[d].terms) {
        const std::optional<IndexExpr> at = t.index >= 0 ? in_argmax(index_of(t.index)) : coordinate(t);
        if (!at) return false;
        written = written + t.coefficient * *at;
      }
      if (without_units(written, argmax_->domain) != without_units(argmax_->access[d], argmax_->domain)) return false;
    }
    return true;
  }

  // The tap whose coordinate this entry of the argmax is.
  std::optional<IndexExpr> coordinate(const IndexTerm& entry) const {
    for (std::size_t d = 0; d < outputs(); ++d)
      if (in_argmax(entry.at[d]) != position(d)) return std::nullopt;
    const IndexExpr& which = entry.at.back();
    const auto taps = static_cast<std::int64_t>(argmax_->domain.size() - outputs());
    if (!which.terms.empty() || which.constant < 0 || which.constant >= taps) return std::nullopt;
    return index_of(static_cast<int>(outputs()) + static_cast<int>(which.constant));
  }

  const Node& sum_;
  const SumSpec& spec_;
  const ReduceSpec* argmax_ = nullptr;
  std::vector<std::optional<IndexExpr>> to_;
};

}  // namespace

std::optional<ExtremeGradient> as_max_gradient(const Node& sum) { return MaxGradientReading(sum).run(); }

bool every_window_meets(const ReduceSpec& spec, const Shape& x) {
  if (!has_points(spec.domain)) return false;
  const auto is_tap = [&](const IndexTerm& t) { return t.index >= spec.outputs && spec.domain[static_cast<std::size_t>(t.index)] > 1; };
  std::vector<int> uses(spec.domain.size(), 0);  // dimensions that an index moves along
  for (const IndexExpr& e : spec.access)
    for (const IndexTerm& t : e.terms) ++uses[static_cast<std::size_t>(t.index)];
  for (std::size_t d = 0; d < spec.access.size(); ++d) {
    const IndexExpr& e = spec.access[d];
    if (in_range(e, x[d], spec.domain)) continue;
    // One tap has to bring every position inside, whatever the other dimensions' taps are.
    const auto tap = std::ranges::find_if(e.terms, is_tap);
    if (tap == e.terms.end() || std::count_if(e.terms.begin(), e.terms.end(), is_tap) != 1) return false;
    const std::int64_t taps = spec.domain[static_cast<std::size_t>(tap->index)], step = tap->coefficient;
    if (uses[static_cast<std::size_t>(tap->index)] != 1 || step < 1) return false;
    Domain first = spec.domain;
    first[static_cast<std::size_t>(tap->index)] = 1;
    const auto [low, high] = range_of(e, first).value();
    if (high >= x[d] || low + step * (taps - 1) < 0 || (low < 0 && step > x[d])) return false;
  }
  return true;
}

}  // namespace cotan
