// Sums taken apart: the form on which the algebra of sums works, a specification beside the tensors that it reads.
//
//   opened, closed    from a node and back; closing makes what the sum has become: itself, its one factor, a fill, zeros
//   tidy              the equal sum with fewer guards, smaller ranges and no index that nothing reads
//   standing_of       what a backend's primitive could do with it: the measure that no rewrite may lower
//
// The rest of the folder: compose.h puts one sum into another, groups.h takes a sum apart again.
#pragma once

#include <span>
#include <vector>

#include "graph/node.h"
#include "graph/recognise.h"

namespace cotan::sums {

// A sum that is no node: indices may have any order and be of size one, factors and tables may stand in any order and repeat.
struct OpenSum {
  SumSpec spec;
  std::vector<Ref> factors, tables;
  ResultType type;
};

// A sum node on these operands.
[[nodiscard]] OpenSum opened(const Node& sum, std::span<const Ref> operands);
[[nodiscard]] OpenSum opened(const Node& sum);
// The node that computes it. Where no point counts: zeros.
[[nodiscard]] Ref closed(OpenSum sum);

// The output's shape, then each factor's.
[[nodiscard]] TensorShapes shapes_of(const OpenSum& sum);
// How many points the domain has.
[[nodiscard]] double points_of(const SumSpec& spec);
// Every index of the specification replaced; the domain is given anew.
void substitute_all(SumSpec& spec, std::span<const IndexExpr> to, Domain domain);
// Which indices occur in an access, inside tables' entries too.
[[nodiscard]] std::vector<bool> indices_of(const Access& access, std::size_t count);
// Whether 0 <= e < size at every point of the sum's domain, going by what is known of tables' entries: a check, an argsort or an argmax bounds them.
[[nodiscard]] bool always_in_range(const IndexExpr& e, std::int64_t size, const OpenSum& sum);
// No point reaches an entry that another one reaches, and every entry is reached: nothing is summed, cut or left out on the output's side.
[[nodiscard]] bool fills_output(const OpenSum& sum);
// Whether every entry of the output is known to be reached by some point.
[[nodiscard]] bool reaches_every_entry(const OpenSum& sum);
// Whether c times each term may stand for c times the sum, and the other way round, to the sign of a zero: of terms that cancel each other, as 1 and -1 do,
// a negative c makes 0 before they are added and -0 behind.
[[nodiscard]] bool scales_terms_as_sum(const OpenSum& sum, double c);
// Whether a coefficient times another may stand for two multiplications: the product is a normal number of the type (for integers: a sign).
[[nodiscard]] bool may_multiply(double a, double b, DType dtype);

// Drops guards that accesses or other guards imply, cuts ranges of indices to what counts, turns indices that nothing reads
// into a factor of the coefficient. False where no point counts. Exact but for that factor: n * x in place of x + x + ... (Stable; for integers such indices
// stay).
[[nodiscard]] bool tidy(OpenSum& sum);

// What a primitive can make of a sum, the coefficient aside.
struct Standing {
  enum Kind : std::uint8_t { loop, pooling, contraction };
  Kind kind = loop;
  double products = 1;  // of a contraction over dense tensors: how many products of matrices it is, batches and loops around it counted

  // Whether a primitive can do with it what it could do with the other: no less, and no more products.
  [[nodiscard]] bool keeps(const Standing& other) const { return kind > other.kind || (kind == other.kind && products <= other.products); }
};
[[nodiscard]] Standing standing_of(const OpenSum& sum);

}  // namespace cotan::sums
