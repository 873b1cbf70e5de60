#include "autograd/random.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>

#include "autograd/record.h"
#include "autograd/recorder.h"
#include "graph/composites/composites.h"
#include "graph/composites/random.h"
#include "ops/error.h"
#include "ops/philox.h"

namespace cotan {
namespace {

// A bijection of 64-bit words that leaves no pattern: Stafford's thirteenth mixer, as in SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom
// Number Generators", OOPSLA 2014). Not ops/hash.h's, which may change; these numbers stay.
std::uint64_t scrambled(std::uint64_t v) {
  v = (v ^ (v >> 30)) * 0xBF58476D1CE4E5B9;
  v = (v ^ (v >> 27)) * 0x94D049BB133111EB;
  return v ^ (v >> 31);
}

// One-to-one in the stream for each seed, and in the seed for each stream.
std::uint64_t key_of(std::uint64_t seed, std::uint64_t stream) { return scrambled(scrambled(seed + 0x9E3779B97F4A7C15) + stream); }

// How many blocks a leaf of this shape reads. None for a shape that recording the leaf refuses.
std::uint64_t blocks_of(const Shape& shape, DType dtype) {
  std::uint64_t elements = 1;
  for (const std::int64_t size : shape) {
    if (size <= 0 || elements > (std::uint64_t{1} << 60) / static_cast<std::uint64_t>(size)) return 0;
    elements *= static_cast<std::uint64_t>(size);
  }
  const auto each = static_cast<std::uint64_t>(philox::elements_of_block(dtype));
  return (elements + each - 1) / each;
}

// The next uniform numbers of the generator.
Ref draw(const Generator& generator, const Shape& shape, DType dtype) {
  require_possible(shape);  // before the generator moves on
  const std::uint64_t blocks = blocks_of(shape, dtype);
  const GeneratorState from = generator.take(blocks);
  Ref leaf = graph::random(from.key, from.counter, dtype, shape);
  if (Recorder* recorder = Tape::current()->recorder) recorder->draw(leaf, generator, blocks);
  return leaf;
}

void require_drawn(DType dtype) {
  if (dtype != DType::f32 && dtype != DType::f64) fail(fmt::format("random numbers of type {}", name_of(dtype)), "Draw f32 or f64 and cast");
}

void require_integers(DType dtype) {
  if (kind_of(dtype) != DTypeKind::integer) fail(fmt::format("random integers of type {}", name_of(dtype)), "Draw an integer type, i32 for example, and cast");
}

void require_probability(double p) {
  if (!(p >= 0 && p <= 1)) fail(fmt::format("p = {}, which is no probability", p), "Give a number from 0 to 1");
}

// Whether the type holds the number, rounded, without overflow.
bool reaches(DType dtype, double v) {
  return std::abs(v) <= (dtype == DType::f32 ? static_cast<double>(std::numeric_limits<float>::max()) : std::numeric_limits<double>::max());
}

bool holds(DType dtype, std::int64_t v) { return round_to(dtype, static_cast<double>(v)) == static_cast<double>(v); }

}  // namespace

// ---- generators

struct Generator::Shared {
  explicit Shared(const GeneratorState& s) : state(s) {}
  static std::atomic<std::uint64_t>& made() {
    static std::atomic<std::uint64_t> count{0};
    return count;
  }
  const std::uint64_t number = made()++;
  std::mutex mutex;
  GeneratorState state;
};

Generator::Shared& Generator::shared() const {
  if (!shared_) fail("a generator that was moved from", "Copy it, which gives another handle on the same stream, or assign it a new one");
  return *shared_;
}

std::uint64_t Generator::number() const { return shared().number; }
std::uint64_t Generator::next_number() { return Shared::made(); }

Generator::Generator(std::uint64_t seed, std::uint64_t stream) : Generator(GeneratorState{key_of(seed, stream), 0}) {}

Generator::Generator(const GeneratorState& state) : shared_(std::make_shared<Shared>(state)) {}

GeneratorState Generator::state(std::source_location where) const {
  const CallSite site("state", where);
  const std::lock_guard lock(shared().mutex);
  return shared_->state;
}

void Generator::set_state(const GeneratorState& state, std::source_location where) const {
  const CallSite site("set_state", where);
  require_not_recording("a generator set back", "Set it before the call");
  const std::lock_guard lock(shared().mutex);
  shared_->state = state;
}

Generator Generator::split(std::source_location where) const {
  const CallSite site("split", where);
  require_not_recording("a generator split off another", "Split it before the call");
  const GeneratorState at = take(1);
  return Generator(at.key, at.counter);
}

GeneratorState Generator::take(std::uint64_t blocks) const {
  const std::lock_guard lock(shared().mutex);
  GeneratorState& state = shared_->state;
  if (blocks > std::numeric_limits<std::uint64_t>::max() - state.counter)
    fail(fmt::format("{} blocks of random numbers from counter {}, which the stream does not have", blocks, state.counter),
         "Go on with another generator, from split() or another seed");
  const GeneratorState from = state;
  state.counter += blocks;
  return from;
}

const Generator& default_generator() {
  static const Generator& generator = *new Generator(0);  // never destroyed: it may be drawn from by the destructors of other statics
  return generator;
}

void manual_seed(std::uint64_t seed, std::source_location where) {
  const CallSite site("manual_seed", where);
  require_not_recording("the default generator set back", "Seed it before the call");
  default_generator().set_state(Generator(seed).state());
}

// ---- distributions

Tensor uniform(const Shape& shape, const UniformOptions& o, const Generator& generator, std::source_location where) {
  return record("uniform", {}, where, [&](auto) {
    require_drawn(o.dtype);
    const double low = round_to(o.dtype, o.low), high = round_to(o.dtype, o.high);
    if (!(reaches(o.dtype, low) && reaches(o.dtype, high) && reaches(o.dtype, high - low)))
      fail(fmt::format("numbers from {} to {} as {}", o.low, o.high, name_of(o.dtype)), "Give finite bounds whose difference the type can hold");
    if (low >= high) fail(fmt::format("numbers from {} to below {}, of which {} has none", o.low, o.high, name_of(o.dtype)), "Give a low below high");
    const Ref u = draw(generator, shape, o.dtype);
    return low == 0 && high == 1 ? u : graph::uniform_between(u, low, high);
  });
}

Tensor normal(const Shape& shape, const NormalOptions& o, const Generator& generator, std::source_location where) {
  return record("normal", {}, where, [&](auto) {
    require_drawn(o.dtype);
    if (!reaches(o.dtype, o.mean)) fail(fmt::format("a mean of {}", o.mean), fmt::format("Give a finite number that {} can hold", name_of(o.dtype)));
    if (!(o.std >= 0) || !reaches(o.dtype, o.std))
      fail(fmt::format("a standard deviation of {}", o.std), fmt::format("Give a finite number from 0 on that {} can hold", name_of(o.dtype)));
    const Ref u = draw(generator, shape, o.dtype), v = draw(generator, shape, o.dtype);
    return graph::normal(u, v, o.mean, o.std);
  });
}

Tensor bernoulli(const Shape& shape, double p, const BernoulliOptions& o, const Generator& generator, std::source_location where) {
  return record("bernoulli", {}, where, [&](auto) {
    require_probability(p);
    return graph::bernoulli(draw(generator, shape, DType::f64), graph::scalar(p, DType::f64), o.dtype);
  });
}

Tensor bernoulli(const Operand& p, const Generator& generator) {
  return record("bernoulli", {p}, p.line(), [&](std::span<const Ref> in) {
    if (p.is_number()) require_probability(p.number());
    if (!is_floating(in[0].dtype())) fail(fmt::format("probabilities of type {}", name_of(in[0].dtype())), "Cast them to f32 first");
    return graph::bernoulli(draw(generator, in[0].shape(), DType::f64), in[0], in[0].dtype());
  });
}

Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, const RandintOptions& o, const Generator& generator, std::source_location where) {
  return record("randint", {}, where, [&](auto) {
    require_integers(o.dtype);
    if (low >= high) fail(fmt::format("integers from {} to below {}, of which there are none", low, high), "Give a low below high");
    if (low < -graph::largest_integer || high > graph::largest_integer || high - low > graph::most_integers)
      fail(fmt::format("integers from {} to below {}", low, high), "Give bounds of at most 2^53 in magnitude, at most 2^52 apart");
    if (!holds(o.dtype, low) || !holds(o.dtype, high - 1))
      fail(fmt::format("integers from {} to below {}, not all of which {} holds", low, high, name_of(o.dtype)), "Give a narrower range or a wider type");
    const Ref u = draw(generator, shape, DType::f64), v = draw(generator, shape, DType::f64);
    return graph::integers_between(u, v, low, high, o.dtype);
  });
}

Tensor randperm(std::int64_t n, const RandpermOptions& o, const Generator& generator, std::source_location where) {
  return record("randperm", {}, where, [&](auto) {
    require_integers(o.dtype);
    if (n < 0 || n > std::numeric_limits<std::int32_t>::max()) fail(fmt::format("a permutation of {} elements", n), "Give a number from 0 to 2147483647");
    if (n > 0 && !holds(o.dtype, n - 1)) fail(fmt::format("a permutation of {} elements as {}", n, name_of(o.dtype)), "Choose a type that holds n - 1");
    const Ref a = draw(generator, {n}, DType::f64), b = draw(generator, {n}, DType::f64);
    return graph::cast(graph::permutation(a, b), o.dtype);
  });
}

namespace {

// x with dropout. `number` makes the leaf of a number that follows from p.
template <class Number>
Ref dropped(const Ref& x, const Generator& generator, const Number& number) {
  const DType dtype = x.dtype();
  return graph::dropout(x, draw(generator, x.shape(), dtype), number([dtype](double p) { return graph::kept_share(p, dtype); }),
                        number([dtype](double p) { return graph::kept_scale(p, dtype); }));
}

void require_droppable(const Ref& x) {
  if (x.dtype() != DType::f32 && x.dtype() != DType::f64) fail(fmt::format("dropout of {}", name_of(x.dtype())), "Cast it to f32 first");
}

}  // namespace

Tensor dropout(const Operand& x, const DropoutOptions& o, const Generator& generator) {
  return record("dropout", {x}, x.line(), [&](std::span<const Ref> in) {
    require_probability(o.p);
    require_droppable(in[0]);
    if (!o.training) return in[0];
    return dropped(in[0], generator, [&](const auto& of) { return graph::scalar(of(o.p), in[0].dtype()); });
  });
}

Tensor scaled_dot_product_attention(const Operand& query, const Operand& key, const Operand& value, const OptionalOperand& attn_mask,
                                    const ScaledDotProductAttentionOptions& options, const Generator& generator) {
  return dropped_attention(std::array<Operand, 4>{query, key, value, attn_mask}, options, generator);
}

Tensor dropped_attention(std::span<const Operand> o, const ScaledDotProductAttentionOptions& options, const Generator& generator) {
  return record("scaled_dot_product_attention", {o[0], o[1], o[2], o[3]}, o[0].line(), [&](std::span<const Ref> in) {
    require_probability(options.dropout_p);
    if (options.dropout_p == 0) return graph::scaled_dot_product_attention(in[0], in[1], in[2], in[3], options);
    return graph::attention(in, options, [&](const Ref& weights) {
      require_droppable(weights);
      return dropped(weights, generator, [&](const auto& of) { return graph::scalar(of(options.dropout_p), weights.dtype()); });
    });
  });
}

Tensor dropout_by(const Operand& x, const std::function<double()>& p, const Generator& generator) {
  return record("dropout", {x}, x.line(), [&](std::span<const Ref> in) {
    require_droppable(in[0]);
    return dropped(in[0], generator, [&](const auto& of) { return owned_number([of, p] { return of(p()); }, in[0].dtype()); });
  });
}

}  // namespace cotan
