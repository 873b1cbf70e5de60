#include "graph/text/read_indexed.h"

#include <fmt/format.h>

#include <algorithm>

#include "graph/builder.h"
#include "graph/text/words.h"

namespace cotan::text_form {
namespace {

constexpr std::int64_t largest_coefficient = std::int64_t{1} << 46;
constexpr std::size_t most_terms = 64;
constexpr std::size_t most_indices = 64;
constexpr std::size_t most_guards = 64;
constexpr __int128 farthest = __int128{1} << 62;

}  // namespace

int IndexedStatement::index(const Token& at, const std::string& name) {
  for (std::size_t i = 0; i < indices_.size(); ++i)
    if (indices_[i].name == name) return static_cast<int>(i);
  if (indices_.size() == most_indices) r_.fail(at, fmt::format("more than {} indices", most_indices), "Split the sum");
  indices_.push_back({name, at, {}, {}});
  return static_cast<int>(indices_.size()) - 1;
}

int IndexedStatement::read_index() {
  const Token t = r_.peek();
  if (t.kind != TokenKind::name || is_reserved(r_.spelled(t))) r_.expected("the name of an index");
  return index(t, std::string(r_.spelled(r_.take())));
}

std::vector<IndexExpr> IndexedStatement::read_access() {
  const Reader::Nesting nesting(r_);
  std::vector<IndexExpr> access;
  r_.expect("[");
  while (!r_.is("]")) {
    if (!access.empty()) r_.expect(",");
    access.push_back(read_expression());
  }
  r_.expect("]");
  return access;
}

IndexExpr IndexedStatement::read_expression() {
  const Token t = r_.peek();
  IndexExpr e = r_.accept("-") ? -read_term() : read_term();
  for (std::size_t terms = 1; r_.is("+") || r_.is("-"); ++terms) {
    if (terms == most_terms) r_.fail(t, fmt::format("an index expression of more than {} terms", most_terms), "Shorten it");
    const bool minus = r_.is("-");
    r_.take();
    const IndexExpr term = read_term();
    e = minus ? e - term : e + term;
  }
  // Terms of one index add up, and what prints has to read back.
  const auto too_large = [](std::int64_t n) { return n < -largest_coefficient || n > largest_coefficient; };
  if (too_large(e.constant) || std::ranges::any_of(e.terms, [&](const IndexTerm& term) { return too_large(term.coefficient); }))
    r_.fail(t, "an index expression with too large a coefficient", fmt::format("Coefficients and constants are at most {}", largest_coefficient));
  return e;
}

IndexExpr IndexedStatement::read_term() {
  std::int64_t coefficient = 1;
  if (r_.peek().kind == TokenKind::number) {
    coefficient = r_.integer("a coefficient", 0, largest_coefficient);
    if (!r_.accept("*")) return coefficient;
  }
  if (TensorScope::begins_operand(r_) && r_.is("[", 1)) return coefficient * read_table();
  return coefficient * index_of(read_index());
}

IndexExpr IndexedStatement::read_table() {
  const Token t = r_.peek();
  const Ref tensor = scope_.operand(r_);
  if (kind_of(tensor.dtype()) != DTypeKind::integer)
    r_.fail(t, fmt::format("{} inside an index is {}", r_.shown(t), name_of(tensor.dtype())), "Index with integers: cast it to i32");
  const auto [known, first] = table_numbers_.emplace(tensor.edge(), static_cast<int>(tables_.size()));
  const int number = known->second;
  if (first) tables_.push_back(tensor);
  std::vector<IndexExpr> at = read_access();
  infer(at, tensor.shape(), t);
  return entry_of(number, std::move(at));
}

void IndexedStatement::infer(const std::vector<IndexExpr>& access, const Shape& shape, const Token& at) {
  if (access.size() != shape.rank())
    r_.fail(at, fmt::format("{} ind{} for a tensor of shape {}", access.size(), access.size() == 1 ? "ex" : "ices", shape.text()),
            "Give one for each dimension");
  for (std::size_t d = 0; d < access.size(); ++d) {
    const int i = access[d].plain();
    if (i < 0) continue;
    auto& size = indices_[static_cast<std::size_t>(i)].inferred;
    size = size ? std::min(*size, shape[d]) : shape[d];
  }
}

void IndexedStatement::read_left() {
  at_left_ = r_.peek();
  spec_.output = read_access();
}

void IndexedStatement::read_product(const LeftSide& left) {
  bool negative = r_.accept("-");
  if (begins_number(r_) && !r_.is("-")) {
    spec_.coefficient = read_number(r_).value;
    if (!r_.accept("*")) {
      if (negative) spec_.coefficient = -spec_.coefficient;
      return;
    }
  }
  if (negative) spec_.coefficient = -spec_.coefficient;
  do {
    const Token t = r_.peek();
    if (!TensorScope::begins_operand(r_)) r_.expected("a factor, such as x[i,k]");
    const Ref factor = scope_.operand(r_);
    if (factor.dtype() != left.type.dtype)
      r_.fail(t, fmt::format("a factor of type {} in a sum of type {}", name_of(factor.dtype()), name_of(left.type.dtype)),
              fmt::format("Types do not mix: write a cast to {} first", name_of(left.type.dtype)));
    std::vector<IndexExpr> access = read_access();
    infer(access, factor.shape(), t);
    factors_.push_back(factor);
    spec_.factors.push_back(std::move(access));
  } while (r_.accept("*"));
}

void IndexedStatement::read_conditions(bool guards_allowed) {
  if (!r_.accept(";")) return;
  do {
    const Token t = r_.peek();
    if (t.kind == TokenKind::name && r_.is("<", 1)) {
      const auto i = static_cast<std::size_t>(read_index());
      r_.expect("<");
      if (indices_[i].stated) r_.fail(t, fmt::format("a second size for {}", shortened(indices_[i].name)), "State it once");
      indices_[i].stated = r_.integer("a size", 0, largest_coefficient);
    } else if (guards_allowed) {
      read_guard();
    } else {
      r_.expected("the size of an index, such as p<3");
    }
  } while (r_.accept(","));
}

void IndexedStatement::read_guard() {
  if (spec_.guards.size() == most_guards) r_.fail(r_.peek(), fmt::format("more than {} conditions", most_guards), "Multiply by a mask of its own");
  if (r_.peek().kind != TokenKind::number || r_.spelled(r_.peek()) != "0" || !r_.is("<=", 1)) r_.expected("a condition: a size k<14, or a range 0<=i-j<8");
  r_.take();
  r_.take();
  Guard guard;
  guard.expression = read_expression();
  r_.expect("<");
  guard.below = r_.integer("the end of a range", -largest_coefficient, largest_coefficient);
  spec_.guards.push_back(std::move(guard));
}

Domain IndexedStatement::domain() const {
  Domain sizes;
  __int128 points = 1;
  for (const Index& i : indices_) {
    const std::optional<std::int64_t> size = i.stated ? i.stated : i.inferred;
    if (!size)
      r_.fail(i.at, fmt::format("the size of the index {} is not known", shortened(i.name)),
              fmt::format("No dimension is indexed by {} alone: state its size, ; {}<14", shortened(i.name), shortened(i.name)));
    sizes.push_back(*size);
    points *= std::max<std::int64_t>(*size, 1);
    if (points > farthest) r_.fail(i.at, "the domain of the sum is too large", "Check the sizes");
  }
  return sizes;
}

void IndexedStatement::check_reach(const IndexExpr& e, const Domain& sizes, const Token& at) const {
  __int128 reach = e.constant < 0 ? -__int128{e.constant} : __int128{e.constant};
  for (const IndexTerm& t : e.terms) {
    const __int128 k = t.coefficient < 0 ? -__int128{t.coefficient} : __int128{t.coefficient};
    reach += k * (t.index >= 0 ? __int128{sizes[static_cast<std::size_t>(t.index)]} : __int128{1} << 31);
    for (const IndexExpr& inner : t.at) check_reach(inner, sizes, at);
  }
  if (reach > farthest) r_.fail(at, "an index expression reaches too far", "Check its coefficients");
}

Ref IndexedStatement::read_sum(const LeftSide& left) {
  read_product(left);
  read_conditions(true);
  if (kind_of(left.type.dtype) != DTypeKind::floating && !(spec_.coefficient == 1 || spec_.coefficient == -1) && !factors_.empty())
    r_.fail(left.at, fmt::format("a scaled sum of {}", name_of(left.type.dtype)), "Cast it to f32 first");
  if (factors_.empty() && !takes_number(left.type.dtype, spec_.coefficient))
    r_.fail(left.at, fmt::format("{} does not fit {}", spec_.coefficient, name_of(left.type.dtype)), "Write another number or type");
  infer(spec_.output, left.type.shape, at_left_);
  spec_.domain = domain();
  auto check = [&](const IndexExpr& e) { check_reach(e, spec_.domain, left.at); };
  std::for_each(spec_.output.begin(), spec_.output.end(), check);
  for (const Access& a : spec_.factors) std::for_each(a.begin(), a.end(), check);
  for (const Guard& g : spec_.guards) check(g.expression);
  return graph::sum(std::move(spec_), left.type.shape, factors_, tables_, left.type.dtype);
}

Ref IndexedStatement::read_reduce(const LeftSide& left) {
  ReduceSpec spec;
  const std::string_view word = r_.spelled(r_.take());
  spec.reduction = reduction_named(word).value();
  const bool positions = gives_positions(spec.reduction);

  for (std::size_t i = 0; i < spec_.output.size(); ++i)
    if (spec_.output[i].plain() != static_cast<int>(i))
      r_.fail(at_left_, fmt::format("the left side of {} must name different indices", word), "Write [i,j]; put anything else into the operand's access");
  spec.outputs = static_cast<int>(spec_.output.size());
  Shape shape = left.type.shape;
  if (shape.rank() != spec_.output.size() + (positions ? 1 : 0))
    r_.fail(left.at, fmt::format("{} of shape {} with {} indices on the left", word, shape.text(), spec_.output.size()),
            positions ? "Its last dimension holds the positions and has no index" : "Give one for each dimension");
  for (std::size_t i = 0; i < spec_.output.size(); ++i) indices_[i].stated = shape[i];

  std::optional<std::size_t> listed;
  if (r_.accept("[")) {
    while (!r_.is("]")) {
      if (listed) r_.expect(",");
      const Token t = r_.peek();
      const int i = read_index();
      if (i != static_cast<int>(indices_.size()) - 1 || static_cast<std::size_t>(i) < spec_.output.size() || (listed && *listed == indices_.size()))
        r_.fail(t, fmt::format("{} stands twice", r_.shown(t)), "List each reduced index once");
      listed = indices_.size();
    }
    r_.expect("]");
    if (!listed) listed = indices_.size();
  }
  const Token t = r_.peek();
  const Ref x = scope_.operand(r_);
  spec.access = read_access();
  infer(spec.access, x.shape(), t);
  read_conditions(false);
  if (listed && *listed != indices_.size())
    r_.fail(t, fmt::format("the list after {} lacks the index {}", word, shortened(indices_.back().name)), "List every reduced index");
  if (!tables_.empty()) r_.fail(t, fmt::format("{} over a tensor-valued index", word), "Gather first, in a sum of its own");
  spec.domain = domain();
  for (const IndexExpr& e : spec.access) check_reach(e, spec.domain, left.at);

  const DType dtype = positions ? DType::i32 : x.dtype();
  if (dtype != left.type.dtype)
    r_.fail(left.at, fmt::format("{} of {} gives {}", word, name_of(x.dtype()), name_of(dtype)), fmt::format("Write {}", name_of(dtype)));
  const auto reduced = static_cast<std::int64_t>(spec.domain.size()) - spec.outputs;
  if (positions && shape.back() != reduced)
    r_.fail(left.at, fmt::format("{} over {} indices gives a last dimension of {}, not {}", word, reduced, reduced, shape.back()), "Correct the shape");
  return graph::reduce(spec, x);
}

}  // namespace cotan::text_form
