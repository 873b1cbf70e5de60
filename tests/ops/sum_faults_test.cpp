// Tests of the tests: each planted fault in the algebra of indexed sums is noticed by the checks that random sums go through.
#include <gtest/gtest.h>

#include "tests/support/sum_checks.h"

namespace cotan::testing {
namespace {

template <class F>
void each_expression(SumSpec& s, F&& f) {
  for (IndexExpr& e : s.output) f(e);
  for (Access& a : s.factors)
    for (IndexExpr& e : a) f(e);
  for (Guard& g : s.guards) f(g.expression);
}

Failures adjoint_failures(const Adjoint& wrong) {
  Failures all;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    Random random(seed);
    append(all, check_adjoint(random_sum(seed), wrong, random));
  }
  return all;
}

Failures normal_form_failures(const NormalForm& wrong) {
  Failures all;
  for (std::uint64_t seed = 0; seed < 500; ++seed) append(all, check_normal_form(random_sum(seed), wrong));
  return all;
}

// The right normal form of a sum that was changed first.
NormalForm after(const std::function<void(SumSpec&)>& change) {
  return [change](SumSpec s, std::span<const std::uint64_t> hashes) {
    change(s);
    return normal_form(std::move(s), hashes);
  };
}

// The right normal form, changed afterwards.
NormalForm before(const std::function<void(NormalSum&)>& change) {
  return [change](SumSpec s, std::span<const std::uint64_t> hashes) {
    NormalSum n = normal_form(std::move(s), hashes);
    change(n);
    return n;
  };
}

// The right adjoint, changed afterwards.
Adjoint adjoint_but(const std::function<void(SumSpec&)>& change) {
  return [change](const SumSpec& s, std::size_t k) {
    SumSpec r = adjoint(s, k);
    change(r);
    return r;
  };
}

TEST(PlantedAdjoints, WithoutTheSwap) {
  // The accesses stay where they are: read as far as the ranks allow.
  EXPECT_TRUE(caught(adjoint_failures([](const SumSpec& s, std::size_t k) {
    SumSpec r = adjoint(s, k);
    if (r.output.size() == r.factors[k].size()) std::swap(r.output, r.factors[k]);
    return r;
  })));
}
TEST(PlantedAdjoints, WithoutTheGuards) {
  EXPECT_TRUE(caught(adjoint_failures(adjoint_but([](SumSpec& s) { s.guards.clear(); }))));
}
TEST(PlantedAdjoints, WithoutTheCoefficient) {
  EXPECT_TRUE(caught(adjoint_failures(adjoint_but([](SumSpec& s) { s.coefficient = 1; }))));
}
TEST(PlantedAdjoints, OfTheWrongFactor) {
  EXPECT_TRUE(caught(adjoint_failures([](const SumSpec& s, std::size_t k) {
    const std::size_t other = (k + 1) % s.factors.size();
    return s.factors[other].size() == s.factors[k].size() ? adjoint(s, other) : adjoint(s, k);
  })));
}
TEST(PlantedAdjoints, ShiftedByOne) {
  EXPECT_TRUE(caught(adjoint_failures(adjoint_but([](SumSpec& s) {
    if (!s.output.empty()) s.output[0] = s.output[0] + IndexExpr(1);
  }))));
}
TEST(PlantedAdjoints, OnePointShortOfTheDomain) {
  EXPECT_TRUE(caught(adjoint_failures(adjoint_but([](SumSpec& s) { s.domain.back() = std::max<std::int64_t>(1, s.domain.back() - 1); }))));
}
TEST(PlantedAdjoints, WithTheOutputsSignReversed) {
  EXPECT_TRUE(caught(adjoint_failures(adjoint_but([](SumSpec& s) {
    for (IndexExpr& e : s.output) e = -e;
  }))));
}
TEST(PlantedAdjoints, ThatForgetsAnotherFactor) {
  EXPECT_TRUE(caught(adjoint_failures([](const SumSpec& s, std::size_t k) {
    SumSpec r = adjoint(s, k);
    const std::size_t other = (k + 1) % s.factors.size();
    if (other != k)
      for (IndexExpr& e : r.factors[other]) e = IndexExpr(0);
    return r;
  })));
}

TEST(PlantedNormalForms, ThatTakeAGuardForImplied) {
  EXPECT_TRUE(caught(normal_form_failures(after([](SumSpec& s) {
    if (!s.guards.empty()) s.guards.pop_back();
  }))));
}
TEST(PlantedNormalForms, ThatTakeAGuardForImpliedByItsLowerBoundAlone) {
  EXPECT_TRUE(caught(normal_form_failures(after(
      [](SumSpec& s) { std::erase_if(s.guards, [&](const Guard& g) { return g.expression.affine() && range_of(g.expression, s.domain)->first >= 0; }); }))));
}
TEST(PlantedNormalForms, WithAGuardThatAllowsOneMore) {
  EXPECT_TRUE(caught(normal_form_failures(after([](SumSpec& s) {
    for (Guard& g : s.guards) ++g.below;
  }))));
}
TEST(PlantedNormalForms, WithoutTheCoefficient) {
  EXPECT_TRUE(caught(normal_form_failures(after([](SumSpec& s) { s.coefficient = 1; }))));
}
TEST(PlantedNormalForms, ThatMergeDifferentTables) {
  EXPECT_TRUE(caught(normal_form_failures(after([](SumSpec& s) { each_expression(s, [](IndexExpr& e) { e = rename_tables(e, std::vector<int>{0, 0}); }); }))));
}
TEST(PlantedNormalForms, ThatReplaceAnIndexOfSizeOneByOne) {
  EXPECT_TRUE(caught(normal_form_failures(after([](SumSpec& s) {
    std::vector<IndexExpr> to;
    for (std::size_t i = 0; i < s.domain.size(); ++i) to.push_back(s.domain[i] == 1 ? IndexExpr(1) : index_of(static_cast<int>(i)));
    each_expression(s, [&](IndexExpr& e) { e = substitute(e, to); });
  }))));
}
TEST(PlantedNormalForms, ThatDropAnIndexNobodyReads) {
  EXPECT_TRUE(caught(normal_form_failures(after([](SumSpec& s) {
    for (std::size_t i = 0; i < s.domain.size(); ++i) {
      bool used = false;
      each_expression(s, [&](IndexExpr& e) { used |= uses_index(e, static_cast<int>(i)); });
      if (!used) s.domain[i] = 1;
    }
  }))));
}
TEST(PlantedNormalForms, ThatOrderAccessesButNotTheirTensors) {
  EXPECT_TRUE(caught(normal_form_failures([](SumSpec s, std::span<const std::uint64_t> hashes) {
    NormalSum n = normal_form(std::move(s), hashes);
    if (n.factors.size() > 1 && n.spec.factors[0].size() == n.spec.factors[1].size()) std::swap(n.factors[0], n.factors[1]);
    return n;
  })));
}
TEST(PlantedNormalForms, ThatRenumberIndicesButNotTheirSizes) {
  EXPECT_TRUE(caught(normal_form_failures(before([](NormalSum& n) {
    if (n.spec.domain.size() > 1) std::swap(n.spec.domain[0], n.spec.domain[1]);
  }))));
}
TEST(PlantedNormalForms, ThatMixUpTheTables) {
  EXPECT_TRUE(caught(normal_form_failures(before([](NormalSum& n) {
    if (n.tables.size() > 1) std::swap(n.tables[0], n.tables[1]);
  }))));
}
TEST(PlantedNormalForms, ThatMergeEqualFactors) {
  EXPECT_TRUE(caught(normal_form_failures([](SumSpec s, std::span<const std::uint64_t> hashes) {
    NormalSum n = normal_form(std::move(s), hashes);
    for (std::size_t k = 1; k < n.factors.size(); ++k) {
      if (hashes[static_cast<std::size_t>(n.factors[k])] != hashes[static_cast<std::size_t>(n.factors[k - 1])]) continue;
      n.spec.factors.erase(n.spec.factors.begin() + static_cast<std::ptrdiff_t>(k));
      n.factors.erase(n.factors.begin() + static_cast<std::ptrdiff_t>(k));
    }
    return n;
  })));
}
TEST(PlantedNormalForms, ThatChangeEachTime) {
  EXPECT_TRUE(caught(normal_form_failures(before([](NormalSum& n) {
    std::reverse(n.spec.factors.begin(), n.spec.factors.end());
    std::reverse(n.factors.begin(), n.factors.end());
  }))));
}
TEST(PlantedNormalForms, ThatKeepAGuardTwice) {
  EXPECT_TRUE(caught(normal_form_failures(before([](NormalSum& n) {
    if (!n.spec.guards.empty()) n.spec.guards.push_back(n.spec.guards[0]);
  }))));
}

// Merging equal terms of an expression is what index arithmetic does; a wrong merge changes the range.
TEST(IndexArithmetic, AgreesWithValues) {
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    const IndexExpr a = random_expression(random, 3), b = random_expression(random, 3);
    const std::int64_t k = random.integer(-3, 3);
    std::vector<std::int64_t> point{0, 0, 0}, box{3, 2, 4};
    std::int64_t low = INT64_MAX, high = INT64_MIN;
    do {
      const std::int64_t va = *direct_index(a, point, {}), vb = *direct_index(b, point, {});
      EXPECT_EQ(*direct_index(a + b, point, {}), va + vb);
      EXPECT_EQ(*direct_index(a - b, point, {}), va - vb);
      EXPECT_EQ(*direct_index(k * a, point, {}), k * va);
      EXPECT_EQ(value_at(a, point, {}), va);
      const IndexExpr to[] = {b, index_of(0), IndexExpr(2)};
      const std::int64_t moved[] = {vb, point[0], 2};
      EXPECT_EQ(*direct_index(substitute(a, to), point, {}), *direct_index(a, moved, {}));
      low = std::min(low, va);
      high = std::max(high, va);
    } while (next_point(point, box));
    EXPECT_EQ(range_of(a, box), std::pair(low, high));
    EXPECT_EQ(in_range(a, high + 1, box), low >= 0);
    EXPECT_FALSE(in_range(a, high, box));
    EXPECT_TRUE((a - a).terms.empty());
    EXPECT_EQ(a + b, b + a);
  }
}

// Where is_injective says yes, no two points have one value.
TEST(IndexArithmetic, InjectiveAccessesAreInjective) {
  Random random(6);
  int yes = 0, truly = 0;
  for (int round = 0; round < 3000; ++round) {
    Access access;
    for (std::int64_t d = random.integer(1, 3); d > 0; --d) access.push_back(random_expression(random, 3));
    const std::vector<std::int64_t> box{random.integer(1, 3), random.integer(1, 4), random.integer(1, 2)};
    std::vector<std::vector<std::int64_t>> seen;
    std::vector<std::int64_t> point(3, 0);
    do {
      std::vector<std::int64_t> value;
      for (const IndexExpr& e : access) value.push_back(*direct_index(e, point, {}));
      seen.push_back(value);
    } while (next_point(point, box));
    std::sort(seen.begin(), seen.end());
    const bool distinct = std::adjacent_find(seen.begin(), seen.end()) == seen.end();
    const bool said = is_injective(access, box);
    EXPECT_TRUE(!said || distinct) << round;
    yes += said;
    truly += distinct;
  }
  EXPECT_GT(yes, truly / 2) << "the test is conservative, but not idle";
}

}  // namespace
}  // namespace cotan::testing
