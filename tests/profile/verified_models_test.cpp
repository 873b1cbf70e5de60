// verify() over a training step of each model that examples, benchmarks and profiles share: on few examples, since the reference is slow, and with the whole
// of the parameters.
#include <cotan/cotan.h>
#include <gtest/gtest.h>

#include "autograd/profile/verify.h"
#include "training/models.h"

namespace cotan {
namespace {

class VerifiedModels : public ::testing::TestWithParam<training::ModelEntry> {};

TEST_P(VerifiedModels, HaveNothingThatDiffers) {
  manual_seed(3);
  training::Model model = GetParam().make();
  // The gradient of the keys' bias is 0 but for rounding, which Adam would divide by its own size.
  if (GetParam().name == "transformer") model.optimizer = std::make_shared<optim::SGD>(model.optimizer->parameters(), optim::SGDOptions{.lr = 0.01});
  const std::int64_t examples = GetParam().name == "cnn" || GetParam().name == "transformer" ? 1 : 16;
  training::Inputs few;
  for (const Tensor& x : model.inputs) few.push_back(narrow(x, {.dim = 0, .start = 0, .length = examples}));
  evaluate(few);
  const Verification v = verify([&] { return model.step(few); }, {}, {.relative = 2e-4, .absolute = 2e-6});
  EXPECT_TRUE(v.passed) << v.text();
  EXPECT_GT(v.outputs.size(), 2U) << "the loss and the parameters' next values";
}

INSTANTIATE_TEST_SUITE_P(All, VerifiedModels, ::testing::ValuesIn(training::models().begin(), training::models().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace cotan
