// What fusions cost grows with the program and no faster, counted in what searches for ways around look at. bench/compile_times has the seconds.
#include <gmock/gmock.h>

#include "graph/builder.h"
#include "tests/fusion/fused.h"

namespace cotan::testing {
namespace {

Ref broadcast(const Ref& scalar, const Shape& shape) {
  SumSpec s;
  s.domain.assign(shape.begin(), shape.end());
  for (std::size_t d = 0; d < shape.rank(); ++d) s.output.push_back(index_of(static_cast<int>(d)));
  s.factors = {{}};
  return graph::sum(std::move(s), shape, std::span(&scalar, 1));
}

// A chain of multiply-adds.
Function chain(int length, CompileOptions&) {
  const Ref x = graph::parameter("x", f32, {64}), y = graph::parameter("y", f32, {64});
  Ref r = x;
  for (int i = 0; i < length; ++i) r = graph::add(graph::mul(r, y), x);
  return {"chain", {x, y}, {r}, {}};
}

// A sum of that many sums of functions of one tensor.
Function terms(int count, CompileOptions&) {
  const Ref x = graph::parameter("x", f32, {64});
  Ref total;
  for (int i = 0; i < count; ++i) {
    const Ref term = graph::sum(graph::tanh(graph::mul(x, graph::fill(i + 2.5, f32, {64}))), {});
    total = total ? graph::add(total, term) : term;
  }
  return {"terms", {x}, {total}, {}};
}

// A step of that many parameters with a momentum each, and a loss that reads them all.
Function updates(int count, CompileOptions& options) {
  Function f;
  f.parameters = {graph::parameter("lr", f32, {})};
  const Shape shape{16};
  Ref total;
  for (int i = 0; i < count; ++i) {
    const Ref p = graph::parameter(fmt::format("p{}", i), f32, shape), m = graph::parameter(fmt::format("m{}", i), f32, shape);
    const Ref term = graph::sum(graph::square(p), {});
    total = total ? graph::add(total, term) : term;
    const Ref moved = graph::add(graph::mul(m, graph::fill(0.9, f32, shape)), graph::add(p, p));
    for (const auto& [parameter, value] : {std::pair(p, graph::sub(p, graph::mul(broadcast(f.parameters[0], shape), moved))), std::pair(m, moved)}) {
      options.updates.push_back({static_cast<int>(f.results.size()), static_cast<int>(f.parameters.size())});
      f.parameters.push_back(parameter);
      f.results.push_back(value);
    }
  }
  f.results.push_back(total);
  return f;
}

struct Kind {
  const char* name;
  Function (*make)(int, CompileOptions&);
};
class Growth : public ::testing::TestWithParam<Kind> {};

std::size_t looks(const Function& f, const CompileOptions& options) {
  return after({fusion::place_copies, fusion::fuse_kernels, fusion::fuse_regions, fusion::fuse_updates, fusion::fuse_sums}, f, options,
               [](Groups& groups) { return groups.looks(); });
}

TEST_P(Growth, OfSearchesIsLinear) {
  constexpr int few = 1000, times = 8;
  CompileOptions small_options, large_options;
  const Function small = GetParam().make(few, small_options), large = GetParam().make(few * times, large_options);
  const auto one = static_cast<double>(looks(small, small_options)), many = static_cast<double>(looks(large, large_options));
  EXPECT_GT(one, 0);
  EXPECT_LT(many, 1.5 * times * one) << one << " looks for " << few;
}

INSTANTIATE_TEST_SUITE_P(Programs, Growth, ::testing::Values(Kind{"chain", chain}, Kind{"terms", terms}, Kind{"updates", updates}),
                         [](const auto& p) { return std::string(p.param.name); });

// However many parameters there are, their updates are one kernel.
TEST(Growth, ThousandsOfUpdatesAreOneKernel) {
  CompileOptions options;
  const Function f = updates(3000, options);
  const std::size_t largest = after({fusion::fuse_kernels, fusion::fuse_updates}, f, options, [](Groups& groups) {
    std::size_t most = 0;
    for (const Group& g : groups.all())
      if (g.fusion == "fuse_updates") most = std::max(most, g.claim.results.size());
    return most;
  });
  EXPECT_GE(largest, 2u * 3000);
}

}  // namespace
}  // namespace cotan::testing
