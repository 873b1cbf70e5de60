// Tensors without elements: each case of each row with each dimension emptied gives what PyTorch gives, or is refused as PyTorch refuses it. Values and
// gradients, on the reference and compiled, with fusions and without.
#include <gtest/gtest.h>

#include <algorithm>

#include "autograd/differentiate.h"
#include "graph/threads.h"
#include "ops/error.h"
#include "tests/golden/golden_cases.h"
#include "tests/golden/stored.h"
#include "tests/support/close.h"
#include "tests/support/run_compiled.h"

namespace cotan::testing {
namespace {

using nlohmann::json;

// What is refused here, by parts of the errors: what PyTorch makes NaN of, windows of no entries, and what no row of PyTorch is asked.
constexpr std::string_view refused_here[] = {
    "mean over no", "one value for each", "has no elements", "entries with a correction", "of no classes", "a kernel of 0 entries", "an input of shape",
    // sizes that PyTorch, or its expression, broadcasts or does not look at
    "an index of shape", "for a result of shape", "a running_mean of shape", "a running_var of shape", "a weight of shape", "the index",
};
// What only PyTorch refuses, by parts of its errors: no channels or features, cuts of what is empty, gradients of its scatter_add.
constexpr std::string_view refused_there[] = {
    "expected weight to be at least",
    "optional 0 dim batch size",
    "possibly 0 batch size",
    "on-empty",
    "to have non-zero size",
    "invalid gradient at index 1",
    "length must be non-negative",
    "index 0 out of range for tensor of size [0]",
    "cannot reshape tensor of 0 elements",
    "to be greater than 0",
    "Calculated padded input size",
    "should be greater than zero",
};

// Convolutions of no input channels are sums of nothing, of the shape that the weight says; PyTorch gives them no output channels either.
constexpr std::string_view other_shapes[] = {"convolution1d_5_2", "convolution1d_6_3", "convolution2d_5_3", "einsum_15_3"};

bool names_one_of(std::string_view text, std::span<const std::string_view> parts) {
  return std::ranges::any_of(parts, [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

class EmptyCases : public ::testing::TestWithParam<EmptyCase> {
 protected:
  static void compare(std::string_view what, std::span<const reference::Array> got, const json& values, const json& gradients, double tolerance) {
    ASSERT_EQ(got.size(), values.size() + gradients.size()) << what;
    for (std::size_t i = 0; i < got.size(); ++i) {
      const json& list = i < values.size() ? values[i] : gradients[i - values.size()];
      EXPECT_EQ(list.at("shape").get<std::vector<std::int64_t>>(), std::vector<std::int64_t>(got[i].shape.begin(), got[i].shape.end())) << what << " " << i;
      EXPECT_TRUE(none(differences(fmt::format("{} {}", what, i), got[i].values, numbers(list.at("values")), tolerance)));
    }
  }
};

TEST_P(EmptyCases, AreWhatPyTorchMakesOfThem) {
  const EmptyCase& c = GetParam();
  const auto found = stored().find("empty/" + c.name);
  ASSERT_NE(found, stored().end()) << "store it with make_golden.py";
  ASSERT_EQ(found->second.at("fingerprint"), fingerprint(described(c))) << "the stored numbers are of another version of the case: make_golden.py stores them";
  const json& n = found->second.at("numbers");
  for (const DType dtype : {f64, f32}) {
    Inputs inputs;
    const std::vector<Ref> operands = add_operands(c, inputs, dtype);
    Function f;
    f.parameters = inputs.parameters();
    try {
      f.results = c.row.record(operands);
    } catch (const Error& e) {
      EXPECT_EQ(e.function(), c.row.row) << e.what();
      EXPECT_FALSE(e.remedy().empty()) << e.what();
      EXPECT_TRUE(n.contains("refused") || names_one_of(e.problem(), refused_here)) << "PyTorch does not refuse it: " << e.what();
      continue;
    }
    if (n.contains("refused")) {
      EXPECT_TRUE(names_one_of(n.at("refused").get<std::string>(), refused_there) || c.row.row == "einsum") << "PyTorch refuses it: " << n.at("refused");
    }
    std::vector<Ref> outputs, seeds;
    for (const Ref& r : f.results) {
      if (!is_floating(r.dtype())) continue;
      outputs.push_back(r);
      seeds.push_back(graph::fill(1, dtype, r.shape()));
    }
    const std::vector<Ref> wrt = inputs.floating();
    if (!outputs.empty()) {
      const std::vector<Ref> gradients = vjp(outputs, seeds, wrt);
      for (std::size_t i = 0; i < wrt.size(); ++i) f.results.push_back(gradients[i] ? gradients[i] : graph::fill(0, dtype, wrt[i].shape()));
    }
    const json none_stored = json::array();
    const json& gradients = n.contains("gradients") ? n.at("gradients") : none_stored;
    const auto check = [&](std::string_view what, const std::vector<reference::Array>& got) {
      if (!n.contains("values") || std::ranges::find(other_shapes, c.name) != std::end(other_shapes)) return;
      compare(what, got, n.at("values"), gradients, dtype == f64 ? stored_tolerance : 1e-5);
    };
    std::vector<reference::Array> in = inputs.arrays();
    for (reference::Array& a : in)
      for (double& v : a.values) v = round_to(a.dtype, v);
    check("reference", reference::evaluate(f, in, {.exact = true}));
    CompileOptions options;
    options.threads = 2;
    check("fused", run_compiled(f, in, options));
    options.passes = without_fusion();
    check("unfused", run_compiled(f, in, options));
  }
}

INSTANTIATE_TEST_SUITE_P(All, EmptyCases, ::testing::ValuesIn(empty_cases()), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cotan::testing
