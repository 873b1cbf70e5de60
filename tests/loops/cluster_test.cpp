// The tile evaluator against the definition of formulas, element by element.
#include "graph/cluster.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <set>

#include "backends/loops/loops.h"
#include "backends/loops/tile_op.h"
#include "graph/builder.h"
#include "tests/loops/buffers.h"

namespace cotan::loops_test {
namespace {

constexpr DType all_dtypes[] = {f32, f64, bf16, i32, i64, u8, u32, boolean};

DType any_dtype(Random& random) { return random.any_of(all_dtypes); }

// What every node of the cluster is at every point, given the inputs' values.
std::vector<Array> node_values(const Cluster& cluster, std::vector<Array> inputs, const Shape& shape) {
  Formula f;
  for (const ClusterLoad& l : cluster.loads) f.operands.push_back(l.dtype);
  f.nodes = cluster.nodes;
  std::vector<Array> values;
  for (const FormulaNode& n : f.nodes) values.push_back(Array::zeros(n.dtype, shape));
  std::vector<double> x(cluster.loads.size()), scratch;
  for (std::size_t i = 0; i < static_cast<std::size_t>(shape.elements()); ++i) {
    for (std::size_t l = 0; l < x.size(); ++l) x[l] = inputs[static_cast<std::size_t>(cluster.loads[l].input)].values[i];
    (void)evaluate(f, x, scratch, false);
    for (std::size_t n = 0; n < f.nodes.size(); ++n) values[n].values[i] = scratch[n];
  }
  return values;
}

// A formula of atoms whose value is the same on every path: no library functions.
FormulaRef random_formula(Random& random, const std::vector<DType>& operands) {
  return make_formula(operands, [&](std::span<const Ex> given) {
    std::vector<Ex> pool(given.begin(), given.end());
    auto of = [&](auto&& allowed) -> Ex {
      std::vector<Ex> fitting;
      for (const Ex& e : pool)
        if (allowed(dtype_of(e))) fitting.push_back(e);
      if (!fitting.empty()) return fitting[static_cast<std::size_t>(random.integer(0, static_cast<std::int64_t>(fitting.size()) - 1))];
      for (DType d : all_dtypes)
        if (allowed(d)) return typed(Ex(1), d);
      return {0};
    };
    auto one_of = [&](DType d) { return of([d](DType e) { return e == d; }); };
    auto number = [](DType d) { return d != boolean && is_computed(d); };
    // Products of wrapped integers may leave what doubles hold exactly, and the definition computes in doubles.
    auto small = [](Ex e) { return is_floating(dtype_of(e)) ? e : formula_language::rem(e, typed(Ex(97), dtype_of(e))); };
    const std::int64_t steps = random.integer(1, 10);
    for (std::int64_t s = 0; s < steps; ++s) {
      Ex a = of(number);
      const DType d = dtype_of(a);
      Ex b = random.chance(0.25) ? typed(Ex(random.pick({0, 1, 2, 3})), d) : one_of(d);
      Ex r = a;
      switch (random.integer(0, 15)) {
        case 0: r = formula_language::neg(a); break;
        case 1: r = formula_language::add(a, b); break;
        case 2: r = formula_language::mul(small(a), small(b)); break;
        case 3: r = is_floating(d) ? formula_language::div(a, b) : formula_language::rem(a, b); break;
        case 4: r = formula_language::max(a, b); break;
        case 5: r = formula_language::min(a, b); break;
        case 6: r = is_floating(d) ? formula_language::floor(a) : a; break;
        case 7: r = is_floating(d) ? formula_language::round(a) : a; break;
        case 8: r = is_floating(d) ? formula_language::sqrt(a) : a; break;
        case 9: r = formula_language::lt(a, b); break;
        case 10: r = formula_language::le(a, b); break;
        case 11: r = formula_language::eq(a, b); break;
        case 12: {
          Ex p = one_of(boolean), q = one_of(boolean);
          const auto which = random.integer(0, 2);
          r = which == 0 ? formula_language::and_(p, q) : which == 1 ? formula_language::or_(p, q) : formula_language::xor_(p, q);
          break;
        }
        case 13: {
          const DType to = any_dtype(random);
          a = of([](DType) { return true; });
          if (to == i64 && dtype_of(a) == bf16) a = cast(a, f32);
          if (to == i64 && is_floating(dtype_of(a))) a = formula_language::max(formula_language::min(a, 1e9), -1e9);  // stays where doubles are exact
          r = cast(a, to);
          break;
        }
        case 14: r = formula_language::rem(a, b); break;
        default: r = where(random.chance(0.5) ? formula_language::le(a, b) : one_of(boolean), a, b); break;
      }
      if (!r.is_literal()) pool.push_back(r);
    }
    return pool.back();
  });
}

void check_cluster(Random& random, const Cluster& cluster, std::vector<DType> inputs, const Shape& shape) {
  std::vector<Buffer> in, out;
  for (DType d : inputs) {
    in.push_back(random_buffer(random, d, shape, true));
    fill_random(random, in.back());
  }
  std::vector<Array> values;
  for (Buffer& b : in) values.push_back(b.array());
  const std::vector<Array> expected = node_values(cluster, values, shape);

  // Some outputs take an input's memory, each input at most once.
  std::vector<int> shares(cluster.stores.size(), -1);
  std::set<int> taken;
  for (std::size_t s = 0; s < cluster.stores.size(); ++s) {
    out.push_back(random_buffer(random, cluster.stores[s].dtype, shape));
    for (std::size_t k = 0; k < in.size(); ++k) {
      const View& v = in[k].view();
      const bool repeats = std::any_of(v.strides.begin(), v.strides.end(), [](std::int64_t x) { return x == 0; });
      if (repeats || size_of(v.dtype) != size_of(cluster.stores[s].dtype) || v.dtype != cluster.stores[s].dtype || taken.count(static_cast<int>(k)) != 0)
        continue;
      if (!random.chance(0.6)) continue;
      shares[s] = static_cast<int>(k);
      taken.insert(static_cast<int>(k));
      break;
    }
  }
  std::vector<View> in_views, out_views(out.size());
  std::vector<void*> addresses;
  for (Buffer& b : in) {
    in_views.push_back(b.view());
    addresses.push_back(b.first());
  }
  addresses.resize(in.size() + out.size());
  auto target = [&](std::size_t s) -> Buffer& { return shares[s] >= 0 ? in[static_cast<std::size_t>(shares[s])] : out[s]; };
  for (std::size_t s = 0; s < out.size(); ++s) {
    target(s).watch();
    const auto o = static_cast<std::size_t>(cluster.stores[s].output);
    out_views[o] = target(s).view();
    addresses[in.size() + o] = target(s).first();
  }
  const KernelRef kernel = loops::compile_cluster_on_tiles(cluster, in_views, out_views);
  run_kernel(*kernel, addresses);
  for (std::size_t s = 0; s < out.size(); ++s) {
    const Array got = target(s).array();
    const Array& want = expected[static_cast<std::size_t>(cluster.stores[s].node)];
    for (std::size_t i = 0; i < want.values.size(); ++i)
      ASSERT_TRUE(same_bits(got.values[i], want.values[i]))
          << cluster.text() << "element " << i << " of " << shape.text() << ", store " << s << ": " << got.values[i] << " for " << want.values[i];
    ASSERT_TRUE(target(s).untouched_elsewhere()) << cluster.text();
  }
}

void check_random_formulas(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t seed = first; seed < last; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    std::vector<DType> inputs;
    for (std::int64_t k = random.integer(1, 4); k > 0; --k) inputs.push_back(random.chance(0.5) ? f32 : any_dtype(random));
    const FormulaRef f = random_formula(random, inputs);
    const int rank = static_cast<int>(random.integer(0, 4));
    Shape shape = random_shape(random, rank, rank == 1 ? 3000 : rank == 2 ? 80 : 9);
    if (rank > 0 && random.chance(0.03)) shape[0] = 0;
    Cluster cluster = map_cluster(*f, shape.rank());
    // More outputs: any other nodes.
    for (int more = random.chance(0.4) ? 2 : 0; more > 0; --more) {
      const auto n = static_cast<int>(random.integer(0, static_cast<std::int64_t>(cluster.nodes.size()) - 1));
      cluster.stores.push_back({n, static_cast<int>(cluster.stores.size()), cluster.nodes[static_cast<std::size_t>(n)].dtype});
    }
    ASSERT_NO_FATAL_FAILURE(check_cluster(random, cluster, inputs, shape));
  }
}

TEST(ClusterLoops, RandomFormulasOfAllTypesOnAllStrides) { check_random_formulas(0, 3000); }

// Not only on the best instruction set that this processor has.
TEST(ClusterLoops, EveryInstructionSetGivesTheSameBits) {
  std::set<std::string> ran;
  for (std::int64_t targets = hwy::SupportedTargets(); targets != 0; targets &= targets - 1) {
    hwy::SetSupportedTargetsForTest(targets & -targets);
    hwy::GetChosenTarget().DeInit();
    if (!ran.insert(loops::target_name()).second) continue;
    SCOPED_TRACE(loops::target_name());
    check_random_formulas(5000, 5400);
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
#if defined(__x86_64__)
  EXPECT_TRUE(!__builtin_cpu_supports("avx2") || ran.size() >= 2);
#endif
}

TEST(ClusterLoops, LargeDomainsAreCutIntoChunks) {
  Random random(5);
  const FormulaRef f = make_formula({f32, f32}, [](auto x) { return formula_language::add(formula_language::mul(x[0], x[1]), x[0]); });
  for (const Shape& shape : {Shape{100003}, Shape{300, 1111}, Shape{5003, 17}, Shape{64, 1500}}) {
    const View view = View::dense(f32, shape);
    const KernelRef kernel = loops::compile_cluster_on_tiles(map_cluster(*f, shape.rank()), std::vector{view, view}, std::vector{view});
    EXPECT_GT(kernel->chunks(), 1);
    EXPECT_LT(kernel->chunks(), shape.elements() / 10000);
    EXPECT_EQ(kernel->flops(), 2.0 * static_cast<double>(shape.elements()));
    EXPECT_EQ(kernel->bytes(), 12.0 * static_cast<double>(shape.elements()));
    for (int i = 0; i < 4; ++i) ASSERT_NO_FATAL_FAILURE(check_cluster(random, map_cluster(*f, shape.rank()), {f32, f32}, shape));
  }
}

TEST(ClusterLoops, OutputsMayExchangeTheirInputs) {
  Cluster cluster;
  cluster.name = "exchange";
  cluster.rank = 1;
  cluster.loads = {{0, f32}, {1, f32}};
  cluster.nodes = {{Atom::operand, f32, 0, -1, -1, 0}, {Atom::operand, f32, 1, -1, -1, 0}};
  cluster.stores = {{1, 0, f32}, {0, 1, f32}};
  std::vector<float> a(2500), b(2500);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i);
    b[i] = -static_cast<float>(i);
  }
  const View view = View::dense(f32, {2500});
  run_kernel(*loops::compile_cluster_on_tiles(cluster, std::vector{view, view}, std::vector{view, view}), std::vector<void*>{a.data(), b.data(), a.data(), b.data()});
  EXPECT_EQ(a[2499], -2499);
  EXPECT_EQ(b[2499], 2499);
}

TEST(ClusterLoops, LibraryFunctionsAreWithinTwoUlp) {
  const Atom atoms[] = {Atom::pow, Atom::atan2, Atom::exp,  Atom::expm1, Atom::log, Atom::log1p, Atom::cbrt,
                        Atom::sin, Atom::cos,   Atom::asin, Atom::tanh,  Atom::erf, Atom::erfc};
  for (const DType dtype : {f32, f64})
    for (const Atom atom : atoms) {
      Random random(9);
      const std::vector<DType> operands(static_cast<std::size_t>(arity_of(atom)), dtype);
      const FormulaRef f = make_formula(operands, [&](auto x) { return apply(atom, x); });
      const Shape shape{2000};
      std::vector<Buffer> in;
      std::vector<Array> values;
      for (std::size_t k = 0; k < operands.size(); ++k) {
        in.emplace_back(View::dense(dtype, shape), 2000);
        fill_random(random, in.back());
        values.push_back(in.back().array());
      }
      Buffer out(View::dense(dtype, shape), 2000);
      std::vector<View> views(in.size(), out.view());
      std::vector<void*> addresses;
      for (Buffer& b : in) addresses.push_back(b.first());
      addresses.push_back(out.first());
      run_kernel(*loops::compile_cluster_on_tiles(map_cluster(*f, 1), views, std::vector{out.view()}), addresses);
      const Array got = out.array();
      for (std::size_t i = 0; i < 2000; ++i) {
        const double want = apply_atom(atom, f64, values[0].values[i], values.size() > 1 ? values[1].values[i] : 0, 0);
        const double near = round_to(dtype, want);
        if (std::isnan(near) || std::isinf(near)) {
          ASSERT_TRUE(same_bits(got.values[i], near)) << name_of(atom) << " of " << values[0].values[i];
          continue;
        }
        const double ulp = std::max(std::abs(near) * (dtype == f32 ? 0x1p-23 : 0x1p-52), dtype == f32 ? 0x1p-149 : 0x1p-1074);
        ASSERT_LE(std::abs(got.values[i] - want), 2 * ulp) << name_of(atom) << " of " << values[0].values[i];
      }
    }
}

TEST(ClusterLoops, FillsAndCopiesBetweenAnyTypes) {
  Random random(3);
  for (const DType from : all_dtypes)
    for (const DType to : all_dtypes) {
      const Shape shape = random_shape(random, 3, 12);
      Buffer a = random_buffer(random, from, shape, true), b = random_buffer(random, to, shape);
      fill_random(random, a);
      b.watch();
      run_kernel(*loops::compile_copy(a.view(), b.view(), this_machine().instructions), std::vector<void*>{a.first(), b.first()});
      const Array x = a.array(), y = b.array();
      for (std::size_t i = 0; i < x.values.size(); ++i)
        ASSERT_TRUE(same_bits(y.values[i], round_to(to, x.values[i])))
            << name_of(from) << " to " << name_of(to) << ": " << x.values[i] << " gave " << y.values[i];
      EXPECT_TRUE(b.untouched_elsewhere());
      run_kernel(*loops::compile_fill(1, b.view(), this_machine().instructions), std::vector<void*>{b.first()});
      const Array filled = b.array();
      EXPECT_EQ(std::count(filled.values.begin(), filled.values.end(), 1.0), shape.elements());
      EXPECT_TRUE(b.untouched_elsewhere());
    }
}

TEST(ClusterLoops, TextNamesLoadsAndStores) {
  const FormulaRef f = make_formula({f32, f32}, [](auto x) { return where(formula_language::lt(x[0], x[1]), x[0], Ex(0.5)); });
  EXPECT_EQ(map_cluster(*f, 2).text(),
            "cluster map [2] (a: f32, b: f32) {\n"
            "  %0: f32 = load a\n"
            "  %1: f32 = load b\n"
            "  %2: bool = lt(%0, %1)\n"
            "  %3: f32 = 0.5\n"
            "  %4: f32 = where(%2, %0, %3)\n"
            "  store %4 -> out0: f32\n"
            "}\n");
}

TEST(ClusterLoops, NodesBecomeClusters) {
  const Ref x = graph::parameter("x", f32, {3, 4});
  const Cluster cast = cluster_of(*graph::cast(x, i32).node());
  EXPECT_EQ(cast, cast_cluster(f32, i32, 2));
  EXPECT_EQ(cast.hash(), cast_cluster(f32, i32, 2).hash());
  EXPECT_EQ(cluster_of(*graph::fill(2, f32, {5}).node()).loads.size(), 0U);
  EXPECT_THROW((void)cluster_of(*graph::stop_gradient(x).node()), InternalError);
  const View three = View::dense(f32, {3}), four = View::dense(f32, {4});
  EXPECT_THROW((void)loops::compile_copy(three, four, this_machine().instructions), InternalError);
}

TEST(ClusterLoops, TheProcessorsOwnVectorsAreUsed) {
  const std::string target = loops::target_name();
  fmt::print("Highway target: {}\n", target);
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) {
    EXPECT_NE(target, "SCALAR");
    EXPECT_TRUE(target.starts_with("AVX")) << target;
  }
#endif
  EXPECT_FALSE(target.empty());
}

}  // namespace
}  // namespace cotan::loops_test
