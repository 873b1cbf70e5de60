// Reading einsum's notation with brackets: the products of the text form (docs/ir.md), over operands that are named by their order of appearance.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "graph/composites/einsum_equation.h"
#include "graph/text/reader.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

using text_form::Reader;
using text_form::Token;
using text_form::TokenKind;

constexpr std::int64_t largest_coefficient = std::int64_t{1} << 46;
constexpr __int128 farthest = __int128{1} << 62;
constexpr std::size_t most_indices = 64;

class BracketsReader {
 public:
  BracketsReader(std::string_view equation, std::span<const Ref> operands) : r_(equation, "equation"), operands_(operands) {}

  SumDef read() {
    read_product();
    r_.expect("-");
    r_.expect(">");
    Place result = read_access();
    if (r_.accept(";")) read_conditions();
    if (r_.peek().kind != TokenKind::end) r_.expected("; and conditions, or the end");
    if (names_.size() != operands_.size())
      fail(fmt::format("{} tensors named for {} operands", names_.size(), operands_.size()), "Names stand for the operands in order of their appearance");
    size_indices();
    for (const auto& [e, at] : reaches_) check_reach(e, at);
    for (const auto& [table, at] : table_reads_) check_table(table, at);
    size_result(result);
    def_.spec.output = std::move(result.access);
    return std::move(def_);
  }

 private:
  struct Index {
    std::string name;
    Token at;
    std::vector<std::pair<std::int64_t, Token>> dimensions;  // that it indexes alone
    std::optional<std::int64_t> stated;
  };
  // An access, and where its expressions stand.
  struct Place {
    Access access;
    std::vector<Token> at;
  };
  struct TableRead {
    int operand;
    Access access;
  };

  void read_product() {
    const bool negative = r_.accept("-");
    if (text_form::begins_number(r_) && !r_.is("-")) {
      def_.spec.coefficient = text_form::read_number(r_).value;
      r_.expect("*");
    }
    if (negative) def_.spec.coefficient = -def_.spec.coefficient;
    do {
      const Token at = r_.peek();
      const int operand = read_tensor();
      Place place = read_access();
      fit(place, operand, at, true);
      def_.factors.push_back(operand);
      def_.spec.factors.push_back(std::move(place.access));
    } while (r_.accept("*"));
  }

  // A name before a bracket: the next operand, if it is new.
  int read_tensor() {
    const Token at = r_.peek();
    if (at.kind != TokenKind::name || !r_.is("[", 1)) r_.expected("a factor, such as x[i,k]");
    std::string name(r_.spelled(r_.take()));
    const auto found = std::find(names_.begin(), names_.end(), name);
    const std::size_t operand = static_cast<std::size_t>(found - names_.begin());
    if (found == names_.end()) names_.push_back(std::move(name));
    if (operand >= operands_.size())
      r_.fail(at, fmt::format("{} tensors named for {} operands", names_.size(), operands_.size()), "Give one operand for each name");
    return static_cast<int>(operand);
  }

  Place read_access() {
    const Reader::Nesting nesting(r_);
    Place place;
    r_.expect("[");
    while (!r_.is("]")) {
      if (!place.access.empty()) r_.expect(",");
      place.at.push_back(r_.peek());
      place.access.push_back(read_expression());
    }
    r_.expect("]");
    return place;
  }

  IndexExpr read_expression() {
    const Token at = r_.peek();
    IndexExpr e = r_.accept("-") ? -read_term() : read_term();
    while (r_.is("+") || r_.is("-")) {
      const bool minus = r_.is("-");
      r_.take();
      const IndexExpr term = read_term();
      e = minus ? e - term : e + term;
    }
    reaches_.emplace_back(e, at);
    return e;
  }

  IndexExpr read_term() {
    std::int64_t coefficient = 1;
    if (r_.peek().kind == TokenKind::number) {
      coefficient = r_.integer("a coefficient", 0, largest_coefficient);
      if (!r_.accept("*")) return coefficient;
    }
    if (r_.peek().kind == TokenKind::name && r_.is("[", 1)) return coefficient * read_entry();
    return coefficient * index_of(read_index());
  }

  int read_index() {
    const Token at = r_.peek();
    if (at.kind != TokenKind::name) r_.expected("the name of an index");
    const std::string name(r_.spelled(r_.take()));
    for (std::size_t i = 0; i < indices_.size(); ++i)
      if (indices_[i].name == name) return static_cast<int>(i);
    if (indices_.size() == most_indices) r_.fail(at, fmt::format("more than {} indices", most_indices), "Split the sum");
    indices_.push_back({name, at, {}, {}});
    return static_cast<int>(indices_.size()) - 1;
  }

  IndexExpr read_entry() {
    const Token at = r_.peek();
    const int operand = read_tensor();
    const Ref& table = operands_[static_cast<std::size_t>(operand)];
    const std::string& name = names_[static_cast<std::size_t>(operand)];
    if (kind_of(table.dtype()) != DTypeKind::integer)
      r_.fail(at, fmt::format("{} inside an index is {}", name, name_of(table.dtype())), "Index with integers: cast it to i32");
    Place place = read_access();
    fit(place, operand, at, false);
    table_reads_.emplace_back(TableRead{operand, place.access}, at);
    const auto found = std::find(def_.tables.begin(), def_.tables.end(), operand);
    const auto number = static_cast<int>(found - def_.tables.begin());
    if (found == def_.tables.end()) {
      def_.tables.push_back(operand);
      def_.table_below.push_back(0);
    }
    return entry_of(number, std::move(place.access));
  }

  // Notes what the sizes of the operand say about indices, and about the tables that read it.
  void fit(const Place& place, int operand, const Token& at, bool entries) {
    const Access& access = place.access;
    const Shape& shape = operands_[static_cast<std::size_t>(operand)].shape();
    if (access.size() != shape.rank())
      r_.fail(at, fmt::format("{} indices for {} of shape {}", access.size(), names_[static_cast<std::size_t>(operand)], shape.text()),
              "Give one for each dimension");
    for (std::size_t d = 0; d < access.size(); ++d) {
      if (const int i = access[d].plain(); i >= 0) indices_[static_cast<std::size_t>(i)].dimensions.emplace_back(shape[d], place.at[d]);
      if (access[d].affine()) continue;
      const std::string& table = names_[static_cast<std::size_t>(def_.tables[static_cast<std::size_t>(access[d].terms.back().table)])];
      if (!entries || access[d].terms.size() != 1 || access[d].constant != 0 || access[d].terms[0].coefficient != 1)
        r_.fail(at, fmt::format("an entry of {} that does not stand alone in a dimension of a factor", table), "Add to the tensor itself first");
      if (shape[d] == 0) r_.fail(at, fmt::format("an index into dimension {} of shape {}, which is empty", d, shape.text()), "Give a tensor with entries");
      std::int64_t& below = def_.table_below[static_cast<std::size_t>(access[d].terms[0].table)];
      below = below == 0 ? shape[d] : std::min(below, shape[d]);
    }
  }

  void read_conditions() {
    do {
      const Token at = r_.peek();
      if (at.kind == TokenKind::name && r_.is("<", 1)) {
        const std::size_t known = indices_.size();
        Index& index = indices_[static_cast<std::size_t>(read_index())];
        if (indices_.size() > known) r_.fail(at, fmt::format("the index {} stands in no tensor", index.name), "State sizes of indices that occur");
        r_.expect("<");
        if (index.stated) r_.fail(at, fmt::format("a second size for {}", index.name), "State it once");
        index.stated = r_.integer("a size", 0, largest_coefficient);
        continue;
      }
      if (r_.spelled(at) != "0" || !r_.is("<=", 1)) r_.expected("a condition: a size k<14, or a range 0<=i-j<8");
      r_.take();
      r_.take();
      Guard guard{read_expression(), 0};
      if (!guard.expression.affine()) r_.fail(at, "a condition on an entry of a tensor", "Conditions are on indices");
      r_.expect("<");
      guard.below = r_.integer("the end of a range", -largest_coefficient, largest_coefficient);
      def_.spec.guards.push_back(std::move(guard));
    } while (r_.accept(","));
  }

  void size_indices() {
    __int128 points = 1;
    for (const Index& index : indices_) {
      std::optional<std::int64_t> size = index.stated;
      for (const auto& [dimension, at] : index.dimensions) {
        if (index.stated) break;
        if (size && *size != dimension)
          r_.fail(at, fmt::format("the index {} is {} here and {} before", index.name, dimension, *size),
                  fmt::format("Dimensions of one index have one size, unless it is stated: ; {}<{}", index.name, std::min(*size, dimension)));
        size = dimension;
      }
      if (!size)
        r_.fail(index.at, fmt::format("the size of the index {} is not known", index.name),
                fmt::format("No dimension is indexed by {} alone: state its size, ; {}<14", index.name, index.name));
      def_.spec.domain.push_back(*size);
      points *= std::max<std::int64_t>(*size, 1);
      if (points > farthest) r_.fail(index.at, "the domain of the sum is too large", "Check the sizes");
    }
  }

  void check_reach(const IndexExpr& e, const Token& at) const {
    __int128 reach = e.constant < 0 ? -__int128{e.constant} : __int128{e.constant};
    for (const IndexTerm& t : e.terms)
      if (t.index >= 0) reach += (t.coefficient < 0 ? -__int128{t.coefficient} : __int128{t.coefficient}) * def_.spec.domain[static_cast<std::size_t>(t.index)];
    if (reach > farthest) r_.fail(at, "an index expression reaches too far", "Check its coefficients");
  }

  // Points at which a factor is read out of range count for nothing; positions are read from a table at every point.
  void check_table(const TableRead& read, const Token& at) const {
    const auto operand = static_cast<std::size_t>(read.operand);
    if (std::find(def_.spec.domain.begin(), def_.spec.domain.end(), 0) != def_.spec.domain.end()) return;
    for (std::size_t d = 0; d < read.access.size(); ++d)
      if (!in_range(read.access[d], operands_[operand].shape()[d], def_.spec.domain))
        r_.fail(at, fmt::format("{} is read out of range in dimension {}", names_[operand], d), "State a smaller size for its index");
  }

  // A dimension of the result is as large as its expression reaches.
  void size_result(const Place& result) {
    for (std::size_t d = 0; d < result.access.size(); ++d) {
      const IndexExpr& e = result.access[d];
      const Token& at = result.at[d];
      if (!e.affine()) r_.fail(at, "the size of the result's dimension does not follow from an entry of a tensor", "Use scatter_add");
      std::int64_t low = e.constant, high = e.constant;
      bool empty = false;
      for (const IndexTerm& t : e.terms) {
        const std::int64_t size = def_.spec.domain[static_cast<std::size_t>(t.index)], reach = t.coefficient * (size - 1);
        empty = empty || size == 0;
        low += std::min<std::int64_t>(reach, 0);
        high += std::max<std::int64_t>(reach, 0);
      }
      if (!empty && low < 0) r_.fail(at, fmt::format("a dimension of the result that begins at {}", low), "Shift the expression so that it begins at 0");
      def_.shape.push_back(empty ? 0 : high + 1);
    }
  }

  Reader r_;
  std::span<const Ref> operands_;
  SumDef def_;
  std::vector<std::string> names_;
  std::vector<Index> indices_;
  std::vector<std::pair<IndexExpr, Token>> reaches_;  // every expression and where it stands
  std::vector<std::pair<TableRead, Token>> table_reads_;
};

}  // namespace

SumDef read_brackets(std::string_view equation, std::span<const Ref> operands) { return BracketsReader(equation, operands).read(); }

}  // namespace cotan::graph
