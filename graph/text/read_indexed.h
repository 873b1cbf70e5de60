// Reading sums and reductions: index names, expressions, sizes.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/text/scope.h"

namespace cotan::text_form {

// One statement with indices while it is read: its access on the left comes first, its kind shows later.
class IndexedStatement {
 public:
  IndexedStatement(Reader& reader, const TensorScope& scope) : r_(reader), scope_(scope) {}

  // "[i,2*k]" on the left, for a result of this shape.
  void read_left();
  // "0.5 * x[i,k] * w[k]; k<14, 0<=i-k<8".
  [[nodiscard]] Ref read_sum(const LeftSide& left);
  // "max x[i,k]", "argmax[k,p] x[i,2*k+p]; p<3".
  [[nodiscard]] Ref read_reduce(const LeftSide& left);

 private:
  struct Index {
    std::string name;
    Token at;
    std::optional<std::int64_t> inferred, stated;
  };

  [[nodiscard]] int index(const Token& at, const std::string& name);
  [[nodiscard]] int read_index();
  [[nodiscard]] std::vector<IndexExpr> read_access();
  [[nodiscard]] IndexExpr read_expression();
  [[nodiscard]] IndexExpr read_term();
  [[nodiscard]] IndexExpr read_table();
  void read_conditions(bool guards_allowed);
  void read_guard();
  // A plain use of an index bounds its size by the dimension.
  void infer(const std::vector<IndexExpr>& access, const Shape& shape, const Token& at);
  void read_product(const LeftSide& left);
  [[nodiscard]] Domain domain() const;
  // Fails where an expression's values would leave 64 bits.
  void check_reach(const IndexExpr& e, const Domain& sizes, const Token& at) const;

  Reader& r_;
  const TensorScope& scope_;
  Token at_left_;
  std::vector<Index> indices_;
  SumSpec spec_;
  std::vector<Ref> factors_, tables_;
  std::unordered_map<Edge, int, RefHash> table_numbers_;
};

}  // namespace cotan::text_form
