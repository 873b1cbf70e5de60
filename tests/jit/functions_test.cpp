// Every function of float32 over all kinds of operands: generated code has the bits of the tile evaluator.
#include "tests/jit/clusters.h"

namespace cotan::jit_test {
namespace {

constexpr std::int64_t count = 20011;

// Any bits: subnormals, infinities, NaN and every exponent; then angles, large ones too; then an interval around 0.
Buffer any_floats(Random& random) {
  Buffer buffer(View::dense(f32, {1, count}), count);
  auto* x = static_cast<float*>(buffer.first());
  for (std::int64_t i = 0; i < count; ++i) {
    x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(random.integer(0, 0xFFFFFFFFLL)));
    if (i % 3 == 1) x[i] = static_cast<float>((random.unit() - 0.5) * 1e6);
    if (i % 3 == 2) x[i] = static_cast<float>((random.unit() - 0.5) * 40);
  }
  const float edges[] = {0.0F,
                         -0.0F,
                         1.0F,
                         -1.0F,
                         0x1p-149F,
                         -0x1p-149F,
                         0x1p-126F,
                         0x1p15F,
                         std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity(),
                         std::numeric_limits<float>::quiet_NaN(),
                         std::numeric_limits<float>::max()};
  for (std::size_t i = 0; i < std::size(edges); ++i) x[7 * i] = edges[i];
  return buffer;
}

class Functions : public testing::TestWithParam<Atom> {};

TEST_P(Functions, HaveTheBitsOfTheTileEvaluatorForAllOperands) {
  const Atom atom = GetParam();
  Random random(static_cast<std::uint64_t>(atom));
  ClusterMaker make(random);
  const int a = make.load(f32), b = arity_of(atom) == 2 ? make.load(f32) : -1;
  make.store(make.node(atom, f32, a, b));
  const Cluster cluster = make.finish(2);
  Memory memory;
  for (int k = 0; k < arity_of(atom); ++k) memory.in.push_back(any_floats(random));
  memory.out.emplace_back(View::dense(f32, {1, count}), count);
  for (const InstructionSet m : instruction_sets()) ASSERT_NO_FATAL_FAILURE(expect_same(cluster, memory, m));
}

// Both operands from a short list of special numbers, every pair of them.
TEST_P(Functions, HaveTheBitsOfTheTileEvaluatorForAllPairsOfSpecialOperands) {
  const Atom atom = GetParam();
  const float special[] = {0.0F,
                           -0.0F,
                           1.0F,
                           -1.0F,
                           2.0F,
                           -2.0F,
                           3.0F,
                           0.5F,
                           -0.5F,
                           0x1p-149F,
                           -0x1p-149F,
                           0x1p-126F,
                           0x1.8p100F,
                           1e5F,
                           -1e5F,
                           40000.0F,
                           0x1p127F,
                           88.7F,
                           -103.9F,
                           -87.4F,
                           std::numeric_limits<float>::infinity(),
                           -std::numeric_limits<float>::infinity(),
                           std::numeric_limits<float>::quiet_NaN()};
  constexpr std::int64_t n = std::size(special);
  Random random(1);
  ClusterMaker make(random);
  const int a = make.load(f32), b = arity_of(atom) == 2 ? make.load(f32) : -1;
  make.store(make.node(atom, f32, a, b));
  const Cluster cluster = make.finish(2);
  Memory memory;
  for (int k = 0; k < arity_of(atom); ++k) {
    memory.in.push_back(spread_buffer(f32, n, n, k == 0 ? Spread::every_column : Spread::every_row));
    std::copy(std::begin(special), std::end(special), static_cast<float*>(memory.in.back().first()));
  }
  memory.out.emplace_back(View::dense(f32, {n, n}), n * n);
  for (const InstructionSet m : instruction_sets()) ASSERT_NO_FATAL_FAILURE(expect_same(cluster, memory, m));
}

INSTANTIATE_TEST_SUITE_P(Float32, Functions,
                         testing::Values(Atom::neg, Atom::sqrt, Atom::floor, Atom::round, Atom::add, Atom::mul, Atom::div, Atom::max, Atom::min, Atom::exp,
                                         Atom::expm1, Atom::log, Atom::log1p, Atom::sin, Atom::cos, Atom::asin, Atom::atan2, Atom::tanh, Atom::erf, Atom::erfc,
                                         Atom::cbrt, Atom::pow),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST(Casts, HaveTheBitsOfTheTileEvaluatorForAllOperands) {
  Random random(2);
  for (const DType to : {i32, u8, bf16, boolean}) {
    ClusterMaker make(random);
    make.store(make.node(Atom::cast, to, make.load(f32)));
    const Cluster cluster = make.finish(2);
    Memory memory;
    memory.in.push_back(any_floats(random));
    memory.out.emplace_back(View::dense(to, {1, count}), count);
    for (const InstructionSet m : instruction_sets()) ASSERT_NO_FATAL_FAILURE(expect_same(cluster, memory, m));
  }
}

}  // namespace
}  // namespace cotan::jit_test
