// Products of matrices: roles of indices, and their strides.
#include <numeric>

#include "graph/recognise.h"
#include "graph/recognise_tensor.h"
#include "ops/error.h"

namespace cotan {
namespace {

// A size and its steps in the three tensors, for a group without indices.
constexpr IndexRun one{};

// Whether the matrix with these two sizes and strides has a contiguous row or column, and no entry twice. The stride of a dimension of size 1 says nothing.
bool is_matrix(std::int64_t rows, std::int64_t columns, std::int64_t row_stride, std::int64_t column_stride) {
  if ((rows > 1 && row_stride <= 0) || (columns > 1 && column_stride <= 0)) return false;
  return rows == 1 || columns == 1 || row_stride == 1 || column_stride == 1;
}

bool fits(const IndexRun& m, const IndexRun& n, const IndexRun& k) {
  return is_matrix(m.size, n.size, m.strides[0], n.strides[0]) && is_matrix(m.size, k.size, m.strides[1], k.strides[1]) &&
         is_matrix(k.size, n.size, k.strides[2], n.strides[2]);
}

// Every choice of one run of a group; the unit run alone for none.
std::vector<IndexRun> choices(const std::vector<IndexRun>& runs) { return runs.empty() ? std::vector<IndexRun>{one} : runs; }

void append_others(std::vector<IndexRun>& to, const std::vector<IndexRun>& runs, const IndexRun& chosen) {
  bool left_out = false;
  for (const IndexRun& r : runs) {
    if (!left_out && r == chosen) {
      left_out = true;
      continue;
    }
    to.push_back(r);
  }
}

bool steps_forward(const IndexRun& r) { return r.strides[0] >= 0 && r.strides[1] >= 0 && r.strides[2] >= 0; }

}  // namespace

std::optional<MatmulForm> as_matmul(const SumSpec& spec, const TensorShapes& shapes) {
  if (spec.factors.size() != 2 || !spec.guards.empty() || !has_points(spec.domain)) return std::nullopt;
  const std::vector<TensorUse> t = tensor_uses(spec, shapes);
  for (const TensorUse& use : t)
    if (!use.plain(spec.domain)) return std::nullopt;
  if (!t[0].covered(spec.domain)) return std::nullopt;

  MatmulForm form;
  for (int i = 0; i < static_cast<int>(spec.domain.size()); ++i) {
    const bool in_c = t[0].has(i), in_a = t[1].has(i), in_b = t[2].has(i);
    if (in_c + in_a + in_b < 2) return std::nullopt;
    (in_c && in_a && in_b ? form.batch : in_c && in_a ? form.m : in_c ? form.n : form.k).push_back(i);
  }
  if (form.k.empty()) return std::nullopt;
  return form;
}

IndexSteps index_steps(const Access& access, const Shape& strides, std::size_t indices, std::span<const int> skip) {
  IndexSteps s{0, std::vector<std::int64_t>(indices, 0)};
  for (std::size_t d = 0; d < access.size(); ++d) {
    if (std::find(skip.begin(), skip.end(), static_cast<int>(d)) != skip.end()) continue;
    s.base += strides[d] * access[d].constant;
    for (const IndexTerm& t : access[d].terms) {
      if (t.index < 0) throw InternalError("a table's entry has no stride");
      s.of[static_cast<std::size_t>(t.index)] += strides[d] * t.coefficient;
    }
  }
  return s;
}

std::vector<IndexRun> runs_of(std::span<const int> group, const Domain& domain, const std::array<const IndexSteps*, 3>& steps) {
  std::vector<IndexRun> runs;
  for (int index : group) {
    const auto i = static_cast<std::size_t>(index);
    if (domain[i] > 1) runs.push_back({domain[i], {steps[0]->of[i], steps[1]->of[i], steps[2]->of[i]}});
  }
  std::stable_sort(runs.begin(), runs.end(), [](const IndexRun& a, const IndexRun& b) { return a.strides > b.strides; });
  // The outer of two runs joins the inner one where its steps are the inner one's whole way, in all tensors.
  for (bool joined = true; joined;) {
    joined = false;
    for (std::size_t o = 0; o < runs.size() && !joined; ++o) {
      for (std::size_t i = 0; i < runs.size() && !joined; ++i) {
        if (o == i) continue;
        bool nests = true;
        for (std::size_t t = 0; t < 3; ++t) nests &= runs[o].strides[t] == runs[i].strides[t] * runs[i].size;
        if (!nests) continue;
        runs[i].size *= runs[o].size;
        runs.erase(runs.begin() + static_cast<std::ptrdiff_t>(o));
        joined = true;
      }
    }
  }
  return runs;
}

std::optional<Arrangement> arrange(const MatmulForm& form, const SumSpec& spec, const std::array<Shape, 3>& strides) {
  const std::size_t indices = spec.domain.size();
  const auto steps_of = [&](int tensor) {
    const auto t = static_cast<std::size_t>(tensor);
    return index_steps(tensor == output_tensor ? spec.output : spec.factors[t - 1], strides[t], indices);
  };
  const IndexSteps c = steps_of(output_tensor), a = steps_of(form.a), b = steps_of(form.b);
  const std::array<const IndexSteps*, 3> steps{&c, &a, &b};
  const std::vector<IndexRun> ms = runs_of(form.m, spec.domain, steps), ns = runs_of(form.n, spec.domain, steps), ks = runs_of(form.k, spec.domain, steps);

  std::optional<Arrangement> best;
  std::int64_t best_size = 0;
  for (const IndexRun& m : choices(ms)) {
    for (const IndexRun& n : choices(ns)) {
      for (const IndexRun& k : choices(ks)) {
        const std::int64_t size = m.size * n.size * k.size;
        if (size <= best_size || !fits(m, n, k)) continue;
        best_size = size;
        best = Arrangement{.m = m, .n = n, .k = k, .batch = {}, .k_loop = {}, .base = {c.base, a.base, b.base}, .a = form.a, .b = form.b, .whole = false};
      }
    }
  }
  if (!best) return best;
  best->batch = runs_of(form.batch, spec.domain, steps);
  append_others(best->batch, ms, best->m);
  append_others(best->batch, ns, best->n);
  append_others(best->k_loop, ks, best->k);
  best->whole = ms.size() <= 1 && ns.size() <= 1 && ks.size() <= 1;
  for (const auto* others : {&best->batch, &best->k_loop})
    if (!std::all_of(others->begin(), others->end(), steps_forward)) return std::nullopt;

  // c' = b' a' where it is m that is contiguous in c.
  if (best->m.size > 1 && best->m.strides[0] == 1 && (best->n.size == 1 || best->n.strides[0] != 1)) {
    std::swap(best->m, best->n);
    std::swap(best->a, best->b);
    std::swap(best->base[1], best->base[2]);
    const auto exchange = [](IndexRun& r) { std::swap(r.strides[1], r.strides[2]); };
    for (IndexRun* r : {&best->m, &best->n, &best->k}) exchange(*r);
    for (auto* others : {&best->batch, &best->k_loop}) std::for_each(others->begin(), others->end(), exchange);
  }
  return best;
}

bool convolution_first(const ConvolutionForm& convolution, const std::optional<MatmulForm>& matmul, const SumSpec& spec, const std::array<Shape, 3>& strides) {
  if (!matmul) return true;
  const std::optional<Arrangement> as_product = arrange(*matmul, spec, strides);
  if (!as_product) return true;
  const bool slides =
      std::any_of(convolution.windows.begin(), convolution.windows.end(), [](const ConvolutionWindow& w) { return w.position >= 0 && w.tap >= 0; });
  return slides && !as_product->whole;
}

}  // namespace cotan
