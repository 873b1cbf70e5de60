// Random programs over every element type, compiled against the reference. Values stay small enough for the reference, whose numbers are doubles.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backends/reference/reference.h"
#include "graph/composites/composites.h"
#include "graph/threads.h"
#include "tests/support/close.h"
#include "tests/support/inputs.h"
#include "tests/support/run_compiled.h"

namespace cotan::testing {
namespace {

constexpr DType all_dtypes[] = {f32, f64, bf16, i32, i64, u8, u32, boolean};

class ProgramMaker {
 public:
  explicit ProgramMaker(std::uint64_t seed) : random_(seed) {}

  Function make(int steps) {
    for (DType dtype : all_dtypes) {
      const bool negative = dtype != boolean && dtype != u8 && dtype != u32;
      std::vector<double> values = random_integers(random_, shape_.elements(), negative ? -20 : 0, dtype == boolean ? 1 : 20);
      if (dtype == u32)  // some beside the end
        for (double& v : values) v = random_.chance(0.3) ? 4294967295.0 - v : v;
      pool_.push_back(inputs.add(fmt::format("x_{}", name_of(dtype)), dtype, shape_, std::move(values)));
    }
    while (steps-- > 0) step();
    Function f;
    f.parameters = inputs.parameters();
    f.results.assign(pool_.end() - 8, pool_.end());
    return f;
  }

  Inputs inputs;

 private:
  template <class Fits>
  Ref one(Fits&& fits) {
    for (;;)
      if (const Ref r = random_.pick(pool_); fits(r.dtype())) return r;
  }
  Ref any() {
    return one([](DType) { return true; });
  }
  Ref like(const Ref& x) {
    return one([&](DType d) { return d == x.dtype(); });
  }
  // A number; integers of 64 bits are brought back to where doubles multiply exactly.
  Ref number() {
    const Ref x = one([](DType d) { return d != boolean && is_computed(d); });
    if (is_floating(x.dtype())) return graph::formula({x}, [](std::span<const Ex> e) { return formula_language::max(formula_language::min(e[0], 1e6), -1e6); });
    return x.dtype() == i64 ? graph::formula({x}, [](std::span<const Ex> e) { return formula_language::rem(e[0], 1000003); }) : x;
  }

  void step() {
    const Ref x = number();
    const Ref y = is_floating(x.dtype()) ? x : like(x).dtype() == i64 ? x : like(x);
    switch (random_.below(12)) {
      case 0: return keep(graph::add(x, y));
      case 1: return keep(graph::sub(x, y));
      case 2: return keep(is_floating(x.dtype()) ? graph::floor(x) : graph::mul(x, y));
      case 3: return keep(graph::remainder(x, y));
      case 4: return keep(random_.chance(0.5) ? graph::maximum(x, y) : graph::minimum(x, y));
      case 5: return keep(graph::where(graph::lt(x, y), x, y));
      case 6: return keep(random_.chance(0.5) ? graph::le(x, y) : graph::eq(x, y));
      case 7: return keep(graph::cumsum(x, {.dim = static_cast<std::int64_t>(random_.below(2))}));
      case 8: return keep(graph::broadcast(random_.chance(0.5) ? graph::sum(x, {.dim = Dims{1}, .keepdim = true}) : graph::matmul(x, y), shape_));
      case 9: return keep(graph::broadcast(random_.chance(0.5) ? graph::max(x, {.dim = 0}) : graph::min(x, {.dim = 0}), shape_));
      case 10: return keep(moved(any()));
      default: return keep(graph::cast(random_.chance(0.5) ? any_narrow() : x, all_dtypes[random_.below(std::size(all_dtypes))]));
    }
  }

  // Anything but what may be far beyond the range of i64.
  Ref any_narrow() {
    return one([](DType d) { return d != f32 && d != f64; });
  }

  // Elements at other places: transposed, turned round, or taken along the order of others.
  Ref moved(const Ref& x) {
    if (random_.chance(0.4)) return graph::transpose(x);
    SumSpec s;
    s.domain = {shape_[0], shape_[1]};
    s.output = {index_of(0), index_of(1)};
    if (random_.chance(0.5)) {
      s.factors = {{IndexExpr(shape_[0] - 1) - index_of(0), index_of(1) - IndexExpr(1)}};
      return graph::sum(std::move(s), shape_, std::span(&x, 1));
    }
    const DType tables[] = {i32, i64, u8, u32};
    const Ref order = graph::cast(graph::order(number(), 1, random_.chance(0.5)), tables[random_.below(4)]);
    s.factors = {{index_of(0), entry_of(0, {index_of(0), index_of(1)})}};
    return graph::sum(std::move(s), shape_, std::span(&x, 1), std::span(&order, 1));
  }

  void keep(const Ref& r) { pool_.push_back(r); }

  Random random_;
  Shape shape_{5, 5};
  std::vector<Ref> pool_;
};

class DtypePrograms : public ::testing::TestWithParam<int> {};

TEST_P(DtypePrograms, AgreeWithTheReference) {
  for (int i = 0; i < 25; ++i) {
    const auto seed = static_cast<std::uint64_t>(GetParam() * 25 + i);
    ProgramMaker maker(seed);
    const Function f = maker.make(40);
    set_threads(1 + static_cast<int>(seed % 3));
    const auto expected = reference::evaluate(f, maker.inputs.arrays());
    const auto got = run_compiled(f, maker.inputs.arrays(), threads());
    set_threads(0);
    for (std::size_t r = 0; r < expected.size(); ++r) {
      ASSERT_EQ(got[r].dtype, expected[r].dtype);
      for (std::size_t k = 0; k < expected[r].values.size(); ++k)
        ASSERT_TRUE(same_number(got[r].values[k], expected[r].values[k])) << "seed " << seed << ", result " << r << " of " << name_of(got[r].dtype) << " at "
                                                                          << k << ": " << got[r].values[k] << " for " << expected[r].values[k];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DtypePrograms, ::testing::Range(0, 8));

}  // namespace
}  // namespace cotan::testing
