#include "training/models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>

#include "cotan/cotan.h"
#include "ops/error.h"

namespace cotan::training {
namespace {

Variable weights(const std::string& name, const Shape& shape, double std = 0) {
  return {name, normal(shape, {.std = std > 0 ? std : 1 / std::sqrt(static_cast<double>(shape[0]))})};
}
Variable zero(const std::string& name, const Shape& shape) { return {name, zeros(shape)}; }
Variable one(const std::string& name, const Shape& shape) { return {name, ones(shape)}; }

Tensor made(Tensor x) {
  evaluate({x});
  return x;
}
Tensor images(const Shape& shape) { return made(uniform(shape)); }
Tensor labels(std::int64_t count) { return made(randint(0, 10, {count}, {.dtype = i32})); }

struct Linear {
  Variable w, b;
  Linear(const std::string& name, std::int64_t in, std::int64_t out) : w(weights(name + ".w", {in, out})), b(zero(name + ".b", {out})) {}
  Tensor operator()(const Tensor& x) const { return matmul(x, w) + b; }
};

std::shared_ptr<optim::Optimizer> sgd(std::vector<Variable> parameters) {
  return std::make_shared<optim::SGD>(std::move(parameters), optim::SGDOptions{.lr = 0.01});
}
std::shared_ptr<optim::Optimizer> adam(std::vector<Variable> parameters) { return std::make_shared<optim::Adam>(std::move(parameters)); }

std::vector<Variable> parameters_of(std::initializer_list<Linear> layers) {
  std::vector<Variable> all;
  for (const Linear& l : layers) all.insert(all.end(), {l.w, l.b});
  return all;
}

template <std::int64_t batch>
Model c1() {
  const Linear first("first", 784, 128), second("second", 128, 10);
  return {[=](const Inputs& in) { return cross_entropy(second(relu(first(in[0]))), in[1]); },
          {images({batch, 784}), labels(batch)},
          sgd(parameters_of({first, second}))};
}

Model mlp() {
  const Linear first("first", 784, 1024), second("second", 1024, 1024), third("third", 1024, 10);
  return {[=](const Inputs& in) { return cross_entropy(third(relu(second(relu(first(in[0]))))), in[1]); },
          {images({128, 784}), labels(128)},
          adam(parameters_of({first, second, third}))};
}

Model cnn() {
  const Variable k1 = weights("conv1.w", {32, 1, 5, 5}, 0.1), b1 = zero("conv1.b", {32}), k2 = weights("conv2.w", {64, 32, 5, 5}, 0.03),
                 b2 = zero("conv2.b", {64});
  const Linear third("third", 3136, 512), fourth("fourth", 512, 10);
  auto loss = [=](const Inputs& in) {
    Tensor h = max_pool2d(relu(conv2d(in[0], k1, b1, {.padding = 2})), {.kernel_size = 2});
    h = max_pool2d(relu(conv2d(h, k2, b2, {.padding = 2})), {.kernel_size = 2});
    return cross_entropy(fourth(relu(third(reshape(h, {.shape = {-1, 3136}})))), in[1]);
  };
  return {loss, {images({64, 1, 28, 28}), labels(64)}, adam({k1, b1, k2, b2, third.w, third.b, fourth.w, fourth.b})};
}

Model transformer() {
  constexpr std::int64_t steps = 128, width = 256, heads = 4, head = width / heads;
  const Variable g1 = one("norm1.weight", {width}), b1 = zero("norm1.bias", {width}), g2 = one("norm2.weight", {width}), b2 = zero("norm2.bias", {width});
  const Linear qkv("qkv", width, 3 * width), out("out", width, width), up("up", width, 4 * width), down("down", 4 * width, width);
  auto loss = [=](const Inputs& in) {
    const Tensor &x = in[0], &y = in[1];
    const std::int64_t batch = x.shape()[0];
    const Tensor split =
        permute(reshape(qkv(layer_norm(x, g1, b1, {.normalized_shape = {width}})), {.shape = {batch, steps, 3, heads, head}}), {.dims = {2, 0, 3, 1, 4}});
    auto part = [&](std::int64_t i) { return select(split, {.dim = 0, .index = i}); };
    const Tensor scores = matmul(part(0), transpose(part(1), {.dim0 = 2, .dim1 = 3})) * (1 / std::sqrt(static_cast<double>(head)));
    const Tensor attended = reshape(permute(matmul(softmax(scores, {.dim = -1}), part(2)), {.dims = {0, 2, 1, 3}}), {.shape = {batch, steps, width}});
    const Tensor h = x + out(attended);
    return mean(square(h + down(gelu(up(layer_norm(h, g2, b2, {.normalized_shape = {width}})))) - y));
  };
  std::vector<Variable> all = parameters_of({qkv, out, up, down});
  all.insert(all.end(), {g1, b1, g2, b2});
  return {loss, {made(normal({8, steps, width})), made(normal({8, steps, width}))}, adam(std::move(all))};
}

Model elementwise() {
  const Variable p = weights("scale", {1024}, 1), q = weights("shift", {1024}, 1);
  return {[=](const Inputs& in) { return mean(square(tanh(gelu(in[0] * p + q) * sigmoid(in[0] - q)) - in[1])); },
          {made(normal({1024, 1024})), made(normal({1024, 1024}))},
          sgd({p, q})};
}

Model norm() {
  const Variable weight = weights("weight", {1024}, 1), bias = weights("bias", {1024}, 1);
  return {[=](const Inputs& in) { return mean(square(softmax(layer_norm(in[0], weight, bias, {.normalized_shape = {1024}}), {.dim = -1}) - in[1])); },
          {made(normal({1024, 1024})), made(normal({1024, 1024}))},
          sgd({weight, bias})};
}

constexpr std::array entries = {
    ModelEntry{"c1", "784-128-10, cross entropy, batch 64, SGD", c1<64>},
    ModelEntry{"c1_1000", "784-128-10, cross entropy, batch 1000, SGD", c1<1000>},
    ModelEntry{"mlp", "784-1024-1024-10, cross entropy, batch 128, Adam", mlp},
    ModelEntry{"cnn", "two convolutions and two linear layers, batch 64, Adam", cnn},
    ModelEntry{"transformer", "one block of width 256, 8 x 128, Adam", transformer},
    ModelEntry{"elementwise", "a chain of elementwise functions over 1024 x 1024, SGD", elementwise},
    ModelEntry{"norm", "layer norm and softmax over 1024 x 1024, SGD", norm},
};

}  // namespace

Tensor Model::step(const Inputs& in) const {
  const Tensor value = loss(in);
  value.backward();
  optimizer->step();
  return value;
}

std::function<Tensor(const Inputs&)> Model::compiled() const {
  return compile([model = *this](const Inputs& in) { return model.step(in); });
}

std::span<const ModelEntry> models() { return entries; }

const ModelEntry& model(std::string_view name, std::source_location where) {
  const CallSite site("model", where);
  std::vector<std::string_view> names;
  for (const ModelEntry& m : entries) {
    if (m.name == name) return m;
    names.push_back(m.name);
  }
  fail(fmt::format("no model '{}'", name), fmt::format("There are {}", fmt::join(names, ", ")));
}

}  // namespace cotan::training
