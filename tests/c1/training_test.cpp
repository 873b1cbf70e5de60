// The digit reader trains as it does in float64, and as it does in PyTorch.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>

#include "tests/c1/digit_reader.h"

namespace cotan {
namespace {

using testing::Batch;
using testing::batch_of;
using testing::batch_size;
using testing::Net;
using testing::Weights;

const training::Mnist& data() {
  static const training::Mnist mnist = training::load_mnist();
  return mnist;
}

// tests/golden/c1.bin, which make_c1.py describes.
struct Golden {
  Weights weights;
  std::vector<double> losses;
  double validation = 0;
  std::int32_t right = 0;

  Golden() {
    std::ifstream in(COTAN_SOURCE_DIR "/tests/golden/c1.bin", std::ios::binary);
    const std::vector<char> bytes((std::istreambuf_iterator<char>(in)), {});
    std::size_t at = 8;
    auto take = [&](void* to, std::size_t size) {
      if (at + size > bytes.size()) throw std::runtime_error("tests/golden/c1.bin is missing or short");
      std::memcpy(to, bytes.data() + at, size);
      at += size;
    };
    std::int32_t steps = 0;
    take(&steps, sizeof steps);
    weights.w1.resize(static_cast<std::size_t>(testing::pixels * testing::hidden));
    weights.w2.resize(static_cast<std::size_t>(testing::hidden * testing::classes));
    losses.resize(static_cast<std::size_t>(steps));
    take(weights.w1.data(), weights.w1.size() * sizeof(float));
    take(weights.w2.data(), weights.w2.size() * sizeof(float));
    take(losses.data(), losses.size() * sizeof(double));
    take(&validation, sizeof validation);
    take(&right, sizeof right);
  }
};

const Golden& golden() {
  static const Golden stored;
  return stored;
}

class C1 : public ::testing::Test {
 protected:
  void TearDown() override { set_execution_options({}); }
};

TEST_F(C1, TwentyStepsEqualTheReferenceInFloat64) {
  constexpr std::int64_t size = 100;  // the reference is slow
  std::vector<double> losses[2];
  for (const bool reference : {false, true}) {
    set_execution_options({.mode = reference ? ExecutionMode::reference : ExecutionMode::compiled});
    const DType dtype = reference ? f64 : f32;
    const Net net(golden().weights, dtype);
    optim::SGD sgd(net.parameters(), {.lr = 0.1});
    for (std::int64_t i = 0; i < 20; ++i) losses[reference ? 1 : 0].push_back(testing::step(net, sgd, batch_of(data().train, i * size, size, dtype)));
  }
  for (std::size_t i = 0; i < 20; ++i) EXPECT_NEAR(losses[0][i], losses[1][i], 1e-4) << "step " << i;
  EXPECT_LT(losses[1][19], losses[1][0]);
}

// One epoch in either floating type against PyTorch's float64.
void expect_an_epoch_like_pytorch(DType dtype, double tolerance) {
  const Net net(golden().weights, dtype);
  optim::SGD sgd(net.parameters(), {.lr = 0.1});
  ASSERT_EQ(golden().losses.size(), 55U);
  for (std::size_t i = 0; i < 55; ++i) {
    const Batch batch = batch_of(data().train, static_cast<std::int64_t>(i) * batch_size, batch_size, dtype);
    EXPECT_NEAR(testing::step(net, sgd, batch), golden().losses[i], tolerance) << "step " << i;
  }
  const NoGrad no_grad;
  const Tensor validation = cast(net.loss(batch_of(data().train, testing::train_size, 5000, dtype)), f64);
  EXPECT_NEAR(validation.item<double>(), golden().validation, tolerance);
  EXPECT_NEAR(net.right_of(batch_of(data().test, 0, 10000, dtype)), golden().right, dtype == f64 ? 0 : 2);
}

TEST_F(C1, AnEpochEqualsPyTorch) { expect_an_epoch_like_pytorch(f32, 1e-4); }
TEST_F(C1, AnEpochInFloat64EqualsPyTorchCloser) { expect_an_epoch_like_pytorch(f64, 1e-9); }

TEST_F(C1, FiveEpochsReachTheFigures) {
  const Net net(golden().weights);
  optim::SGD sgd(net.parameters(), {.lr = 0.1});
  std::vector<Batch> batches;
  for (std::int64_t first = 0; first < testing::train_size; first += batch_size) batches.push_back(batch_of(data().train, first, batch_size));
  std::int64_t compiled = 0;
  for (int epoch = 0; epoch < 5; ++epoch)
    for (const Batch& batch : batches) {
      net.loss(batch).backward();
      const EvaluationReport report = sgd.step();
      compiled += report.cache_hit ? 0 : 1;
      ASSERT_TRUE(report.held.empty());
      ASSERT_TRUE(report.computed_again.empty());
    }
  EXPECT_LE(compiled, 1);
  const NoGrad no_grad;
  EXPECT_NEAR(net.loss(batches.back()).item(), 0.41313, 0.02);
  EXPECT_NEAR(net.loss(batch_of(data().train, testing::train_size, 5000)).item(), 0.34332, 0.02);
  EXPECT_NEAR(static_cast<double>(net.right_of(batch_of(data().test, 0, 10000))) / 10000, 0.8908, 0.005);
}

}  // namespace
}  // namespace cotan
