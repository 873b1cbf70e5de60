// Values, gradients and Hessian-vector products of every case against the numbers that PyTorch computed in float64 (make_golden.py stores them).
#include <gtest/gtest.h>

#include <set>

#include "autograd/differentiate.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/stored.h"
#include "tests/support/close.h"

namespace cotan::testing {
namespace {

using nlohmann::json;

constexpr std::string_view remedy =
    "store them with: tests/golden/make_golden.py BUILD/tests/cotan_golden_tests (a Python with PyTorch: pip install torch numpy)";

// Where PyTorch's derivatives, from an order on, are others on purpose.
struct OtherConvention {
  std::string_view row, reason;
  int order = 1;
};
// Ties, zeros and kinks among the points follow PyTorch otherwise.
const std::vector<OtherConvention> other_conventions = {
    {"pow", "by the exponent at 0, the derivative of x^(y - 1) * y is 0 in PyTorch and 1 / x here, as in the other order of differentiation", 2}};

bool compares_gradients(const GoldenCase& c, int order) {
  return std::none_of(other_conventions.begin(), other_conventions.end(), [&](const OtherConvention& o) { return o.row == c.row && o.order <= order; });
}

class Golden : public ::testing::TestWithParam<std::size_t> {
 public:
  static const std::vector<GoldenCase>& cases() {
    static const auto* all = new std::vector<GoldenCase>(golden_cases());
    return *all;
  }

 protected:
  const GoldenCase& c() const { return cases()[GetParam()]; }
  // Null where the row has no stored numbers, which fails the test; an empty object where PyTorch has no such function.
  json numbers_of_pytorch() const {
    const auto found = stored().find(fmt::format("{}/{}", c().table, c().name));
    if (found == stored().end()) {
      ADD_FAILURE() << "no stored numbers for " << c().table << " " << c().name << "; " << remedy;
      return nullptr;
    }
    if (found->second.at("fingerprint") != fingerprint(described(c()))) {
      ADD_FAILURE() << "the stored numbers for " << c().table << " " << c().name << " are of another version of the case; " << remedy;
      return nullptr;
    }
    return found->second.at("numbers");
  }
  // For each floating operand, the sum over results of its gradient.
  std::vector<Ref> gradients_of_case() const {
    const std::vector<Ref> wrt = operands_with_gradients();
    std::vector<Ref> outputs, seeds;
    for (std::size_t i = 0; i < c().results.size(); ++i) {
      if (!c().cotangents[i]) continue;
      outputs.push_back(c().results[i]);
      seeds.push_back(c().cotangents[i]);
    }
    return zeros_for_empty(vjp(outputs, seeds, wrt), wrt);
  }
  std::vector<Ref> operands_with_gradients() const {
    std::vector<Ref> all;
    for (const Ref& r : c().operands)
      if (r && is_floating(r.dtype())) all.push_back(r);
    return all;
  }
  static std::vector<Ref> zeros_for_empty(std::vector<Ref> refs, const std::vector<Ref>& like) {
    for (std::size_t i = 0; i < refs.size(); ++i)
      if (!refs[i]) refs[i] = graph::fill(0, like[i].dtype(), like[i].shape());
    return refs;
  }
  void compare(std::string_view what, std::span<const Ref> refs, const json& lists) const {
    ASSERT_EQ(refs.size(), lists.size()) << what;
    const auto got = c().inputs.run(refs);
    for (std::size_t i = 0; i < refs.size(); ++i) {
      const json& list = lists[i];
      EXPECT_EQ(list.at("shape").get<std::vector<std::int64_t>>(), std::vector<std::int64_t>(refs[i].shape().begin(), refs[i].shape().end()))
          << what << " " << i;
      EXPECT_TRUE(none(differences(fmt::format("{} {}", what, i), got[i].values, numbers(list.at("values")), stored_tolerance)));
    }
  }
};

TEST_P(Golden, ValueEqualsPyTorch) {
  const json n = numbers_of_pytorch();
  if (n.is_object() && n.contains("values")) compare("result", c().results, n.at("values"));
}

TEST_P(Golden, GradientEqualsPyTorch) {
  const json n = numbers_of_pytorch();
  if (n.is_object() && n.contains("gradients") && compares_gradients(c(), 1)) compare("gradient", gradients_of_case(), n.at("gradients"));
}

// The derivative of <gradients, tangents> by each operand.
TEST_P(Golden, HessianVectorProductEqualsPyTorch) {
  const json n = numbers_of_pytorch();
  if (!n.is_object() || !n.contains("hessian_products") || !compares_gradients(c(), 2)) return;
  const std::vector<Ref> wrt = operands_with_gradients();
  const std::vector<Ref> products = zeros_for_empty(vjp(gradients_of_case(), c().tangents, wrt), wrt);
  compare("Hessian product", products, n.at("hessian_products"));
}

INSTANTIATE_TEST_SUITE_P(All, Golden, ::testing::Range(std::size_t{0}, Golden::cases().size()),
                         [](const auto& info) { return fmt::format("{}_{}", Golden::cases()[info.param].table, Golden::cases()[info.param].name); });

// Every stored case is one of today's: what nobody reads any more goes.
TEST(GoldenFiles, HoldNothingElse) {
  std::set<std::string> known;
  for (const GoldenCase& c : Golden::cases()) known.insert(fmt::format("{}/{}", c.table, c.name));
  for (const EmptyCase& c : empty_cases()) known.insert(fmt::format("empty/{}", c.name));
  for (const auto& [name, j] : stored()) EXPECT_TRUE(known.contains(name)) << name << "; " << remedy;
}

// Only elementwise rows may lack a function of PyTorch; most have one.
TEST(GoldenFiles, AreMostlyThere) {
  std::size_t missing = 0;
  for (const auto& [name, j] : stored()) {
    if (!j.at("numbers").empty()) continue;
    ++missing;
    EXPECT_EQ(name.substr(0, 12), "elementwise/") << name << " has an oracle, and no numbers";
  }
  EXPECT_LT(missing * 4, elementwise_rows().size());
}

// The comparison itself: one wrong digit, a NaN, a missing number and a wrong sign of infinity are noticed.
TEST(GoldenComparison, NoticesOneWrongNumber) {
  const std::vector<double> right = numbers(json::parse(R"([1.5, -2.25, 1e3, 0, "inf", "nan"])"));
  EXPECT_TRUE(none(differences("same", right, right, stored_tolerance)));
  for (std::size_t i = 0; i < right.size(); ++i) {
    std::vector<double> wrong = right;
    wrong[i] = std::isfinite(wrong[i]) ? wrong[i] + 1e-5 : -wrong[i] * 0;
    if (i == 4) wrong[i] = -right[i];
    if (i == 5) wrong[i] = 0;
    EXPECT_TRUE(caught(differences("wrong", wrong, right, stored_tolerance))) << i;
  }
  EXPECT_TRUE(caught(differences("short", std::span(right).first(5), right, stored_tolerance)));
}

}  // namespace
}  // namespace cotan::testing
