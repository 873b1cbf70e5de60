#include "backends/loops/sum_plan.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace cotan::loops {
namespace {

constexpr double work_per_chunk = 32768;
constexpr double most_chunks = 64;
constexpr std::int64_t most_accumulators = std::int64_t{1} << 18;  // of one scattering chunk, for floats

class Planner {
 public:
  Planner(const SumSpec& spec, std::span<const View> factors, const View& output) : spec_(spec), factors_(factors), output_(output) {}

  SumPlan plan() {
    classify();
    order_levels();
    make_forms();
    decide_coverage();
    share_out();
    return std::move(p_);
  }

 private:
  struct Index {
    bool in_output = false;           // in an affine term of the output
    bool in_table = false;            // in the position of a table's entry
    std::int64_t output_step = 0;     // in elements of the output
    std::vector<std::int64_t> steps;  // of each factor
    int separate = -1;                // a dimension of the output that is constant + coefficient * this index and nothing else
    [[nodiscard]] std::int64_t reach() const {
      std::int64_t r = std::abs(output_step);
      for (std::int64_t s : steps) r = std::max(r, std::abs(s));
      return r;
    }
  };

  [[nodiscard]] std::int64_t extent(std::size_t i) const { return spec_.domain[i]; }

  // Indices larger than one; the others are 0 everywhere.
  [[nodiscard]] bool matters(std::size_t i) const { return spec_.domain[i] != 1; }

  static std::int64_t step_of(const Access& access, const View& view, int index) {
    std::int64_t step = 0;
    for (std::size_t d = 0; d < access.size(); ++d) step += access[d].coefficient(index) * view.strides[d];
    return step;
  }

  void mark_tables(const IndexExpr& e) {
    for (const IndexTerm& t : e.terms) {
      any_table_ = any_table_ || t.table >= 0;  // also a table without dimensions
      for (const IndexExpr& at : t.at) for_each_index(at, [&](int i) { index_[static_cast<std::size_t>(i)].in_table = true; });
    }
  }

  void classify() {
    index_.resize(spec_.domain.size());
    for (std::size_t i = 0; i < index_.size(); ++i) {
      Index& x = index_[i];
      x.output_step = step_of(spec_.output, output_, static_cast<int>(i));
      for (std::size_t k = 0; k < factors_.size(); ++k) x.steps.push_back(step_of(spec_.factors[k], factors_[k], static_cast<int>(i)));
      for (std::size_t d = 0; d < spec_.output.size(); ++d) {
        const IndexExpr& e = spec_.output[d];
        if (e.coefficient(static_cast<int>(i)) == 0) continue;
        x.in_output = true;
        const auto others =
            std::count_if(e.terms.begin(), e.terms.end(), [&](const IndexTerm& t) { return t.index < 0 || matters(static_cast<std::size_t>(t.index)); });
        if (others == 1) x.separate = static_cast<int>(d);
      }
    }
    std::for_each(spec_.output.begin(), spec_.output.end(), [&](const IndexExpr& e) { mark_tables(e); });
    for (const Access& a : spec_.factors) std::for_each(a.begin(), a.end(), [&](const IndexExpr& e) { mark_tables(e); });
    for (const Guard& g : spec_.guards) mark_tables(g.expression);

    std::vector<bool> reduced;
    bool any_reduced = false;
    for (std::size_t i = 0; i < index_.size(); ++i) {
      reduced.push_back(!index_[i].in_output);
      any_reduced = any_reduced || (reduced.back() && matters(i));
    }
    const bool affine = std::all_of(spec_.output.begin(), spec_.output.end(), [](const IndexExpr& e) { return e.affine(); });
    const bool empty = std::find(spec_.domain.begin(), spec_.domain.end(), 0) != spec_.domain.end();
    // Where the output's tables are read at reduced indices, points that share all other indices may go to different places.
    injective_ = empty || (is_injective(spec_.output, spec_.domain, reduced) && (affine || !any_reduced));
    p_.form = !injective_ ? SumForm::scatter : any_reduced ? SumForm::block : SumForm::assign;
    p_.nest.empty = empty;
  }

  // What a point costs when index i is the innermost loop: steps beyond one element, and a share of the loop's own cost.
  [[nodiscard]] double cost(std::size_t i) const {
    const Index& x = index_[i];
    double c = 1 + 10.0 / static_cast<double>(std::max<std::int64_t>(1, extent(i)));
    c += std::abs(x.output_step) > 1 ? 1 : 0;
    for (std::int64_t s : x.steps) c += std::abs(s) > 1 ? 1 : 0;
    return c;
  }

  void order_levels() {
    std::vector<int> outer, rest;  // rest: reduced, or all of a scatter
    int inner = -1;
    for (std::size_t i = 0; i < index_.size(); ++i) {
      if (!matters(i)) continue;
      if (!index_[i].in_table && (inner < 0 || cost(i) < cost(static_cast<std::size_t>(inner)))) inner = static_cast<int>(i);
      (injective_ && index_[i].in_output ? outer : rest).push_back(static_cast<int>(i));
    }
    auto by = [&](auto&& reach) {
      return [this, reach](int a, int b) {
        const Index &x = index_[static_cast<std::size_t>(a)], &y = index_[static_cast<std::size_t>(b)];
        return x.in_table != y.in_table ? x.in_table : reach(x) > reach(y);
      };
    };
    std::stable_sort(outer.begin(), outer.end(), by([](const Index& x) { return std::abs(x.output_step); }));
    std::stable_sort(rest.begin(), rest.end(), by([](const Index& x) { return x.reach(); }));
    std::erase(outer, inner);
    std::erase(rest, inner);

    // Entries are read outside the innermost loop, so there is one more level, if only of a single turn (-1).
    if (any_table_ && outer.empty() && rest.empty()) outer.push_back(-1);
    p_.split = outer.size();
    p_.along = p_.form == SumForm::block && inner >= 0 && index_[static_cast<std::size_t>(inner)].in_output;
    if (p_.along) p_.along_step = index_[static_cast<std::size_t>(inner)].output_step;
    index_of_level_ = std::move(outer);
    index_of_level_.insert(index_of_level_.end(), rest.begin(), rest.end());
    index_of_level_.push_back(inner);  // -1 again where every index is part of a table's position
    level_of_.assign(index_.size(), -1);
    for (std::size_t l = 0; l < index_of_level_.size(); ++l) {
      const int i = index_of_level_[l];
      if (i >= 0) level_of_[static_cast<std::size_t>(i)] = static_cast<int>(l);
      p_.nest.levels.push_back({i >= 0 ? extent(static_cast<std::size_t>(i)) : 1, {}, {}});
    }
  }

  std::vector<Form> forms_of(const Access& access) {
    std::vector<Form> forms;
    for (const IndexExpr& e : access) forms.push_back(p_.nest.form_of(e, level_of_));
    return forms;
  }

  [[nodiscard]] Form offset_of(const std::vector<Form>& forms, const Shape& strides) const {
    Form offset{0, std::vector<std::int64_t>(p_.nest.levels.size(), 0), {}};
    for (std::size_t d = 0; d < forms.size(); ++d) {
      offset.constant += forms[d].constant * strides[d];
      for (std::size_t l = 0; l < offset.steps.size(); ++l) offset.steps[l] += forms[d].steps[l] * strides[d];
      for (const auto& [entry, coefficient] : forms[d].entries) offset.entries.emplace_back(entry, coefficient * strides[d]);
    }
    return offset;
  }

  void make_forms() {
    output_forms_ = forms_of(spec_.output);
    std::vector<std::vector<Form>> factor_forms;
    for (const Access& a : spec_.factors) factor_forms.push_back(forms_of(a));
    std::vector<Form> guards;
    for (const Guard& g : spec_.guards) guards.push_back(p_.nest.form_of(g.expression, level_of_));
    p_.nest.place_entries();
    if (p_.nest.empty) {  // nothing is walked, and the ranges of empty indices mean nothing
      p_.offsets.resize(1 + factors_.size());
      return;
    }
    for (std::size_t d = 0; d < output_forms_.size(); ++d) {
      p_.nest.require(output_forms_[d], output_.shape[d]);
      if (p_.along && output_forms_[d].steps.back() != 0) p_.along_conditions.push_back({output_forms_[d], output_.shape[d], true});
    }
    for (std::size_t k = 0; k < factor_forms.size(); ++k)
      for (std::size_t d = 0; d < factor_forms[k].size(); ++d) p_.nest.require(factor_forms[k][d], factors_[k].shape[d]);
    for (std::size_t g = 0; g < guards.size(); ++g) p_.nest.require(guards[g], spec_.guards[g].below);

    p_.offsets.push_back(offset_of(output_forms_, output_.strides));
    for (std::size_t k = 0; k < factor_forms.size(); ++k) p_.offsets.push_back(offset_of(factor_forms[k], factors_[k].strides));
  }

  // No condition and no entry on the levels [first, last).
  [[nodiscard]] bool unconditional(std::size_t first, std::size_t last) const {
    for (std::size_t l = first; l < last; ++l)
      if (!p_.nest.levels[l].conditions.empty() || !p_.nest.levels[l].entries.empty()) return false;
    return !p_.nest.empty;
  }

  void decide_coverage() {
    std::int64_t reached = 1;
    bool inside = true;
    for (std::size_t i = 0; i < index_.size(); ++i)
      if (index_[i].in_output) reached *= extent(i);
    for (std::size_t d = 0; d < spec_.output.size(); ++d) inside = inside && in_range(spec_.output[d], output_.shape[d], spec_.domain);
    const std::size_t levels = p_.nest.levels.size();
    const std::size_t storing = p_.form == SumForm::assign ? levels : p_.split;
    p_.covers = injective_ && inside && reached == output_.shape.elements() && unconditional(0, storing);
    p_.always_reached = unconditional(p_.split, levels);
  }

  void share_out() {
    double work = 1;
    for (const Level& l : p_.nest.levels) work *= static_cast<double>(l.extent);
    const auto wanted = static_cast<std::int64_t>(std::clamp(work / work_per_chunk, 1.0, most_chunks));
    int best = -1;
    for (std::size_t l = 0; l < p_.nest.levels.size() && wanted > 1; ++l) {
      const int i = index_of_level_[l];
      if (i < 0 || !index_[static_cast<std::size_t>(i)].in_output) continue;
      if (!p_.covers && index_[static_cast<std::size_t>(i)].separate < 0) continue;
      if (best < 0 || p_.nest.levels[l].extent > p_.nest.levels[static_cast<std::size_t>(best)].extent) best = static_cast<int>(l);
      if (p_.nest.levels[l].extent >= wanted) {
        best = static_cast<int>(l);
        break;
      }
    }
    if (best >= 0) cut(best, wanted);
    if (p_.form != SumForm::scatter) return;
    p_.accumulators = output_.shape;
    if (p_.owned_dimension >= 0) {
      std::int64_t most = 0;
      for (const auto& [first, last] : p_.owned) most = std::max(most, last - first);
      p_.accumulators[static_cast<std::size_t>(p_.owned_dimension)] = most;
    }
    if (is_floating(output_.dtype) && p_.accumulators.elements() > most_accumulators) {
      p_.form = SumForm::scatter_direct;
      return;
    }
    p_.offsets[0] = offset_of(output_forms_, dense_strides(p_.accumulators));
  }

  void cut(int level, std::int64_t wanted) {
    const Index& x = index_[static_cast<std::size_t>(index_of_level_[static_cast<std::size_t>(level)])];
    const std::int64_t n = p_.nest.levels[static_cast<std::size_t>(level)].extent;
    std::int64_t part = (n + wanted - 1) / wanted;
    if (std::abs(x.output_step) == 1) part = (part + 15) / 16 * 16;  // no cache line is written by two
    p_.chunk_level = level;
    p_.bounds.clear();
    for (std::int64_t i = 0; i < n; i += part) p_.bounds.push_back(i);
    p_.bounds.push_back(n);
    p_.owned_dimension = x.separate;
    if (x.separate < 0) return;

    // Coordinates between two chunks' own go to the one whose indices lead up to them; the ends of the dimension to the outermost chunks.
    const Form& form = output_forms_[static_cast<std::size_t>(x.separate)];
    const std::int64_t size = output_.shape[static_cast<std::size_t>(x.separate)], step = form.steps[static_cast<std::size_t>(level)];
    auto coordinate = [&](std::int64_t i) { return std::clamp<std::int64_t>(form.constant + step * i + (step < 0 ? 1 : 0), 0, size); };
    for (std::size_t c = 0; c + 1 < p_.bounds.size(); ++c) {
      std::int64_t first = c == 0 ? (step > 0 ? 0 : size) : coordinate(p_.bounds[c]);
      std::int64_t last = c + 2 == p_.bounds.size() ? (step > 0 ? size : 0) : coordinate(p_.bounds[c + 1]);
      if (step < 0) std::swap(first, last);
      p_.owned.emplace_back(first, last);
    }
  }

  const SumSpec& spec_;
  std::span<const View> factors_;
  const View& output_;
  std::vector<Index> index_;
  bool injective_ = false;
  bool any_table_ = false;
  std::vector<int> index_of_level_, level_of_;
  std::vector<Form> output_forms_;
  SumPlan p_;
};

}  // namespace

std::string_view name_of(SumForm form) {
  switch (form) {
    case SumForm::assign: return "assign";
    case SumForm::block: return "block";
    case SumForm::scatter: return "scatter";
    case SumForm::scatter_direct: return "direct scatter";
  }
  return "";
}

SumPlan plan_sum(const SumSpec& spec, std::span<const View> factors, const View& output) { return Planner(spec, factors, output).plan(); }

}  // namespace cotan::loops
