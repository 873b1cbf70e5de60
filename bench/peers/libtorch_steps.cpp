// The training steps of training/models.h in libtorch: same shapes, mathematics and optimizers.
//
//     libtorch_steps --serve [--threads N]
//
// Serves compare.py: each line of standard input, "MODEL libtorch SECONDS", is answered by one line of JSON with the median and the least time of a step, its
// processor time, the number of steps, and the peak of memory of one step beside what lives between steps (parameters, inputs, the optimizer's state; no
// gradients). MODEL is a name of training/models.h; with _sgd behind it, plain gradient descent takes the place of its optimizer.
#include <c10/core/CPUAllocator.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <ctime>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using torch::Tensor;

// libtorch's own allocator, counted: bytes that live, and the most that lived since reset_peak(). oneDNN's buffers inside libtorch come from here as well, by
// raw_allocate(), which wants a context that is the address itself; so the size stands in front of the memory. There is one such object.
class CountingAllocator final : public c10::Allocator {
 public:
  static CountingAllocator& instance() {
    static CountingAllocator one;
    return one;
  }

  c10::DataPtr allocate(std::size_t bytes) override {
    auto* start = static_cast<std::byte*>(inner_->raw_allocate(bytes + kFront));
    new (start) std::size_t(bytes);
    const std::size_t live = live_ += bytes;
    std::size_t peak = peak_;
    while (live > peak && !peak_.compare_exchange_weak(peak, live)) {
    }
    return {start + kFront, start + kFront, &release, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { default_copy_data(to, from, bytes); }

  std::size_t live() const { return live_; }
  std::size_t peak() const { return peak_; }
  void reset_peak() { peak_ = live_.load(); }

 private:
  static constexpr std::size_t kFront = 64;  // libtorch's alignment

  static void release(void* memory) {
    if (memory == nullptr) return;
    auto* start = static_cast<std::byte*>(memory) - kFront;
    instance().live_ -= *reinterpret_cast<std::size_t*>(start);
    instance().inner_->raw_deallocate(start);
  }

  c10::Allocator* inner_ = c10::GetDefaultCPUAllocator();
  std::atomic<std::size_t> live_ = 0, peak_ = 0;
};

struct Model {
  std::function<Tensor()> loss;
  std::vector<Tensor> parameters;
  bool adam = false;
  std::shared_ptr<torch::optim::Optimizer> optimizer = nullptr;

  void step() const {
    optimizer->zero_grad();
    loss().backward();
    optimizer->step();
  }
};

Tensor parameter(const Tensor& value) { return value.detach().set_requires_grad(true); }
Tensor weights(torch::IntArrayRef shape, double std = 0) {
  return parameter(torch::randn(shape) * (std > 0 ? std : 1 / std::sqrt(static_cast<double>(shape[0]))));
}
Tensor labels(std::int64_t count) { return torch::randint(10, {count}, torch::kLong); }

struct Linear {
  Tensor w, b;
  Linear(std::int64_t in, std::int64_t out) : w(weights({in, out})), b(parameter(torch::zeros({out}))) {}
  // addmm takes matrices only; of more dimensions, the leading ones are rows.
  Tensor operator()(const Tensor& x) const {
    if (x.dim() == 2) return torch::addmm(b, x, w);
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = w.size(1);
    return torch::addmm(b, x.reshape({-1, w.size(0)}), w).reshape(shape);
  }
};

Model network(const std::vector<std::int64_t>& sizes, std::int64_t batch, bool adam) {
  std::vector<Linear> layers;
  std::vector<Tensor> parameters;
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    layers.emplace_back(sizes[i], sizes[i + 1]);
    parameters.insert(parameters.end(), {layers.back().w, layers.back().b});
  }
  const Tensor x = torch::rand({batch, sizes[0]}), target = labels(batch);
  auto loss = [=] {
    Tensor h = x;
    for (std::size_t i = 0; i < layers.size(); ++i) h = i == 0 ? layers[i](h) : layers[i](torch::relu(h));
    return torch::nn::functional::cross_entropy(h, target);
  };
  return {loss, parameters, adam};
}

Model cnn() {
  const Tensor k1 = weights({32, 1, 5, 5}, 0.1), b1 = parameter(torch::zeros({32})), k2 = weights({64, 32, 5, 5}, 0.03), b2 = parameter(torch::zeros({64}));
  const Linear third(3136, 512), fourth(512, 10);
  const Tensor x = torch::rand({64, 1, 28, 28}), target = labels(64);
  auto loss = [=] {
    Tensor h = torch::max_pool2d(torch::relu(torch::conv2d(x, k1, b1, 1, 2)), 2);
    h = torch::max_pool2d(torch::relu(torch::conv2d(h, k2, b2, 1, 2)), 2);
    return torch::nn::functional::cross_entropy(fourth(torch::relu(third(h.reshape({64, 3136})))), target);
  };
  return {loss, {k1, b1, k2, b2, third.w, third.b, fourth.w, fourth.b}, true};
}

Model transformer() {
  constexpr std::int64_t batch = 8, steps = 128, width = 256, heads = 4, head = width / heads;
  const Tensor g1 = parameter(torch::ones({width})), b1 = parameter(torch::zeros({width}));
  const Tensor g2 = parameter(torch::ones({width})), b2 = parameter(torch::zeros({width}));
  const Linear qkv(width, 3 * width), out(width, width), up(width, 4 * width), down(4 * width, width);
  const Tensor x = torch::randn({batch, steps, width}), y = torch::randn({batch, steps, width});
  auto loss = [=] {
    const Tensor split = qkv(torch::layer_norm(x, {width}, g1, b1)).reshape({batch, steps, 3, heads, head}).permute({2, 0, 3, 1, 4});
    const Tensor scores = torch::matmul(split[0], split[1].transpose(2, 3)) * (1 / std::sqrt(static_cast<double>(head)));
    const Tensor attended = torch::matmul(torch::softmax(scores, -1), split[2]).permute({0, 2, 1, 3}).reshape({batch, steps, width});
    const Tensor h = x + out(attended);
    return torch::mean(torch::square(h + down(torch::gelu(up(torch::layer_norm(h, {width}, g2, b2)))) - y));
  };
  return {loss, {qkv.w, qkv.b, out.w, out.b, up.w, up.b, down.w, down.b, g1, b1, g2, b2}, true};
}

Model elementwise() {
  const Tensor p = weights({1024}, 1), q = weights({1024}, 1), x = torch::randn({1024, 1024}), y = torch::randn({1024, 1024});
  return {[=] { return torch::mean(torch::square(torch::tanh(torch::gelu(x * p + q) * torch::sigmoid(x - q)) - y)); }, {p, q}};
}

Model norm() {
  const Tensor p = weights({1024}, 1), q = weights({1024}, 1), x = torch::randn({1024, 1024}), y = torch::randn({1024, 1024});
  return {[=] { return torch::mean(torch::square(torch::softmax(torch::layer_norm(x, {1024}, p, q), -1) - y)); }, {p, q}};
}

Model make(std::string name) {
  const std::map<std::string, std::function<Model()>> all{
      {"c1",
       [] {
         return network({784, 128, 10}, 64, false);
       }},
      {"c1_1000",
       [] {
         return network({784, 128, 10}, 1000, false);
       }},
      {"mlp",
       [] {
         return network({784, 1024, 1024, 10}, 128, true);
       }},
      {"cnn", cnn},
      {"transformer", transformer},
      {"elementwise", elementwise},
      {"norm", norm},
  };
  const bool sgd = name.ends_with("_sgd");
  if (sgd) name.resize(name.size() - 4);
  const auto found = all.find(name);
  if (found == all.end()) throw std::invalid_argument("libtorch_steps: no model '" + name + "'");
  Model model = found->second();
  if (model.adam && !sgd)
    model.optimizer = std::make_shared<torch::optim::Adam>(model.parameters, torch::optim::AdamOptions(1e-3));
  else
    model.optimizer = std::make_shared<torch::optim::SGD>(model.parameters, torch::optim::SGDOptions(0.01));
  return model;
}

std::string measure(const Model& model, double seconds, CountingAllocator& memory) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); };
  model.step();
  model.optimizer->zero_grad();
  memory.reset_peak();
  const std::size_t before = memory.live();
  model.step();
  const std::size_t peak = memory.peak() - before;

  std::vector<double> times;
  const std::clock_t busy = std::clock();
  const auto begin = Clock::now();
  while (since(begin) < seconds || times.size() < 5) {
    const auto start = Clock::now();
    model.step();
    times.push_back(since(start));
  }
  const double cpu = static_cast<double>(std::clock() - busy) / CLOCKS_PER_SEC / static_cast<double>(times.size());
  std::sort(times.begin(), times.end());
  std::ostringstream out;
  out << "{\"time_us\": " << times[times.size() / 2] * 1e6 << ", \"min_us\": " << times.front() * 1e6 << ", \"cpu_us\": " << cpu * 1e6
      << ", \"steps\": " << times.size() << ", \"peak_bytes\": " << peak << "}";
  return out.str();
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool threads_given = arguments.size() == 3 && arguments[1] == "--threads";
  if (arguments.empty() || arguments[0] != "--serve" || (arguments.size() > 1 && !threads_given)) {
    std::cerr << "usage: libtorch_steps --serve [--threads N]\n";
    return 2;
  }
  try {
    if (threads_given) torch::set_num_threads(std::stoi(arguments[2]));
    torch::manual_seed(0);
    CountingAllocator& memory = CountingAllocator::instance();
    c10::SetCPUAllocator(&memory, 255);
    std::map<std::string, Model> models;
    std::string name, side;
    for (double seconds = 0; std::cin >> name >> side >> seconds;) {
      if (!models.contains(name)) models.emplace(name, make(name));
      std::cout << measure(models.at(name), seconds, memory) << std::endl;
    }
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
