// verify(): right programs pass, and a pass planted wrong is found and named.
#include "autograd/profile/verify.h"

#include <cotan/cotan.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/builder.h"
#include "graph/passes/pass.h"
#include "graph/rewrite/rules_in_use.h"
#include "training/models.h"

namespace cotan {
namespace {

using ::testing::HasSubstr;

Tensor numbers(const Shape& shape) {
  Tensor x = uniform(shape, {.low = -1});
  evaluate({x});
  return x;
}

// Graphs compiled with a planted fault must not be found again.
class Verify : public ::testing::Test {
 protected:
  void SetUp() override { clear_cache(); }
  void TearDown() override { clear_cache(); }
};

// A pass that takes every tanh for a sine.
Function confuse(const Function& function, PassContext& context) {
  const auto is_tanh = [](const Ref& n) {
    const Ref x = graph::parameter("x", n.dtype(), n.shape());
    return n->kind == Kind::map && n->operand_count == 1 && n->spec == graph::tanh(x)->spec;
  };
  return transform(function, context, [&](const Ref& node, std::span<const Ref> operands) -> std::vector<Ref> {
    if (!is_tanh(node)) return {};
    return {graph::sin(operands[0])};
  });
}

// A pass that changes nothing.
Function idle(const Function& function, PassContext&) { return function; }

TEST_F(Verify, PassesWhatIsRight) {
  const Tensor x = numbers({16, 8}), w = numbers({8, 4});
  const int line = __LINE__ + 1;
  const auto f = [&] { return std::vector<Tensor>{tanh(matmul(x, w)), argmax(x, {.dim = 1})}; };
  const Verification v = verify(f, {});
  EXPECT_TRUE(v.passed);
  EXPECT_EQ(v.culprit, "");
  ASSERT_EQ(v.outputs.size(), 2U);
  EXPECT_EQ(v.outputs[0].type, "f32[16,4]");
  EXPECT_EQ(v.outputs[0].line.text(), fmt::format("verify_test.cpp:{}", line)) << "the user's line, not that of the call of verify()";
  EXPECT_GT(v.outputs[0].largest, 0);
  EXPECT_LT(v.outputs[0].fused.ulp, 32);
  EXPECT_GE(v.outputs[0].fused.ulp, 0);
  EXPECT_EQ(v.outputs[1].fused.absolute, 0);
  EXPECT_THAT(v.text(), HasSubstr("fused equals the reference within the bounds"));
}

TEST_F(Verify, TakesAStepAndRunsItsAssignmentsOnce) {
  const Variable w("w", zeros({3}));
  const Tensor x = numbers({3});
  const Verification v = verify(
      [&] {
        w.assign(w + 1.0);
        return sum(w * x);
      },
      {});
  EXPECT_TRUE(v.passed) << v.text();
  EXPECT_EQ(v.outputs.size(), 2U) << "the sum and the variable's next value";
  EXPECT_EQ(Tensor(w + 0.0).to_vector(), (std::vector<float>{1, 1, 1}));
}

TEST_F(Verify, LooksIntoCompiledFunctions) {
  const Variable w("w", numbers({8, 4}));
  optim::SGD sgd({w}, {.lr = 0.01});
  const auto step = compile([&](const Tensor& a) {
    const Tensor loss = mean(square(tanh(matmul(a, w))));
    loss.backward();
    sgd.step();
    return loss;
  });
  const Tensor x = numbers({16, 8});
  static_cast<void>(step(x));
  const Verification v = verify(step, {x});
  EXPECT_TRUE(v.passed);
  EXPECT_EQ(v.outputs.size(), 2U) << "the loss, and the parameter";
  EXPECT_EQ(w.version(), 2U);
  const auto wrong = compile([](const Tensor& a) { return tanh(a) * 2; });
  const auto plain = [&] { return wrong(x); };
  const ScopedPass broken({"confuse_tanh", "takes tanh for a sine", confuse});
  EXPECT_FALSE(verify(plain, {}).passed);
  EXPECT_EQ(verify(wrong, {x}).culprit, "confuse_tanh");
}

TEST_F(Verify, FindsABrokenPassAndNamesIt) {
  const ScopedPass before({"idle_first", "changes nothing", idle});
  const ScopedPass broken({"confuse_tanh", "takes tanh for a sine", confuse});
  const ScopedPass after({"idle_last", "changes nothing", idle});
  const Tensor x = numbers({32, 4});
  const Verification v = verify([&] { return std::vector<Tensor>{exp(x) * 2.0, tanh(3.0 * x)}; }, {});
  EXPECT_FALSE(v.passed);
  EXPECT_EQ(v.culprit, "confuse_tanh");
  EXPECT_EQ(v.rule, "");
  ASSERT_EQ(v.outputs.size(), 2U);
  EXPECT_TRUE(v.outputs[0].passed);
  EXPECT_FALSE(v.outputs[1].passed);
  EXPECT_GT(v.outputs[1].fused.absolute, 0.01);
  EXPECT_GT(v.outputs[1].unfused.absolute, 0.01) << "the pass is no fusion";
  EXPECT_THAT(v.text(), HasSubstr("first wrong with: confuse_tanh"));
  EXPECT_TRUE(verify([&] { return tanh(3.0 * x); }, {}, {.relative = 10}).passed) << "within a loose bound";
  EXPECT_TRUE(verify([&] { return exp(x); }, {}).passed) << "the pass does nothing here";
}

TEST_F(Verify, FindsABrokenRuleAndNamesIt) {
  namespace language = rewrite::language;
  rewrite::RuleSet rules;
  rewrite::add_exact_rules(rules);
  const rewrite::Pattern x = rewrite::variable("x");
  rules.add(rewrite::RuleClass::exact, "tanh is nothing", language::tanh(x), x);
  rewrite::add_stable_rules(rules);
  const rewrite::ScopedRules planted(rules);
  const Tensor a = numbers({32, 4});
  const Verification v = verify([&] { return exp(tanh(3.0 * a)); }, {});
  EXPECT_FALSE(v.passed);
  EXPECT_EQ(v.culprit, "simplify");
  EXPECT_EQ(v.rule, "tanh is nothing");
  EXPECT_THAT(v.text(), HasSubstr("first wrong with: simplify, rule tanh is nothing"));
  EXPECT_TRUE(verify([&] { return exp(3.0 * a); }, {}).passed) << "the rule does nothing here";
}

TEST_F(Verify, SwitchedOffABrokenPassDoesNoHarm) {
  const ScopedPass broken({"confuse_tanh", "takes tanh for a sine", confuse});
  ExecutionOptions options;
  options.passes = PassSwitches("-confuse_tanh");
  const ExecutionOptions before = set_execution_options(options);
  const Tensor x = numbers({32});
  EXPECT_TRUE(verify([&] { return tanh(3.0 * x); }, {}).passed);
  set_execution_options(before);
}

TEST_F(Verify, HoldsNonFiniteValuesAgainstEachOther) {
  const Tensor x = tensor({-1, 0, 1});
  const Verification v = verify([&] { return log(x); }, {});  // NaN, -inf, 0
  EXPECT_TRUE(v.passed) << v.text();
  EXPECT_EQ(v.outputs[0].fused.absolute, 0);
}

TEST_F(Verify, RefusesBadBounds) {
  try {
    static_cast<void>(verify([] { return zeros({2}); }, {}, {.relative = -1}));
    FAIL() << "accepted";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), HasSubstr("verify: bounds of -1 relative"));
  }
  EXPECT_THROW(static_cast<void>(verify([] {}, {})), Error);
}

}  // namespace
}  // namespace cotan
