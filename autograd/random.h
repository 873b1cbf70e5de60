// Random numbers: generators, and tensors drawn from them.
//
//     manual_seed(1);                                       // of the generator that is used where none is named
//     Variable w("w", normal({784, 128}, {.std = 0.01}));
//     const Generator noise(42);                            // one of its own
//     Tensor y = dropout(x + 0.1 * normal(x.shape(), {}, noise), {.p = 0.2});
//
// A draw is recorded like any operation and computed when it is needed. What it gives was settled when it was recorded: its numbers are a pure function of the
// generator's key, its counter at that moment, the shape and the type, the same for any number of threads. Uniform numbers, integers, permutations and masks
// have the same bits on every backend; normal ones differ as logarithm and cosine do. Every draw moves the counter past all the numbers it uses, so no two
// draws of a generator share one. Neither key and counter nor the options' numbers are part of a graph's structure: to draw again compiles nothing anew.
//
// The source is Philox 4x32-10 (ops/philox.h). uniform(shape) is PyTorch's rand, normal(shape) its randn.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "autograd/tensor.h"
#include "graph/composites/composite_options.h"

namespace cotan {

// Where a generator is: all there is to save and restore.
struct GeneratorState {
  std::uint64_t key = 0;      // of the stream
  std::uint64_t counter = 0;  // of the next block of four 32-bit words
  // The same place of the same stream.
  bool operator==(const GeneratorState&) const = default;
};

// A stream of random numbers. A handle; copies are one generator. Threads may share it: each draw is whole, but which thread draws first decides who gets what,
// so a program of several threads that must repeat itself gives each thread a generator of its own. One that was moved from can be assigned to and destroyed;
// any other use is an Error.
class Generator {
 public:
  // The start of a stream. Different streams of one seed never share a number, since they differ in Philox's key; streams of different seeds have different
  // keys but for chance (1 in 2^64).
  explicit Generator(std::uint64_t seed, std::uint64_t stream = 0);
  // One that goes on from a saved state.
  explicit Generator(const GeneratorState& state);

  // Where it is now.
  [[nodiscard]] GeneratorState state(std::source_location where = std::source_location::current()) const;
  // Goes to a saved state; all copies of the handle do.
  void set_state(const GeneratorState& state, std::source_location where = std::source_location::current()) const;
  // A generator of another stream, at its start. Those split off one generator have different keys; each moves this one's counter by one.
  // Throws Error where the stream is used up.
  [[nodiscard]] Generator split(std::source_location where = std::source_location::current()) const;

  // For the library: generators are numbered in the order in which they are made; and the number that the next one gets.
  [[nodiscard]] std::uint64_t number() const;
  [[nodiscard]] static std::uint64_t next_number();
  // For the library: the state from which `blocks` blocks are the caller's; the counter moves past them. Throws Error where the stream of 2^64 is used up.
  [[nodiscard]] GeneratorState take(std::uint64_t blocks) const;

 private:
  struct Shared;
  [[nodiscard]] Shared& shared() const;  // throws Error where it was moved from
  std::shared_ptr<Shared> shared_;
};

// The generator that draws use where none is named. There is one for the process; it starts as Generator(0), so that a program that never seeds it gives the
// same numbers in every run.
[[nodiscard]] const Generator& default_generator();
// Puts the default generator to the start of this seed's stream 0, for all threads.
void manual_seed(std::uint64_t seed, std::source_location where = std::source_location::current());

// What uniform() draws.
struct UniformOptions {
  double low = 0;     // the least number
  double high = 1;    // above every number
  DType dtype = f32;  // f32 or f64
};
// Numbers uniform in [low, high): low + (high - low) * u, where u is a multiple of 2^-24 (f32) or 2^-53 (f64) below 1. Throws Error unless low < high in
// the type, both finite and not farther apart than the type reaches.
[[nodiscard]] Tensor uniform(const Shape& shape, const UniformOptions& options = {}, const Generator& generator = default_generator(),
                             std::source_location where = std::source_location::current());

// What normal() draws.
struct NormalOptions {
  double mean = 0;    // finite
  double std = 1;     // the standard deviation: finite, at least 0
  DType dtype = f32;  // f32 or f64
};
// Normally distributed numbers, by Box and Muller's transform ("A Note on the Generation of Random Normal Deviates", 1958). None lies farther from the mean
// than 5.8 (f32) or 8.6 (f64) standard deviations. Throws Error for a mean or std that the type cannot hold and for std < 0.
[[nodiscard]] Tensor normal(const Shape& shape, const NormalOptions& options = {}, const Generator& generator = default_generator(),
                            std::source_location where = std::source_location::current());

// What bernoulli() of a shape draws.
struct BernoulliOptions {
  DType dtype = f32;  // any
};
// 1 (true) with probability p, to within 2^-53, otherwise 0. Throws Error for a p that is not from 0 to 1.
[[nodiscard]] Tensor bernoulli(const Shape& shape, double p, const BernoulliOptions& options = {}, const Generator& generator = default_generator(),
                               std::source_location where = std::source_location::current());
// The same with a probability for each element: of p's shape and type (floating). NaN where an entry is not from 0 to 1; an Error where p is such a number.
// No gradient flows to p.
[[nodiscard]] Tensor bernoulli(const Operand& p, const Generator& generator = default_generator());

// What randint() draws.
struct RandintOptions {
  DType dtype = i32;  // an integer type
};
// Integers low, ..., high - 1. Each has the same probability to within one part in 2^48, by 106 random bits for each. Throws Error unless low < high, the type
// holds both ends, both are at most 2^53 in magnitude and at most 2^52 apart.
[[nodiscard]] Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, const RandintOptions& options = {},
                             const Generator& generator = default_generator(), std::source_location where = std::source_location::current());

// What randperm() draws.
struct RandpermOptions {
  DType dtype = i32;  // an integer type
};
// The integers 0, ..., n - 1 in random order, all orders equally probable to within n^2 / 2^107 in total. Throws Error for a negative n, for more than 2^31 -
// 1, and for a type that does not hold n - 1.
[[nodiscard]] Tensor randperm(std::int64_t n, const RandpermOptions& options = {}, const Generator& generator = default_generator(),
                              std::source_location where = std::source_location::current());

// How dropout() works.
struct DropoutOptions {
  double p = 0.5;        // the probability of an element to become 0
  bool training = true;  // false: x itself, and nothing is drawn
};
// x with each element set to 0 with probability p, independently, the others divided by 1 - p, so that the mean over all masks is x (Srivastava, Hinton,
// Krizhevsky, Sutskever and Salakhutdinov, "Dropout", JMLR 15, 2014). 1 - p counts in steps of 2^-24 (f32) or 2^-53 (f64), rounded up. p = 1 gives zeros. What
// is dropped gives 0 also where x is infinite or NaN. Gradients of every order go through the same mask. Throws Error for a p that is not from 0 to 1 and
// for an x that is not f32 or f64.
[[nodiscard]] Tensor dropout(const Operand& x, const DropoutOptions& options = {}, const Generator& generator = default_generator());
// The row of that name with dropout of its weights, drawn from a generator of one's own. Throws Error as the row does, and for a dropout_p that is not from 0
// to 1.
[[nodiscard]] Tensor scaled_dot_product_attention(const Operand& query, const Operand& key, const Operand& value, const OptionalOperand& attn_mask,
                                                  const ScaledDotProductAttentionOptions& options, const Generator& generator);
// For the library: the same of query, key, value and mask as one list.
[[nodiscard]] Tensor dropped_attention(std::span<const Operand> operands, const ScaledDotProductAttentionOptions& options, const Generator& generator);
// For the library: dropout() in training, by a probability that is the caller's own; compiled functions read it at each call.
[[nodiscard]] Tensor dropout_by(const Operand& x, const std::function<double()>& p, const Generator& generator);

}  // namespace cotan
