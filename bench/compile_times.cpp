// How the time of the first evaluation, which compiles, grows with the size of the program.
//
//     build/release/bench/compile_times [nodes]
//
// Prints for each kind of program the seconds of the first evaluation at a tenth of the size and at the size (about 100,000 recorded nodes unless said otherwise),
// and their ratio: 10 is linear.
#include <cotan/cotan.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

namespace cotan {
namespace {

double seconds_of(const std::function<void()>& run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// l = l * y + x, over and over.
double chain(std::int64_t nodes) {
  const Tensor x = full({64}, 0.5 + 1e-9 * static_cast<double>(nodes)), y = full({64}, 0.25);
  evaluate({x, y});
  Tensor l = x;
  for (std::int64_t i = 0; i < nodes / 2; ++i) l = l * y + x;
  return seconds_of([&] { evaluate({l}); });
}

// A sum of sums, and its gradient.
double terms(std::int64_t nodes) {
  Tensor x = full({64}, 0.5);
  evaluate({x});
  x.requires_grad_();
  Tensor l = sum(x);
  for (std::int64_t i = 0; i < nodes / 8; ++i) l = l + sum(tanh(x * (static_cast<double>(i) + 2.5)));
  const Tensor g = gradients(l, {x})[0];
  return seconds_of([&] { evaluate({l, g}); });
}

// The first step of an optimizer with many parameters.
double parameters(std::int64_t nodes) {
  std::vector<Variable> all;
  for (std::int64_t i = 0; i < nodes / 22; ++i) all.emplace_back("p" + std::to_string(i), ones({16}));
  optim::Adam adam(all, {.lr = 0.1});
  Tensor l = sum(square(all[0]));
  for (std::size_t i = 1; i < all.size(); ++i) l = l + sum(square(all[i]));
  l.backward();
  return seconds_of([&] { adam.step(); });
}

struct Kind {
  const char* name;
  double (*seconds)(std::int64_t nodes);
};
constexpr Kind kinds[] = {{"chain of multiply-adds", chain}, {"sum of sums, with its gradient", terms}, {"Adam with many parameters", parameters}};

}  // namespace
}  // namespace cotan

int main(int argc, char** argv) {
  const std::int64_t nodes = argc > 1 ? std::atoll(argv[1]) : 100'000;
  if (nodes < 1000) {
    fmt::print(stderr, "compile_times: {} nodes; from 1000 on\n", nodes);
    return 2;
  }
  for (const auto& kind : cotan::kinds) {
    const double few = kind.seconds(nodes / 10), many = kind.seconds(nodes);
    fmt::print("{:32} {:8} nodes {:7.3f} s, {:8} nodes {:7.3f} s, ratio {:.1f}\n", kind.name, nodes / 10, few, nodes, many, many / few);
  }
}
