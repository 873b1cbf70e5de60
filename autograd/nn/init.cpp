#include "autograd/nn/init.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/error.h"

namespace cotan::nn::init {
namespace {

struct Fans {
  double in, out;
};

Fans fans_of(const Variable& variable) {
  const Shape& shape = variable.shape();
  if (shape.rank() < 2)
    fail(fmt::format("variable '{}' of shape {}, which has no inputs and outputs", variable.name(), shape.text()),
         "Give a weight of two or more dimensions, (outputs, inputs, ...); for others use uniform_ or normal_");
  double window = 1;
  for (std::size_t i = 2; i < shape.rank(); ++i) window *= static_cast<double>(shape[i]);
  return {static_cast<double>(shape[1]) * window, static_cast<double>(shape[0]) * window};
}

// The standard deviation by He; 0 for a variable without elements.
double kaiming_std(const Variable& variable, const KaimingOptions& o) {
  const Fans fans = fans_of(variable);
  const double fan = o.mode == FanMode::fan_in ? fans.in : fans.out;
  return fan > 0 ? calculate_gain(o.nonlinearity, o.a) / std::sqrt(fan) : 0;
}

double xavier_std(const Variable& variable, double gain) {
  const Fans fans = fans_of(variable);
  return fans.in + fans.out > 0 ? gain * std::sqrt(2 / (fans.in + fans.out)) : 0;
}

void draw_uniform(const Variable& variable, double low, double high, const Generator& generator) {
  if (low == high)
    variable.assign(full(variable.shape(), low, variable.dtype()));
  else
    variable.assign(uniform(variable.shape(), {.low = low, .high = high, .dtype = variable.dtype()}, generator));
}

void draw_normal(const Variable& variable, double mean, double std, const Generator& generator) {
  variable.assign(normal(variable.shape(), {.mean = mean, .std = std, .dtype = variable.dtype()}, generator));
}

}  // namespace

double calculate_gain(const std::string& nonlinearity, double param, std::source_location where) {
  const CallSite site("calculate_gain", where);
  if (nonlinearity == "linear" || nonlinearity == "conv1d" || nonlinearity == "conv2d" || nonlinearity == "sigmoid") return 1;
  if (nonlinearity == "tanh") return 5.0 / 3;
  if (nonlinearity == "relu") return std::sqrt(2.0);
  if (nonlinearity == "leaky_relu") return std::sqrt(2 / (1 + param * param));
  if (nonlinearity == "selu") return 0.75;
  fail(fmt::format("no gain is known for the nonlinearity '{}'", nonlinearity), "Known are linear, conv1d, conv2d, sigmoid, tanh, relu, leaky_relu and selu");
}

void zeros_(const Variable& variable, std::source_location where) {
  const CallSite site("zeros_", where);
  variable.assign(0);
}

void ones_(const Variable& variable, std::source_location where) {
  const CallSite site("ones_", where);
  variable.assign(1);
}

void constant_(const Variable& variable, double value, std::source_location where) {
  const CallSite site("constant_", where);
  variable.assign(value);
}

void uniform_(const Variable& variable, double low, double high, const Generator& generator, std::source_location where) {
  const CallSite site("uniform_", where);
  draw_uniform(variable, low, high, generator);
}

void normal_(const Variable& variable, double mean, double std, const Generator& generator, std::source_location where) {
  const CallSite site("normal_", where);
  draw_normal(variable, mean, std, generator);
}

void xavier_uniform_(const Variable& variable, double gain, const Generator& generator, std::source_location where) {
  const CallSite site("xavier_uniform_", where);
  const double bound = std::sqrt(3.0) * xavier_std(variable, gain);
  draw_uniform(variable, -bound, bound, generator);
}

void xavier_normal_(const Variable& variable, double gain, const Generator& generator, std::source_location where) {
  const CallSite site("xavier_normal_", where);
  draw_normal(variable, 0, xavier_std(variable, gain), generator);
}

void kaiming_uniform_(const Variable& variable, const KaimingOptions& options, const Generator& generator, std::source_location where) {
  const CallSite site("kaiming_uniform_", where);
  const double bound = std::sqrt(3.0) * kaiming_std(variable, options);
  draw_uniform(variable, -bound, bound, generator);
}

void kaiming_normal_(const Variable& variable, const KaimingOptions& options, const Generator& generator, std::source_location where) {
  const CallSite site("kaiming_normal_", where);
  draw_normal(variable, 0, kaiming_std(variable, options), generator);
}

}  // namespace cotan::nn::init
