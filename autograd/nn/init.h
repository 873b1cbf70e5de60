// Initial values for parameters, under PyTorch's names (torch.nn.init).
//
//     nn::init::kaiming_normal_(conv.weight, {.mode = nn::init::FanMode::fan_out, .nonlinearity = "relu"});
//
// Each records the variable's next value with assign(): reading the variable gives it at once, the next evaluation stores it. Random ones draw from the given
// generator. A weight of shape (outputs, inputs, spatial...) has fan_in = inputs * spatial and fan_out = outputs * spatial.
#pragma once

#include <cstdint>
#include <string>

#include "autograd/random.h"
#include "autograd/variable.h"

namespace cotan::nn::init {

// Which of its two fans a He initialiser keeps the variance for.
enum class FanMode : std::uint8_t {
  fan_in,   // of activations, forwards
  fan_out,  // of gradients, backwards
};

// Options of the He initialisers.
struct KaimingOptions {
  double a = 0;                             // the negative slope, for leaky_relu alone
  FanMode mode = FanMode::fan_in;           // whose variance is kept
  std::string nonlinearity = "leaky_relu";  // a name that calculate_gain() knows
};

// By how much a nonlinearity shrinks the standard deviation, as PyTorch has it: "linear", "conv1d", "conv2d", "sigmoid" 1, "tanh" 5/3, "relu" sqrt(2),
// "leaky_relu" sqrt(2 / (1 + param^2)), "selu" 3/4. Throws Error for another name.
[[nodiscard]] double calculate_gain(const std::string& nonlinearity, double param = 0.01, std::source_location where = std::source_location::current());

// Zeros, ones, or one number everywhere.
void zeros_(const Variable& variable, std::source_location where = std::source_location::current());
void ones_(const Variable& variable, std::source_location where = std::source_location::current());
void constant_(const Variable& variable, double value, std::source_location where = std::source_location::current());
// Uniform in [low, high).
void uniform_(const Variable& variable, double low = 0, double high = 1, const Generator& generator = default_generator(),
              std::source_location where = std::source_location::current());
// Normally distributed.
void normal_(const Variable& variable, double mean = 0, double std = 1, const Generator& generator = default_generator(),
             std::source_location where = std::source_location::current());
// Uniform in [-b, b) with b = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, AISTATS 2010). Throws Error for fewer than two dimensions.
void xavier_uniform_(const Variable& variable, double gain = 1, const Generator& generator = default_generator(),
                     std::source_location where = std::source_location::current());
// Normal with standard deviation gain * sqrt(2 / (fan_in + fan_out)). Throws Error for fewer than two dimensions.
void xavier_normal_(const Variable& variable, double gain = 1, const Generator& generator = default_generator(),
                    std::source_location where = std::source_location::current());
// Uniform in [-b, b) with b = gain * sqrt(3 / fan) (He, Zhang, Ren and Sun, ICCV 2015). Throws Error for fewer than two dimensions.
void kaiming_uniform_(const Variable& variable, const KaimingOptions& options = {}, const Generator& generator = default_generator(),
                      std::source_location where = std::source_location::current());
// Normal with standard deviation gain / sqrt(fan). Throws Error for fewer than two dimensions.
void kaiming_normal_(const Variable& variable, const KaimingOptions& options = {}, const Generator& generator = default_generator(),
                     std::source_location where = std::source_location::current());

}  // namespace cotan::nn::init
