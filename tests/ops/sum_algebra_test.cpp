// The algebra of indexed sums on random ones, against evaluation by the definition.
#include <gtest/gtest.h>

#include "tests/support/sum_checks.h"

namespace cotan::testing {
namespace {

constexpr std::uint64_t cases = 4000;

TEST(RandomSums, NormalFormKeepsTheValueAndIsIdempotent) {
  for (std::uint64_t seed = 0; seed < cases; ++seed) ASSERT_TRUE(none(check_normal_form(random_sum(seed), normal_form))) << "seed " << seed;
}

TEST(RandomSums, AdjointIsExact) {
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    Random random(seed + 1'000'000);
    ASSERT_TRUE(none(check_adjoint(random_sum(seed), adjoint, random))) << "seed " << seed;
  }
}

// Names of indices, the order of factors and the numbers of tables are no content. The normal form forgets them but for indices that appear for the first time
// side by side, which costs sharing and no more: most sums have one normal form however they are written, all have one value.
TEST(RandomSums, NormalFormForgetsHowTheSumWasWritten) {
  int same = 0, all = 0;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    const DirectSum s = random_sum(seed);
    std::vector<std::uint64_t> hashes = factor_hashes(s);
    std::sort(hashes.begin(), hashes.end());
    if (std::adjacent_find(hashes.begin(), hashes.end()) != hashes.end()) continue;
    Random random(seed + 2'000'000);
    const DirectSum t = rewritten(s, random);
    ASSERT_TRUE(none(differences("rewritten", direct_sum(t).values, direct_sum(s).values, 0))) << "seed " << seed;
    const NormalSum a = normal_form(s.spec, factor_hashes(s)), b = normal_form(t.spec, factor_hashes(t));
    ++all;
    same += a.spec == b.spec;
    ASSERT_TRUE(none(differences("normal forms", direct_sum(applied(t, b)).values, direct_sum(applied(s, a)).values, 0))) << "seed " << seed;
  }
  EXPECT_GT(all, static_cast<int>(cases / 2));
  EXPECT_GT(same, all * 4 / 5);
}

// What random sums are made to contain, they do contain.
TEST(RandomSums, CoverWhatTheyAreFor) {
  int clipped = 0, guarded = 0, tables = 0, repeated = 0, several = 0, unused = 0, nonzero = 0, scatter = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const DirectSum s = random_sum(seed);
    bool clips = false, reads = false, writes = false;
    for (std::size_t k = 0; k < s.factors.size(); ++k)
      for (std::size_t d = 0; d < s.spec.factors[k].size(); ++d) {
        clips |= !in_range(s.spec.factors[k][d], s.factors[k].shape[d], s.spec.domain);
        reads |= !s.spec.factors[k][d].affine();
      }
    for (const IndexExpr& e : s.spec.output) writes |= !e.affine();
    std::vector<bool> used(s.spec.domain.size());
    for (const Access& access : s.spec.factors)
      for (const IndexExpr& e : access) for_each_index(e, [&](int i) { used[static_cast<std::size_t>(i)] = true; });
    clipped += clips;
    tables += reads;
    scatter += writes;
    guarded += !s.spec.guards.empty();
    several += s.factors.size() > 1;
    unused += std::find(used.begin(), used.end(), false) != used.end();
    const auto hashes = factor_hashes(s);
    for (std::size_t i = 0; i < hashes.size(); ++i)
      repeated += std::find(hashes.begin(), hashes.begin() + static_cast<std::ptrdiff_t>(i), hashes[i]) != hashes.begin() + static_cast<std::ptrdiff_t>(i);
    const DirectTensor out = direct_sum(s);
    nonzero += std::any_of(out.values.begin(), out.values.end(), [](double v) { return v != 0; });
  }
  EXPECT_GT(clipped, 300);
  EXPECT_GT(guarded, 150);
  EXPECT_GT(tables, 100);
  EXPECT_GT(scatter, 50);
  EXPECT_GT(repeated, 50);
  EXPECT_GT(several, 300);
  EXPECT_GT(unused, 100);
  EXPECT_GT(nonzero, 400);
}

// Two sums that differ in one thing have different normal forms: a coefficient, a constant, the size of an index, a guard's bound, the table that is read.
TEST(NormalForm, TellsDifferentSumsApart) {
  SumSpec s;
  s.domain = {3, 4};
  s.output = {index_of(0)};
  s.factors = {{index_of(0) + index_of(1)}, {entry_of(0, {index_of(1)})}};
  s.guards = {{index_of(0) - index_of(1), 2}};
  const std::uint64_t hashes[] = {7, 8};
  std::vector<SumSpec> all(6, s);
  all[1].coefficient = 2;
  all[2].factors[0][0] = all[2].factors[0][0] + IndexExpr(1);
  all[3].domain[1] = 5;
  all[4].guards[0].below = 3;
  all[5].factors[1][0] = entry_of(0, {index_of(0)});
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const SumSpec a = normal_form(all[i], hashes).spec, b = normal_form(all[j], hashes).spec;
      EXPECT_FALSE(a == b) << i << " and " << j;
      EXPECT_NE(a.hash(), b.hash()) << i << " and " << j;
    }
}

}  // namespace
}  // namespace cotan::testing
