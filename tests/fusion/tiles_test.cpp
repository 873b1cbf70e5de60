// Cutting nodes into tiles, against brute force: wherever a node says that it can be cut, its tiles are the rows of the whole. Random sums with every feature that
// decides it: outputs that are placed, guards and masks on the row, tables read by the row, factors of several rows a row, no factors at all.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "backends/reference/reference.h"
#include "graph/builder.h"
#include "graph/fusion/tiles.h"
#include "graph/text/text.h"
#include "ops/error.h"
#include "tests/support/random_sum.h"

namespace cotan::testing {
namespace {

using reference::Array;

// Rows [part * e / parts, (part + 1) * e / parts) of an array whose first dimension is e.
Array rows_of(const Array& whole, std::int64_t part, std::int64_t parts) {
  Array some{whole.dtype, whole.shape, {}};
  some.shape[0] /= parts;
  const auto count = static_cast<std::ptrdiff_t>(some.shape.elements());
  some.values.assign(whole.values.begin() + part * count, whole.values.begin() + (part + 1) * count);
  return some;
}

struct Operand {
  Ref parameter;
  Array value;
};

Operand operand(std::string name, DType dtype, const Shape& shape, std::vector<double> values) {
  return {graph::parameter(std::move(name), dtype, shape), Array{dtype, shape, std::move(values)}};
}

std::vector<Array> evaluated(const std::vector<Ref>& results, const std::vector<Operand>& operands) {
  Function f;
  std::vector<Array> values;
  for (const Operand& o : operands) {
    f.parameters.push_back(o.parameter);
    values.push_back(o.value);
  }
  f.results = results;
  return reference::evaluate(f, values, {.exact = true});
}

std::string text_of(const Ref& node, const std::vector<Operand>& operands) {
  Function f;
  for (const Operand& o : operands) f.parameters.push_back(o.parameter);
  f.results = {node};
  return to_text(f);
}

// Compares the node's tiles with its rows. `operands` are the parameters that it reads, in order.
void expect_tiles(const Ref& node, const std::vector<Operand>& operands, std::int64_t tiles) {
  const std::vector<TileAccess> accesses = tile_accesses(*node.node()).value();
  const Array whole = evaluated({node}, operands)[0];
  std::vector<Operand> inside = operands;
  std::vector<Ref> parameters;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    Shape shape = operands[k].value.shape;
    if (accesses[k] == TileAccess::tile) shape[0] /= tiles;
    inside[k].parameter = graph::parameter(fmt::format("tile{}", k), operands[k].value.dtype, shape);
    parameters.push_back(inside[k].parameter);
  }
  const std::vector<Ref> tile = tile_of(*node.node(), parameters, tiles);
  for (std::int64_t t = 0; t < tiles; ++t) {
    for (std::size_t k = 0; k < operands.size(); ++k)
      inside[k].value = accesses[k] == TileAccess::tile ? rows_of(operands[k].value, t, tiles) : operands[k].value;
    EXPECT_EQ(evaluated(tile, inside)[0].values, rows_of(whole, t, tiles).values) << "tile " << t << " of " << tiles << "\n" << text_of(node, operands);
  }
}

// What a random sum has.
struct Features {
  bool factors = false, placed = false, guards = false, tables = false;
  auto operator<=>(const Features&) const = default;
};

class Drawn {
 public:
  explicit Drawn(std::uint64_t seed) : random_(seed) {
    rows_ = random_.pick({4, 6, 12});
    spec_.domain = {rows_, random_.integer(2, 4), random_.integer(2, 3)};
    shape_ = {rows_, spec_.domain[1]};
    spec_.output = {index_of(0), random_.chance(0.8) ? index_of(1) : any()};
    if (random_.chance(0.3)) {
      features.placed = true;
      spec_.output[0] = placed();
      if (random_.chance(0.5)) shape_[0] += random_.pick({0, 2, rows_});
    }
    for (std::int64_t k = random_.integer(0, 2); k > 0; --k) factor();
    features.factors = !spec_.factors.empty();
    while (random_.chance(0.25)) {
      features.guards = true;
      spec_.guards.push_back({random_.chance(0.5) ? any() - any() : any(), random_.integer(1, 5)});
    }
    for (int t = 0; t < 2 && features.tables; ++t)
      tables_.push_back(operand(fmt::format("t{}", t), i32, {rows_}, random_integers(random_, rows_, 0, rows_ - 1)));
    std::vector<Ref> factors, tables;
    for (const Operand& o : factors_) factors.push_back(o.parameter);
    for (const Operand& o : tables_) tables.push_back(o.parameter);
    node = graph::sum(spec_, shape_, factors, tables, f64);
  }

  // The parameters in the order in which the node, whose factors were sorted, reads them.
  [[nodiscard]] std::vector<Operand> operands() const {
    std::vector<Operand> out;
    for (std::size_t k = 0; k < node->operand_count; ++k)
      for (const auto* list : {&factors_, &tables_})
        for (const Operand& o : *list)
          if (o.parameter == node->operand(k)) out.push_back(o);
    return out;
  }

  Ref node;
  Features features;

 private:
  IndexExpr any() { return random_.chance(0.7) ? index_of(static_cast<int>(random_.below(3))) : random_expression(random_, 3); }
  IndexExpr placed() {
    if (random_.chance(0.3)) return IndexExpr(random_.integer(0, rows_ - 1));
    if (random_.chance(0.3)) return entry(index_of(0));
    return random_.pick({1, 1, 2, -1}) * index_of(0) + IndexExpr(random_.integer(-1, 2));
  }
  IndexExpr entry(const IndexExpr& at) {
    features.tables = true;
    return entry_of(static_cast<int>(random_.below(2)), {at});
  }
  void factor() {
    const std::int64_t each = random_.pick({1, 1, 2});
    Access access;
    Shape shape;
    if (random_.chance(0.7)) {  // by tiles, or nearly so
      shape.push_back(each * rows_);
      access.push_back(each * index_of(0));
      if (each > 1 && random_.chance(0.8)) access[0] = access[0] + (random_.chance(0.5) ? index_of(2) : IndexExpr(random_.integer(0, 2)));
      if (random_.chance(0.15)) access[0] = access[0] + entry(index_of(random_.chance(0.5) ? 0 : 1));
      if (random_.chance(0.1)) access[0] = access[0] + IndexExpr(random_.integer(-1, 1));
    }
    for (std::int64_t d = random_.integer(0, 2); d > 0; --d) {
      shape.push_back(random_.integer(2, 5));
      access.push_back(random_.chance(0.2) ? entry(index_of(static_cast<int>(random_.below(2)))) : any());
    }
    factors_.push_back(operand(fmt::format("x{}", factors_.size()), f64, shape, random_integers(random_, shape.elements())));
    spec_.factors.push_back(access);
  }

  Random random_;
  std::int64_t rows_ = 1;
  SumSpec spec_;
  Shape shape_;
  std::vector<Operand> factors_, tables_;
};

TEST(Tiles, OfRandomSumsAreTheirRows) {
  std::map<Features, std::pair<int, int>> cut_and_not;
  for (std::uint64_t seed = 0; seed < 20000 && !::testing::Test::HasFailure(); ++seed) {
    const Drawn drawn(seed);
    if (drawn.node->kind != Kind::sum) continue;  // of no point
    const bool cut = can_be_cut(*drawn.node.node());
    (cut ? cut_and_not[drawn.features].first : cut_and_not[drawn.features].second)++;
    if (!cut) {
      EXPECT_THROW(static_cast<void>(tile_of(*drawn.node.node(), {}, 2)), InternalError);
      continue;
    }
    const std::int64_t rows = common_rows(*drawn.node.node(), 0);
    for (std::int64_t tiles : {2, 3})
      if (rows % tiles == 0) {
        SCOPED_TRACE(seed);
        expect_tiles(drawn.node, drawn.operands(), tiles);
      }
  }
  for (const auto& [features, counts] : cut_and_not) {
    const auto what = fmt::format("factors {}, placed {}, guards {}, tables {}", features.factors, features.placed, features.guards, features.tables);
    if (!features.placed) {
      EXPECT_GE(counts.first, 10) << what << ": cut";
    }
    EXPECT_GE(counts.second, 10) << what << ": not cut";
  }
}

struct KindCase {
  const char* text;
  bool cut;
};
class TilesOfKinds : public ::testing::TestWithParam<KindCase> {};

TEST_P(TilesOfKinds, AreRowsWhereTheNodeCanBeCut) {
  const Function f = parse_function(GetParam().text);
  const Ref node = f.results[0];
  EXPECT_EQ(can_be_cut(*node.node()), GetParam().cut);
  if (!GetParam().cut) return;
  Random random(7);
  std::vector<Operand> operands;
  for (std::size_t k = 0; k < node->operand_count; ++k) {
    const Ref p = node->operand(k);
    const std::int64_t n = p.shape().elements();
    operands.push_back({p, {p.dtype(), p.shape(), is_floating(p.dtype()) ? random_values(random, n) : random_integers(random, n, 0, 3)}});
  }
  for (std::int64_t tiles : {2, 3, 6}) expect_tiles(node, operands, tiles);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, TilesOfKinds,
    ::testing::Values(
        KindCase{"func f(x: f64[6,4], y: f64[6,4]) { %0: f64[6,4] = { x * y + 2 } return %0 }", true},
        KindCase{"func f(x: f64[6,4]) { %0: i32[6,4] = cast(x) return %0 }", true},
        KindCase{"func f() { %0: f64[6,4][i,j] = 1 ; i<6, j<4, 0<=i-j<6 return %0 }", false},
        KindCase{"func f() { %0: f64[6,4][i,j] = 1 ; i<6, j<4, 0<=j-1<2 return %0 }", true},
        KindCase{"func f(g: f64[]) { %0: f64[6][5] = g[] return %0 }", false},
        KindCase{"func f(x: f64[4,2]) { %0: f64[6,2][i+1,j] = x[i,j] return %0 }", false},
        KindCase{"func f(x: f64[6,2]) { %0: f64[6,5][i,j+1] = x[i,j] return %0 }", true},
        KindCase{"func f(x: f64[12,2]) { %0: f64[6,2][i,j] = x[2*i+p,j]; p<2 return %0 }", true},
        KindCase{"func f(x: f64[12,2]) { %0: f64[6,2][i,j] = x[2*i+p,j]; p<3 return %0 }", false},
        KindCase{"func f(x: f64[6,4]) { %0: f64[6][i] = max x[i,p] return %0 }", true},
        KindCase{"func f(x: f64[6,4]) { %0: f64[4][j] = max x[p,j] return %0 }", false},
        KindCase{"func f(a: f64[6,4], b: f64[6,4]) { %0: f64[6,4] = scan(a, b) {axis=1, reverse=false} return %0 }", true},
        KindCase{"func f(a: f64[6,4], b: f64[6,4]) { %0: f64[6,4] = scan(a, b) {axis=0, reverse=false} return %0 }", false},
        KindCase{"func f(x: f64[6,4]) { %0: i32[6,4] = order(x) {axis=1, descending=true} return %0 }", true},
        KindCase{"func f(x: f64[6,4]) { %0: i32[6,4] = order(x) {axis=0, descending=true} return %0 }", false},
        KindCase{"func f(x: f64[6,4]) { %0: f64[6,4] = call softmax(x) {dim=1} return %0 }", true},
        KindCase{"func f(x: f64[6,4]) { %0: f64[6,4] = call softmax(x) {dim=0} return %0 }", false}));

}  // namespace
}  // namespace cotan::testing
