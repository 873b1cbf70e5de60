#include "autograd/nn/parameters.h"

#include <fmt/format.h>

#include <cmath>

#include "ops/error.h"
#include "ops/sizes.h"

namespace cotan::nn {

Variable uniform_parameter(const Module& module, const std::string& name, const Shape& shape, std::int64_t fan_in, const ParameterOptions& o) {
  const std::string kind = module.kind();
  const CallSite site(kind, o.where);
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  return module.register_parameter(name, uniform(shape, {.low = -bound, .high = bound, .dtype = o.dtype}, o.generator));
}

std::int64_t positive(std::string_view kind, std::string_view what, std::int64_t size, std::source_location where) {
  const CallSite site(kind, where);
  if (size < 1) fail(fmt::format("{} {}", what, size), fmt::format("Give {} as a number from 1 on", what));
  require_possible({size});
  return size;
}

}  // namespace cotan::nn
