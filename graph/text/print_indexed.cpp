#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "graph/text/print.h"
#include "graph/text/words.h"

namespace cotan::text_form {
namespace {

// Index names: those of the output from one row of letters, the others from another.
class IndexNames {
 public:
  IndexNames(std::size_t count, const std::vector<bool>& in_output, const Names& names) {
    constexpr std::string_view output = "ijklmnabcdefgh", other = "pqrstuvwxyz";
    std::size_t next[] = {0, 0};
    for (std::size_t i = 0; i < count; ++i) {
      const bool out = i < in_output.size() && in_output[i];
      std::string name;
      do {
        const std::string_view letters = out ? output : other;
        const std::size_t k = next[out]++;
        name = k < letters.size() ? std::string(1, letters[k]) : fmt::format("{}{}", letters[0], k);
      } while (names.is_taken(name));
      names_.push_back(std::move(name));
    }
  }
  [[nodiscard]] std::string of(int i) const { return i >= 0 && static_cast<std::size_t>(i) < names_.size() ? names_[static_cast<std::size_t>(i)] : "?"; }

 private:
  std::vector<std::string> names_;
};

struct Context {
  const IndexNames& indices;
  const std::vector<std::string>& tables;
};

std::string expression_text(const IndexExpr& e, const Context& c);

std::string access_text(const std::vector<IndexExpr>& access, const Context& c) {
  std::vector<std::string> parts;
  for (const IndexExpr& e : access) parts.push_back(expression_text(e, c));
  return fmt::format("[{}]", fmt::join(parts, ","));
}

std::string expression_text(const IndexExpr& e, const Context& c) {
  std::string out;
  for (const IndexTerm& t : e.terms) {
    std::string atom;
    if (t.index >= 0) {
      atom = c.indices.of(t.index);
    } else {
      const bool known = t.table >= 0 && static_cast<std::size_t>(t.table) < c.tables.size();
      atom = fmt::format("{}{}", known ? c.tables[static_cast<std::size_t>(t.table)] : "?", access_text(t.at, c));
    }
    const std::int64_t k = t.coefficient;
    if (k == 1) {
      out += fmt::format("{}{}", out.empty() ? "" : "+", atom);
    } else if (k == -1) {
      out += fmt::format("-{}", atom);
    } else {
      out += fmt::format("{}{}*{}", out.empty() || k < 0 ? "" : "+", k, atom);
    }
  }
  if (e.constant != 0 || e.terms.empty()) out += fmt::format("{}{}", out.empty() || e.constant < 0 ? "" : "+", e.constant);
  return out;
}

// The size of each index as the reader infers it: the least dimension that the index reads or writes plainly.
class Inference {
 public:
  explicit Inference(std::size_t indices) : sizes_(indices) {}

  void see(const std::vector<IndexExpr>& access, const Shape& shape, const std::vector<const Shape*>& tables) {
    for (std::size_t d = 0; d < access.size(); ++d) {
      const int i = access[d].plain();
      if (d < shape.rank() && i >= 0 && static_cast<std::size_t>(i) < sizes_.size()) {
        auto& size = sizes_[static_cast<std::size_t>(i)];
        size = size ? std::min(*size, shape[d]) : shape[d];
      }
      see_tables(access[d], tables);
    }
  }
  void see_tables(const IndexExpr& e, const std::vector<const Shape*>& tables) {
    for (const IndexTerm& t : e.terms)
      if (t.index < 0 && t.table >= 0 && static_cast<std::size_t>(t.table) < tables.size()) see(t.at, *tables[static_cast<std::size_t>(t.table)], tables);
  }
  [[nodiscard]] std::optional<std::int64_t> size(std::size_t i) const { return sizes_[i]; }

 private:
  std::vector<std::optional<std::int64_t>> sizes_;
};

std::string with_conditions(std::string text, const std::vector<std::string>& conditions) {
  return conditions.empty() ? text : fmt::format("{}; {}", text, fmt::join(conditions, ", "));
}

}  // namespace

IndexedText sum_text(const Node& n, const Names& names) {
  const auto& s = n.as<SumSpec>();
  if (s.factors.size() > n.operand_count) return {"", "<a sum of more factors than operands>"};
  std::vector<bool> in_output(s.domain.size(), false);
  for (const IndexExpr& e : s.output)
    for_each_index(e, [&](int i) {
      if (i >= 0 && static_cast<std::size_t>(i) < in_output.size()) in_output[static_cast<std::size_t>(i)] = true;
    });
  const IndexNames indices(s.domain.size(), in_output, names);
  std::vector<std::string> tables;
  std::vector<const Shape*> table_shapes;
  for (std::size_t t = s.factors.size(); t < n.operand_count; ++t) {
    const Edge& e = n.operands()[t];
    tables.push_back(names.of(e));
    table_shapes.push_back(&e.node->shape_of(e.result));
  }
  const Context context{indices, tables};

  Inference inference(s.domain.size());
  inference.see(s.output, n.shape, table_shapes);
  std::vector<std::string> factors;
  for (std::size_t k = 0; k < s.factors.size(); ++k) {
    const Edge& e = n.operands()[k];
    inference.see(s.factors[k], e.node->shape_of(e.result), table_shapes);
    factors.push_back(fmt::format("{}{}", names.of(e), access_text(s.factors[k], context)));
  }
  std::vector<std::string> conditions;
  for (const Guard& g : s.guards) {
    inference.see_tables(g.expression, table_shapes);
    conditions.push_back(fmt::format("0<={}<{}", expression_text(g.expression, context), g.below));
  }
  std::vector<std::string> sizes;
  for (std::size_t i = 0; i < s.domain.size(); ++i)
    if (inference.size(i) != s.domain[i]) sizes.push_back(fmt::format("{}<{}", indices.of(static_cast<int>(i)), s.domain[i]));
  conditions.insert(conditions.begin(), sizes.begin(), sizes.end());

  std::string text;
  if (factors.empty())
    text = literal_of(s.coefficient, DType::f64);
  else if (s.coefficient == 1)
    text = fmt::format("{}", fmt::join(factors, " * "));
  else if (s.coefficient == -1)
    text = fmt::format("-{}", fmt::join(factors, " * "));
  else
    text = fmt::format("{} * {}", literal_of(s.coefficient, DType::f64), fmt::join(factors, " * "));
  return {access_text(s.output, context), with_conditions(std::move(text), conditions)};
}

IndexedText reduce_text(const Node& n, const Names& names) {
  const auto& r = n.as<ReduceSpec>();
  const auto outputs = static_cast<std::size_t>(std::max(r.outputs, 0));
  if (n.operand_count != 1 || outputs > r.domain.size()) return {"", "<a reduction that does not fit its operand>"};
  std::vector<bool> in_output(r.domain.size(), false);
  std::fill(in_output.begin(), in_output.begin() + static_cast<std::ptrdiff_t>(outputs), true);
  const IndexNames indices(r.domain.size(), in_output, names);
  const std::vector<std::string> no_tables;
  const Context context{indices, no_tables};

  // The reader numbers the reduced indices as they appear in the access; any other order is stated.
  std::vector<int> appearing;
  for (const IndexExpr& e : r.access)
    for_each_index(e, [&](int i) {
      if (i >= static_cast<int>(outputs) && std::find(appearing.begin(), appearing.end(), i) == appearing.end()) appearing.push_back(i);
    });
  std::vector<int> reduced;
  for (std::size_t i = outputs; i < r.domain.size(); ++i) reduced.push_back(static_cast<int>(i));
  std::string order;
  if (appearing != reduced) {
    std::vector<std::string> list;
    for (int i : reduced) list.push_back(indices.of(i));
    order = fmt::format("[{}]", fmt::join(list, ","));
  }

  const Edge& e = n.operands()[0];
  Inference inference(r.domain.size());
  inference.see(r.access, e.node->shape_of(e.result), {});
  std::vector<std::string> conditions;
  for (int i : reduced)
    if (inference.size(static_cast<std::size_t>(i)) != r.domain[static_cast<std::size_t>(i)])
      conditions.push_back(fmt::format("{}<{}", indices.of(i), r.domain[static_cast<std::size_t>(i)]));
  std::vector<std::string> output;
  for (std::size_t i = 0; i < outputs; ++i) output.push_back(indices.of(static_cast<int>(i)));
  std::string text = fmt::format("{}{} {}{}", name_of(r.reduction), order, names.of(e), access_text(r.access, context));
  return {fmt::format("[{}]", fmt::join(output, ",")), with_conditions(std::move(text), conditions)};
}

}  // namespace cotan::text_form
