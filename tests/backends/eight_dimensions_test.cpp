// Tensors of eight dimensions, the most there are: rows that need one more index inside need no ninth dimension. Every case with dimensions put in front of
// those it has is computed, values and gradients, or refused while it is recorded.
#include <gtest/gtest.h>

#include "graph/composites/composites.h"
#include "graph/threads.h"
#include "ops/error.h"
#include "tests/support/program_checks.h"
#include "tests/support/row_cases.h"

namespace cotan::testing {
namespace {

// Leading dimensions of alternating sizes, so many that the operand of the highest rank has eight.
std::vector<rows::CaseOperand> raised(std::vector<rows::CaseOperand> operands) {
  std::size_t most = 0;
  for (const rows::CaseOperand& o : operands) most = std::max(most, o.shape.rank());
  for (rows::CaseOperand& o : operands) {
    if (o.shape.rank() == 0) continue;
    for (std::size_t added = Shape::max_rank - most; added-- > 0;) o.shape.insert(0, added % 2 == 0 ? 2 : 1);
  }
  return operands;
}

Function recorded(const std::vector<rows::CaseOperand>& types, const std::function<std::vector<Ref>(std::span<const Ref>)>& record, Inputs& inputs,
                  Random& random) {
  std::vector<Ref> operands;
  for (std::size_t k = 0; k < types.size(); ++k) operands.push_back(inputs.add_random(fmt::format("x{}", k), types[k], random, f32));
  return with_gradients(inputs, record(operands), random);
}

void expect_computed(const Function& f, const Inputs& inputs) {
  EXPECT_TRUE(none(compare_three(f, rounded(inputs.arrays()), {1e-4, 1e-4}, 2)));
}

class EightDimensions : public ::testing::TestWithParam<RowTestCase> {};

TEST_P(EightDimensions, AreComputedOrRefused) {
  const RowTestCase& c = GetParam();
  Random random(c.name(), 12);
  Inputs inputs;
  Function f;
  try {
    f = recorded(raised(c.operands), c.record, inputs, random);
    static_cast<void>(reference::evaluate(f, rounded(inputs.arrays())));  // positions may be out of range of the dimension that is first now
  } catch (const Error& e) {
    EXPECT_FALSE(e.remedy().empty()) << e.what();
    return;
  }
  expect_computed(f, inputs);
}

INSTANTIATE_TEST_SUITE_P(All, EightDimensions, ::testing::ValuesIn(row_test_cases()), case_name);

using Record = std::function<std::vector<Ref>(std::span<const Ref>)>;
struct Reduction8 {
  const char* name;
  Record record;
};
void PrintTo(const Reduction8& r, std::ostream* os) { *os << r.name; }

// None of these may be refused.
class ReductionsOfEightDimensions : public ::testing::TestWithParam<Reduction8> {};

TEST_P(ReductionsOfEightDimensions, AreComputed) {
  for (const Shape& shape : {Shape{2, 3, 1, 2, 2, 1, 2, 3}, Shape{128, 1, 2, 2, 1, 1, 2, 3}}) {
    Random random(GetParam().name, 13);
    Inputs inputs;
    expect_computed(recorded({rows::values(shape)}, GetParam().record, inputs, random), inputs);
  }
}

#define COTAN_REDUCTION(text, ...) \
  Reduction8 { text, [](std::span<const Ref> in) -> std::vector<Ref> { return __VA_ARGS__; } }
INSTANTIATE_TEST_SUITE_P(
    All, ReductionsOfEightDimensions,
    ::testing::Values(
        COTAN_REDUCTION("argmax", {graph::argmax(in[0], {.dim = 3})}), COTAN_REDUCTION("argmax_keepdim", {graph::argmax(in[0], {.dim = -1, .keepdim = true})}),
        COTAN_REDUCTION("argmin_keepdim", {graph::argmin(in[0], {.dim = 0, .keepdim = true})}),
        COTAN_REDUCTION("max_with_indices", graph::max_with_indices_results(in, {.dim = 1, .keepdim = true})),
        COTAN_REDUCTION("min_with_indices", graph::min_with_indices_results(in, {.dim = 0, .keepdim = true})),
        COTAN_REDUCTION("max_keepdim", {graph::max(in[0], {.dim = -1, .keepdim = true})}),
        COTAN_REDUCTION("amax_keepdim", {graph::amax(in[0], {.dim = {0, 7}, .keepdim = true})}),
        COTAN_REDUCTION("sum_keepdim", {graph::sum(in[0], {.dim = 0, .keepdim = true})}),
        COTAN_REDUCTION("var_keepdim", {graph::var(in[0], {.dim = {0, 3}, .keepdim = true})}),
        COTAN_REDUCTION("softmax", {graph::softmax(in[0], {.dim = -1})}), COTAN_REDUCTION("softmax_first", {graph::softmax(in[0], {.dim = 0})}),
        COTAN_REDUCTION("softmax_middle", {graph::softmax(in[0], {.dim = 3})}), COTAN_REDUCTION("log_softmax", {graph::log_softmax(in[0], {.dim = 4})}),
        COTAN_REDUCTION("layer_norm", {graph::layer_norm(in[0], {}, {}, {.normalized_shape = {2, 3}})}),
        COTAN_REDUCTION("cumsum", {graph::cumsum(in[0], {.dim = 7})}), COTAN_REDUCTION("prod", {graph::prod(in[0], {.dim = 0, .keepdim = true})}),
        COTAN_REDUCTION("logsumexp", {graph::logsumexp(in[0], {.dim = 0, .keepdim = true})}),
        COTAN_REDUCTION("norm", {graph::norm(in[0], {.dim = 7, .keepdim = true})}),
        COTAN_REDUCTION("batch_norm", {graph::batch_norm_training(in[0], {}, {}).y}),
        COTAN_REDUCTION("group_norm", {graph::group_norm(in[0], {}, {}, {})})),
    [](const auto& info) { return info.param.name; });
#undef COTAN_REDUCTION

}  // namespace
}  // namespace cotan::testing
