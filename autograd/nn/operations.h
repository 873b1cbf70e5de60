// Layers without parameters. Most are one operation each and come from a table, operations.def:
//
//     nn::ReLU(), nn::LeakyReLU({.negative_slope = 0.2}), nn::MaxPool2d({.kernel_size = 2}), nn::LogSoftmax({.dim = 1})
//
// Their options are the operation's, with its defaults and its errors, which come with the first call.
#pragma once

#include <string>

#include "autograd/nn/drop_rate.h"
#include "autograd/nn/layer.h"
#include "autograd/ops.h"
#include "autograd/random.h"

namespace cotan::nn {

#define P(name, standard) double name = standard;
#define COTAN_SELF(x) x
#define COTAN_LAYER(Name, Options)                                    \
  class Name : public Layer {                                         \
   public:                                                            \
    explicit Name(const Options& options = {});                       \
    [[nodiscard]] Tensor forward(const Tensor& x) const override;     \
    [[nodiscard]] const Options& options() const { return options_; } \
                                                                      \
   private:                                                           \
    Options options_;                                                 \
  };
#define PLAIN(Name, function)                                     \
  class Name : public Layer {                                     \
   public:                                                        \
    Name();                                                       \
    [[nodiscard]] Tensor forward(const Tensor& x) const override; \
  };
#define NUMBERS(Name, function, numbers)         \
  struct Name##Options {                         \
    COTAN_EACH(COTAN_SELF, COTAN_UNWRAP numbers) \
  };                                             \
  COTAN_LAYER(Name, Name##Options)
#define OPTIONS(Name, function, Options, names) COTAN_LAYER(Name, Options)
#include "autograd/nn/operations.def"
#undef OPTIONS
#undef NUMBERS
#undef PLAIN
#undef COTAN_LAYER
#undef COTAN_SELF
#undef P

// Options of GELU.
struct GELUOptions {
  std::string approximate = "none";  // or "tanh", the approximation by a hyperbolic tangent
};

// x * P(X <= x) for a standard normal X, exactly or approximately (Hendrycks and Gimpel 2016).
class GELU : public Layer {
 public:
  // Throws Error for an approximation that there is not.
  explicit GELU(const GELUOptions& options = {}, std::source_location where = std::source_location::current());
  // gelu(x) or gelu_tanh(x).
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

 private:
  bool tanh_;
};

// x itself.
class Identity : public Layer {
 public:
  Identity() : Layer("Identity") {}
  // x.
  [[nodiscard]] Tensor forward(const Tensor& x) const override { return x; }
};

// The dimensions from start_dim to end_dim merged into one: by default all but the batch.
class Flatten : public Layer {
 public:
  // Options as of flatten(), but with PyTorch's default for the layer.
  explicit Flatten(const FlattenOptions& options = {.start_dim = 1});
  // flatten(x).
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

 private:
  FlattenOptions options_;
};

// Options of the layer Dropout.
struct DropoutOptions {
  double p = 0.5;                             // the probability of an element to become 0
  Generator generator = default_generator();  // what the masks are drawn from
};

// dropout() in training mode, x itself otherwise.
class Dropout : public Layer {
 public:
  // Throws Error for a p that is not from 0 to 1.
  explicit Dropout(const DropoutOptions& options = {}, std::source_location where = std::source_location::current());
  // Each call draws another mask.
  [[nodiscard]] Tensor forward(const Tensor& x) const override;

  // The probability of an element to become 0.
  [[nodiscard]] double p() const { return rate_.p(); }
  // Sets it, from the next call on; 0 and 1 are probabilities like others, so a schedule compiles nothing anew, and compiled functions read it at each call.
  // Throws Error for a p that is not from 0 to 1, and inside a compiled function.
  void set_p(double p, std::source_location where = std::source_location::current()) const;

 private:
  DropRate rate_;
};

}  // namespace cotan::nn
