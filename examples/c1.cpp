// A net with one hidden layer learns to read digits: 784 -> 128 relu -> 10, plain gradient descent, no gradient written by hand.
//
//     c1 [epochs]
//
// The first 55,000 training images train, the last 5,000 validate; batches are consecutive slices of 1,000. Prints after each epoch the loss on the last
// batch, the loss on the validation images and the accuracy on the 10,000 test images.
#include <cotan/cotan.h>
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string_view>

using namespace cotan;

namespace {

constexpr std::int64_t train_size = 55000, validation_size = 5000, batch_size = 1000;

struct Net {
  Variable w1{"w1", normal({784, 128}, {.std = 0.01})}, b1{"b1", zeros({128})};
  Variable w2{"w2", normal({128, 10}, {.std = 0.01})}, b2{"b2", zeros({10})};

  Tensor logits(const Tensor& x) const { return matmul(relu(matmul(x, w1) + b1), w2) + b2; }
  Tensor loss(const Tensor& x, const Tensor& target) const { return cross_entropy(logits(x), target); }
};

struct Batch {
  Tensor images, labels;
};

Batch batch_of(const training::MnistSplit& split, std::int64_t first, std::int64_t size) {
  return {tensor(split.pixels(first, size), {size, split.rows * split.cols}), tensor(split.classes(first, size), {size})};
}

std::int64_t right_of(const Net& net, const Batch& batch) {
  const NoGrad no_grad;
  return sum(cast(argmax(net.logits(batch.images), {.dim = 1}) == batch.labels, i32)).item<std::int32_t>();
}

int run(int epochs) {
  const auto start = std::chrono::steady_clock::now();
  const training::Mnist data = training::load_mnist();
  std::vector<Batch> batches;
  for (std::int64_t first = 0; first < train_size; first += batch_size) batches.push_back(batch_of(data.train, first, batch_size));
  const Batch validation = batch_of(data.train, train_size, validation_size), test = batch_of(data.test, 0, data.test.count);

  manual_seed(1);
  Net net;
  optim::SGD sgd({net.w1, net.b1, net.w2, net.b2}, {.lr = 0.1});
  {
    const Tensor loss = net.loss(batches[0].images, batches[0].labels);
    std::vector<Tensor> all = gradients(loss, {net.w1, net.b1, net.w2, net.b2});
    all.push_back(loss);
    fmt::print("recorded graph: {} nodes, with the generated gradient: {} nodes\n\n", graph_size({loss}), graph_size(all));
  }
  fmt::print("epoch  train loss  validation loss  test accuracy\n");
  std::int64_t right = 0;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (const Batch& batch : batches) {
      net.loss(batch.images, batch.labels).backward();
      sgd.step();
    }
    const NoGrad no_grad;
    const float train = net.loss(batches.back().images, batches.back().labels).item(), held_out = net.loss(validation.images, validation.labels).item();
    right = right_of(net, test);
    fmt::print("{:5}  {:10.5f}  {:15.5f}  {:13.5f}\n", epoch, train, held_out, static_cast<double>(right) / static_cast<double>(data.test.count));
    std::fflush(stdout);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print("\ntotal time {:.1f} s\n", seconds);
  fmt::print("test accuracy {:.5f}, {} wrong of {}\n", static_cast<double>(right) / static_cast<double>(data.test.count), data.test.count - right,
             data.test.count);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  int epochs = 50;
  if (argc > 1) {
    const std::string_view text = argv[1];
    const auto [end, error] = std::from_chars(text.begin(), text.end(), epochs);
    if (argc > 2 || error != std::errc() || end != text.end() || epochs < 1) {
      fmt::print(stderr, "usage: c1 [epochs], a whole number from 1 on\n");
      return 2;
    }
  }
  try {
    return run(epochs);
  } catch (const Error& e) {
    fmt::print(stderr, "{}\n", e.what());
    return 1;
  }
}
