// How layers make their parameters. Internal to the layers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "autograd/nn/module.h"
#include "autograd/random.h"
#include "ops/shape.h"

namespace cotan::nn {

// What a layer's parameters have in common.
struct ParameterOptions {
  DType dtype;                 // f32 or f64
  const Generator& generator;  // what they are drawn from
  std::source_location where;  // the user's line
};

// A parameter uniform in [-1 / sqrt(fan_in), 1 / sqrt(fan_in)).
[[nodiscard]] Variable uniform_parameter(const Module& module, const std::string& name, const Shape& shape, std::int64_t fan_in,
                                         const ParameterOptions& options);

// The number, a size named `what` of a layer of that kind. Throws Error where it is below 1, or larger than any tensor.
[[nodiscard]] std::int64_t positive(std::string_view kind, std::string_view what, std::int64_t size, std::source_location where);

}  // namespace cotan::nn
