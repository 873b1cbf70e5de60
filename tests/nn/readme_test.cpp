// The model of the README, as it stands there.
#include <cotan/cotan.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

using namespace cotan;

namespace {

// clang-format off
// README
struct Net : nn::Layer {
  nn::Conv2d conv = register_module("conv", nn::Conv2d(1, 8, {.kernel_size = 3, .padding = 1}));
  nn::BatchNorm2d norm = register_module("norm", nn::BatchNorm2d(8));
  nn::Linear out = register_module("out", nn::Linear(8 * 14 * 14, 10));

  Tensor forward(const Tensor& x) const override {
    const Tensor y = max_pool2d(relu(norm(conv(x))), {.kernel_size = 2});
    return out(flatten(y, {.start_dim = 1}));
  }
};

void train(const Net& net, const Tensor& images, const Tensor& labels) {
  optim::Adam adam(net.parameters(), {.lr = 1e-3});
  for (int step = 0; step < 100; ++step) {
    cross_entropy(net(images), labels).backward();
    adam.step();
  }
  net.eval();  // batch norm uses its running statistics from here on
}
// end
// clang-format on

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Readme, ShowsTheModelThatIsCompiledHere) {
  const std::string source = content_of(COTAN_SOURCE_DIR "/tests/nn/readme_test.cpp"), begin = "// README\n", end = "// end\n";
  const std::size_t from = source.find(begin) + begin.size();
  const std::string model = source.substr(from, source.find(end) - from);
  EXPECT_NE(content_of(COTAN_SOURCE_DIR "/README.md").find("```cpp\n" + model + "```\n"), std::string::npos);
}

TEST(Readme, ItsModelLearns) {
  manual_seed(1);
  const Net net;
  const Tensor images = normal({4, 1, 28, 28}), labels = arange(4);
  evaluate({images, labels});
  const double before = cross_entropy(net(images), labels).item();
  train(net, images, labels);
  EXPECT_LT(cross_entropy(net(images), labels).item(), 0.5 * before);
}

}  // namespace
