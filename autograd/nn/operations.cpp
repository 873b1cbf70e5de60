#include "autograd/nn/operations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "autograd/nn/detail_text.h"
#include "autograd/nn/parameters.h"
#include "ops/error.h"

namespace cotan::nn {

#define COTAN_FIELD(name) , std::pair(#name, &Options::name)
#define COTAN_NUMBER(p) COTAN_FIELD_##p
#define COTAN_FIELD_P(name, standard) , std::pair(#name, &Options::name)
#define COTAN_ARGUMENT(p) COTAN_ARGUMENT_##p
#define COTAN_ARGUMENT_P(name, standard) , options_.name
#define PLAIN(Name, function)    \
  Name::Name() : Layer(#Name) {} \
  Tensor Name::forward(const Tensor& x) const { return cotan::function(x); }
#define NUMBERS(Name, function, numbers)                                              \
  Name::Name(const Name##Options& options) : Layer(#Name), options_(options) {        \
    using Options = Name##Options;                                                    \
    set_detail(options_text(options COTAN_EACH(COTAN_NUMBER, COTAN_UNWRAP numbers))); \
  }                                                                                   \
  Tensor Name::forward(const Tensor& x) const { return cotan::function(x COTAN_EACH(COTAN_ARGUMENT, COTAN_UNWRAP numbers)); }
#define OPTIONS(Name, function, Options_, names)                                   \
  Name::Name(const Options_& options) : Layer(#Name), options_(options) {          \
    using Options = Options_;                                                      \
    set_detail(options_text(options COTAN_EACH(COTAN_FIELD, COTAN_UNWRAP names))); \
  }                                                                                \
  Tensor Name::forward(const Tensor& x) const { return cotan::function(x, options_); }
#include "autograd/nn/operations.def"

GELU::GELU(const GELUOptions& options, std::source_location where) : Layer("GELU"), tanh_(options.approximate == "tanh") {
  const CallSite site("GELU", where);
  if (!tanh_ && options.approximate != "none") fail(fmt::format("approximate '{}'", options.approximate), "Give none or tanh");
  set_detail(fmt::format("approximate='{}'", options.approximate));
}

Tensor GELU::forward(const Tensor& x) const { return tanh_ ? gelu_tanh(x) : gelu(x); }

Flatten::Flatten(const FlattenOptions& options) : Layer("Flatten"), options_(options) {
  set_detail(fmt::format("start_dim={}, end_dim={}", options.start_dim, options.end_dim));
}

Tensor Flatten::forward(const Tensor& x) const { return flatten(x, options_); }

namespace {

std::string detail_of(double p) { return fmt::format("p={}, inplace=False", shown(p)); }

DropRate rate_of(const DropoutOptions& options, std::source_location where) {
  const CallSite site("Dropout", where);
  return {"p", options.p, options.generator};
}

}  // namespace

Dropout::Dropout(const DropoutOptions& options, std::source_location where) : Layer("Dropout"), rate_(rate_of(options, where)) {
  set_detail(detail_of(options.p));
}

void Dropout::set_p(double p, std::source_location where) const {
  const CallSite site("set_p", where);
  rate_.set("p", p);
  set_detail(detail_of(p));
}

Tensor Dropout::forward(const Tensor& x) const { return is_training() ? rate_(x) : dropout(x, {.training = false}); }

}  // namespace cotan::nn
