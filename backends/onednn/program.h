// What a Primitive runs: one or more library primitives in order, each argument of which is a buffer of the caller's or a part of the scratch.
//
// The library's memory objects are mutable (a pointer is put into them before each call), so each running thread needs its own set. A Program keeps the sets
// of earlier calls in a few slots; a thread takes the set of its slot, or makes one, and puts it back. No lock is taken, and a thread that finds its own set
// again has few pointers to change.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/onednn/one_thread.h"
#include "backends/onednn/version.h"

namespace cotan::onednn {

// Where an argument's data is: in the caller's input or output number `at`, or `at` bytes into the scratch.
struct Place {
  enum class In : std::uint8_t { input, output, scratch } in;
  std::size_t at = 0;
};

class Program {
 public:
  struct Argument {
    int name;  // DNNL_ARG_...
    Layout layout;
    Place place;
  };

  Program() = default;
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Room in the scratch that lives through the whole run.
  [[nodiscard]] Place reserve(std::size_t bytes);

  // Appends a primitive; its own scratchpad is added to its arguments. Throws dnnl::error.
  void append(const Descriptor& descriptor, std::vector<Argument> arguments);

  void set_implementation(std::string text) { implementation_ = std::move(text); }
  [[nodiscard]] const std::string& implementation() const { return implementation_; }

  // How many buffers a run is given.
  [[nodiscard]] std::size_t inputs() const { return inputs_; }
  [[nodiscard]] std::size_t outputs() const { return outputs_; }

  // After the primitives, this looks at what they read and wrote, and puts right what the library does with NaN and infinity.
  using Afterwards = std::function<void(std::span<const void* const> inputs, std::span<void* const> outputs)>;
  void set_afterwards(Afterwards afterwards) { afterwards_ = std::move(afterwards); }

  // The reserved room, then one scratchpad that the primitives share, one after the other.
  [[nodiscard]] std::size_t scratch_bytes() const { return reserved_ + scratchpad_; }

  // Before the primitives, `factor` times the numbers that are the first elements of these inputs is put into the scratch.
  [[nodiscard]] Place multiply(std::vector<std::size_t> inputs, float factor);

  // After the primitives, the first output's `elements` are multiplied by `factor`.
  void scale_first_output(float factor, std::size_t elements) {
    factor_ = factor;
    scaled_ = elements;
  }

  // Bytes of the library's workspace among the arguments; 0 where there is none.
  void set_workspace_bytes(std::size_t bytes) { workspace_ = bytes; }
  [[nodiscard]] std::size_t workspace_bytes() const { return workspace_; }

  // Runs all primitives in order on the calling thread.
  void run(std::span<const void* const> inputs, std::span<void* const> outputs, void* scratch) const;

 private:
  struct Step {
    dnnl::primitive primitive;
    std::vector<Argument> arguments;
  };
  struct Bound;
  struct alignas(64) Slot {
    std::atomic<Bound*> kept{nullptr};
  };

  void* address(const Argument& argument, std::span<const void* const> inputs, std::span<void* const> outputs, void* scratch) const;
  std::unique_ptr<Bound> take_bound() const;
  void keep_bound(std::unique_ptr<Bound> bound) const;

  std::vector<Step> steps_;
  std::string implementation_;
  Afterwards afterwards_;
  std::size_t inputs_ = 0, outputs_ = 0;
  std::size_t workspace_ = 0;
  std::vector<std::size_t> numbers_;  // inputs
  float number_factor_ = 1;
  Place number_{Place::In::scratch};
  float factor_ = 1;
  std::size_t scaled_ = 0;
  std::size_t reserved_ = 0, scratchpad_ = 0;
  mutable std::array<Slot, 16> slots_;
};

// The text of a refusal for what the library threw: the library's name, its words and its status.
[[nodiscard]] std::string text_of(const dnnl::error& error);

// Whether this is a reference implementation, thousands of times slower than a loop of our own.
[[nodiscard]] bool is_reference(const Descriptor& descriptor);

// The refusal of a descriptor whose implementation is a reference one.
[[nodiscard]] Made refuse_reference(const Descriptor& descriptor, const char* what);

// A refusal, with its text.
[[nodiscard]] inline Made refuse(Refusal refusal, std::string reason) { return {.primitive = nullptr, .refusal = refusal, .reason = std::move(reason)}; }

// The first of the faults that all kinds of problem share, or a Made with Refusal::none: a dtype that is not f32, a library that cannot be held to one thread,
// a size of 0 or less.
[[nodiscard]] Made refuse_common(DType dtype, std::initializer_list<std::span<const std::int64_t>> sizes);
// The library counts positions in 32 bits: refuses windows that reach further, whose sizes and paddings are these by dimension.
[[nodiscard]] Made refuse_far_windows(std::span<const std::int64_t> output, std::span<const std::int64_t> stride, std::span<const std::int64_t> kernel,
                                      std::span<const std::int64_t> dilation, std::span<const std::int64_t> padding);

// Runs `build` (which returns Made) held to one thread; what the library throws becomes a refusal.
template <class Build>
Made make_held(Build&& build) {
  Made made;
  on_one_thread([&] {
    try {
      made = build();
    } catch (const dnnl::error& error) {
      made = refuse(Refusal::library_refused, text_of(error));
    }
  });
  return made;
}

}  // namespace cotan::onednn
