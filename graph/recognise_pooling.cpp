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

std::optional<ExtremeGradient> as_max_gradient(const Node& sum) {
  const auto& spec = sum.as<SumSpec>();
  if (spec.factors.size() != 1 || !spec.guards.empty() || sum.operand_count != 2) return std::nullopt;
  const Ref positions = sum.operand(1);
  if (positions->kind != Kind::reduce) return std::nullopt;
  const auto& argmax = positions->as<ReduceSpec>();
  if (argmax.reduction != Reduction::argmax || positions->operand(0).shape() != sum.shape) return std::nullopt;
  // The sum's indices as those of the argmax, by the dimensions of its factor.
  const auto outputs = static_cast<std::size_t>(argmax.outputs);
  const Access& factor = spec.factors[0];
  if (factor.size() != outputs || spec.output.size() != argmax.access.size()) return std::nullopt;
  std::vector<IndexExpr> to(spec.domain.size(), IndexExpr(-1));
  for (std::size_t d = 0; d < outputs; ++d) {
    const int i = factor[d].plain();
    if (argmax.domain[d] == 1 && factor[d] == IndexExpr(0)) continue;
    if (i < 0 || spec.domain[static_cast<std::size_t>(i)] != argmax.domain[d]) return std::nullopt;
    to[static_cast<std::size_t>(i)] = index_of(static_cast<int>(d));
  }
  for (const IndexExpr& e : to)
    if (e.terms.empty()) return std::nullopt;  // an index that the factor does not have
  for (std::size_t d = 0; d < spec.output.size(); ++d) {
    IndexExpr read(spec.output[d].constant);
    for (const IndexTerm& t : spec.output[d].terms) {
      if (t.index >= 0) {
        read = read + t.coefficient * to[static_cast<std::size_t>(t.index)];
        continue;
      }
      // An entry of the positions: at the output's own indices, one coordinate of the window.
      if (t.at.size() != outputs + 1 || !t.at.back().terms.empty()) return std::nullopt;
      for (std::size_t o = 0; o < outputs; ++o) {
        const IndexExpr due = argmax.domain[o] == 1 ? IndexExpr(0) : index_of(static_cast<int>(o));
        if (substitute(t.at[o], to) != due) return std::nullopt;
      }
      read = read + t.coefficient * index_of(static_cast<int>(outputs + static_cast<std::size_t>(t.at.back().constant)));
    }
    if (without_units(read, argmax.domain) != without_units(argmax.access[d], argmax.domain)) return std::nullopt;
  }
  ReduceSpec max = argmax;
  max.reduction = Reduction::max;
  return ExtremeGradient{positions->operand(0), std::move(max)};
}

}  // namespace cotan
