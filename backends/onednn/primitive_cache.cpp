#include "backends/onednn/primitive_cache.h"

#include <atomic>
#include <bit>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

namespace cotan::onednn {
namespace {

constexpr std::size_t bound = 256;

// A problem as numbers, told from every other one.
class Key {
 public:
  explicit Key(int kind) : numbers_{kind} {}
  Key& operator<<(std::int64_t number) {
    numbers_.push_back(number);
    return *this;
  }
  Key& operator<<(const Shape& shape) {
    numbers_.push_back(static_cast<std::int64_t>(shape.rank()));
    numbers_.insert(numbers_.end(), shape.begin(), shape.end());
    return *this;
  }
  Key& operator<<(const std::vector<PostOp>& after) {
    numbers_.push_back(static_cast<std::int64_t>(after.size()));
    for (const PostOp& op : after)
      *this << static_cast<int>(op.kind) << std::bit_cast<std::int32_t>(op.alpha) << std::bit_cast<std::int32_t>(op.beta) << op.strides;
    return *this;
  }
  [[nodiscard]] std::vector<std::int64_t> take() && { return std::move(numbers_); }

 private:
  std::vector<std::int64_t> numbers_;
};

std::vector<std::int64_t> key_of(const MatmulProblem& p) {
  return std::move(Key(0) << static_cast<int>(p.dtype) << p.batch << p.m << p.n << p.k << p.a_strides << p.b_strides << p.c_strides << p.after).take();
}

std::vector<std::int64_t> key_of(const ConvolutionProblem& p) {
  return std::move(Key(1) << static_cast<int>(p.direction) << static_cast<int>(p.dtype) << p.batch << p.groups << p.in_channels << p.out_channels << p.input
                          << p.kernel << p.output << p.stride << p.dilation << p.padding << p.source_strides << p.weights_strides << p.result_strides << p.after
                          << static_cast<int>(p.layout) << p.blocks.source << p.blocks.result << p.blocks.in << p.blocks.out << p.blocks.out_innermost)
      .take();
}

std::vector<std::int64_t> key_of(const SoftmaxProblem& p) {
  return std::move(Key(2) << static_cast<int>(p.direction) << static_cast<int>(p.dtype) << p.shape << static_cast<std::int64_t>(p.axis) << p.x_strides
                          << p.y_strides)
      .take();
}

std::vector<std::int64_t> key_of(const PoolingProblem& p) {
  return std::move(Key(3) << static_cast<int>(p.direction) << p.max << static_cast<int>(p.dtype) << p.planes << p.channels << p.input << p.kernel << p.output
                          << p.stride << p.dilation << p.padding << std::bit_cast<std::int64_t>(p.factor))
      .take();
}

std::vector<std::int64_t> key_of(const LayerNormProblem& p) {
  return std::move(Key(4) << static_cast<int>(p.direction) << static_cast<int>(p.dtype) << p.rows << p.features << std::bit_cast<std::int32_t>(p.epsilon)
                          << p.affine)
      .take();
}

std::vector<std::int64_t> key_of(const BatchNormProblem& p) {
  return std::move(Key(5) << static_cast<int>(p.direction) << static_cast<int>(p.dtype) << p.batch << p.channels << p.space << p.all_channels
                          << std::bit_cast<std::int32_t>(p.epsilon) << p.affine)
      .take();
}

std::vector<std::int64_t> key_of(const ReorderProblem& p) { return std::move(Key(6) << p.sizes << p.from << p.to).take(); }

class Cache {
 public:
  std::optional<Made> find(const std::vector<std::int64_t>& key) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    recent_.splice(recent_.begin(), recent_, found->second.place);
    return found->second.made;
  }

  void insert(const std::vector<std::int64_t>& key, const Made& made) {
    const std::lock_guard lock(mutex_);
    const auto [at, fresh] = entries_.try_emplace(key);
    if (!fresh) return;  // another thread was faster
    recent_.push_front(&at->first);
    at->second = {made, recent_.begin()};
    if (entries_.size() <= bound) return;
    entries_.erase(entries_.find(*recent_.back()));
    recent_.pop_back();
  }

  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

 private:
  using Recent = std::list<const std::vector<std::int64_t>*>;
  struct Entry {
    Made made;
    Recent::iterator place;
  };
  std::mutex mutex_;
  std::map<std::vector<std::int64_t>, Entry> entries_;
  Recent recent_;  // the keys, the one asked for last in front
};

// Never destroyed: the library may have closed before static objects go.
Cache& cache() {
  static auto* const cache = new Cache;
  return *cache;
}

// Set when the process ends, before the objects go that the library keeps for the primitives it makes.
std::atomic<bool> closing{false};

// Called behind the making of a primitive, so that what is made here goes before what the library made then.
void note_the_end() {
  struct AtTheEnd {
    ~AtTheEnd() { closing = true; }
  };
  static const AtTheEnd at_the_end;
}

template <class Problem>
Made shared(const Problem& problem) {
  const std::vector<std::int64_t> key = key_of(problem);
  if (std::optional<Made> found = cache().find(key)) return *std::move(found);
  Made made = Primitive::make(problem);
  note_the_end();
  cache().insert(key, made);
  return made;
}

}  // namespace

bool is_closing() { return closing; }

Made shared_primitive(const MatmulProblem& problem) { return shared(problem); }
Made shared_primitive(const ConvolutionProblem& problem) { return shared(problem); }
Made shared_primitive(const SoftmaxProblem& problem) { return shared(problem); }
Made shared_primitive(const PoolingProblem& problem) { return shared(problem); }
Made shared_primitive(const LayerNormProblem& problem) { return shared(problem); }
Made shared_primitive(const BatchNormProblem& problem) { return shared(problem); }
Made shared_primitive(const ReorderProblem& problem) { return shared(problem); }

std::size_t kept_primitives() { return cache().size(); }

}  // namespace cotan::onednn
