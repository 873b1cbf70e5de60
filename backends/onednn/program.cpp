#include "backends/onednn/program.h"

#include <fmt/format.h>
#include <oneapi/dnnl/dnnl_debug.h>

#include <algorithm>
#include <string_view>

#include "ops/error.h"
#include "ops/memory.h"

namespace cotan::onednn {
namespace {

constexpr std::size_t alignment = 64;

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

// A small number of the calling thread, for spreading threads over slots.
std::size_t thread_number() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

// What making a primitive may take: each of its generated kernels, of which there are up to 32, is written into 256 KiB of its own, and the library writes on
// where it got no such memory.
constexpr std::size_t most_for_a_primitive = std::size_t{32} << 20;

void expect_success(dnnl_status_t status, const char* what) {
  if (status == dnnl_out_of_memory) no_memory(fmt::format("oneDNN was {}", what));
  if (status != dnnl_success) throw InternalError(fmt::format("{}: {} failed with status {}", library_name(), what, dnnl_status2str(status)));
}

}  // namespace

// One thread's memory objects for all arguments of all steps, in order.
struct Program::Bound {
  dnnl::stream stream{cpu_engine()};
  std::vector<dnnl::memory> memories;
  std::vector<void*> pointers;
  std::vector<dnnl_exec_arg_t> arguments;

  explicit Bound(const std::vector<Step>& steps) {
    for (const Step& step : steps) {
      for (const Argument& argument : step.arguments) {
        const dnnl::memory& memory = memories.emplace_back(argument.layout, cpu_engine(), static_cast<void*>(DNNL_MEMORY_NONE));
        arguments.push_back({argument.name, memory.get()});
        pointers.push_back(nullptr);
      }
    }
  }

  void point(std::size_t argument, void* data) {
    if (pointers[argument] == data) return;
    expect_success(dnnl_memory_set_data_handle(arguments[argument].memory, data), "setting a memory object's data");
    pointers[argument] = data;
  }
};

Program::~Program() {
  for (Slot& slot : slots_) delete slot.kept.load(std::memory_order_acquire);
}

Place Program::reserve(std::size_t bytes) {
  const Place place{Place::In::scratch, reserved_};
  reserved_ += aligned(bytes);
  return place;
}

Place Program::multiply(std::vector<std::size_t> inputs, float factor) {
  for (std::size_t input : inputs) inputs_ = std::max(inputs_, input + 1);
  numbers_ = std::move(inputs);
  number_factor_ = factor;
  return number_ = reserve(sizeof(float));
}

void Program::append(const Descriptor& descriptor, std::vector<Argument> arguments) {
  for (const Argument& argument : arguments) {
    if (argument.place.in == Place::In::input) inputs_ = std::max(inputs_, argument.place.at + 1);
    if (argument.place.in == Place::In::output) outputs_ = std::max(outputs_, argument.place.at + 1);
  }
  const Layout scratchpad = descriptor.scratchpad_desc();
  // Every scratchpad is the same room after the reserved one, whose final size is not known yet: run adds it.
  if (scratchpad.get_size() > 0) arguments.push_back({DNNL_ARG_SCRATCHPAD, scratchpad, {Place::In::scratch, 0}});
  scratchpad_ = std::max(scratchpad_, scratchpad.get_size());
  require_memory(most_for_a_primitive, "making a primitive of oneDNN");
  try {
    steps_.push_back({dnnl::primitive(descriptor.get()), std::move(arguments)});
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) no_memory("oneDNN was making a primitive");
    throw;
  }
}

void* Program::address(const Argument& argument, std::span<const void* const> inputs, std::span<void* const> outputs, void* scratch) const {
  switch (argument.place.in) {
    case Place::In::input: return const_cast<void*>(inputs[argument.place.at]);  // the library's memory objects know no const
    case Place::In::output: return outputs[argument.place.at];
    case Place::In::scratch: return static_cast<std::byte*>(scratch) + (argument.name == DNNL_ARG_SCRATCHPAD ? reserved_ : argument.place.at);
  }
  __builtin_unreachable();
}

std::unique_ptr<Program::Bound> Program::take_bound() const {
  Slot& slot = slots_[thread_number() % slots_.size()];
  if (Bound* kept = slot.kept.exchange(nullptr, std::memory_order_acquire)) return std::unique_ptr<Bound>(kept);
  try {
    return std::make_unique<Bound>(steps_);
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) no_memory("oneDNN was making memory objects");
    throw InternalError(text_of(error));
  }
}

void Program::keep_bound(std::unique_ptr<Bound> bound) const {
  Slot& slot = slots_[thread_number() % slots_.size()];
  Bound* empty = nullptr;
  if (slot.kept.compare_exchange_strong(empty, bound.get(), std::memory_order_release, std::memory_order_relaxed)) static_cast<void>(bound.release());
}

void Program::run(std::span<const void* const> inputs, std::span<void* const> outputs, void* scratch) const {
  if (inputs.size() != inputs_) throw InternalError(fmt::format("a oneDNN primitive of {} inputs was run with {}", inputs_, inputs.size()));
  if (outputs.size() != outputs_) throw InternalError(fmt::format("a oneDNN primitive of {} outputs was run with {}", outputs_, outputs.size()));
  if (scratch_bytes() > 0 && scratch == nullptr) throw InternalError("a oneDNN primitive that needs scratch was run without");
  if (!numbers_.empty()) {
    float number = number_factor_;
    for (std::size_t input : numbers_) number *= *static_cast<const float*>(inputs[input]);
    *reinterpret_cast<float*>(static_cast<std::byte*>(scratch) + number_.at) = number;
  }
  on_one_thread([&] {
    std::unique_ptr<Bound> bound = take_bound();
    std::size_t next = 0;
    for (const Step& step : steps_) {
      const std::size_t first = next;
      for (const Argument& argument : step.arguments) {
        bound->point(next++, address(argument, inputs, outputs, scratch));
      }
      expect_success(dnnl_primitive_execute(step.primitive.get(), bound->stream.get(), static_cast<int>(next - first), bound->arguments.data() + first),
                     "executing a primitive");
    }
    expect_success(dnnl_stream_wait(bound->stream.get()), "waiting for a stream");
    keep_bound(std::move(bound));
  });
  auto* const scaled = static_cast<float*>(outputs[0]);
  for (std::size_t i = 0; i < scaled_; ++i) scaled[i] *= factor_;
  if (afterwards_) afterwards_(inputs, outputs);
}

std::string text_of(const dnnl::error& error) { return fmt::format("{}: {} ({})", library_name(), error.what(), dnnl_status2str(error.status)); }

bool is_reference(const Descriptor& descriptor) {
  const std::string_view name = descriptor.impl_info_str();
  return name.starts_with("ref") || name.find(":ref") != std::string_view::npos;
}

Made refuse_reference(const Descriptor& descriptor, const char* what) {
  return refuse(Refusal::slow_reference, fmt::format("{} has only its reference implementation {} for {}", library_name(), descriptor.impl_info_str(), what));
}

Made refuse_common(DType dtype, std::initializer_list<std::span<const std::int64_t>> sizes) {
  if (dtype != f32) return refuse(Refusal::dtype, fmt::format("oneDNN is used for f32 only, not for {}", name_of(dtype)));
  for (std::span<const std::int64_t> some : sizes) {
    for (std::int64_t size : some) {
      if (size < 0) return refuse(Refusal::malformed, fmt::format("a size is negative ({})", size));
      if (size == 0) return refuse(Refusal::empty, "a size is 0: there is nothing for oneDNN to compute");
    }
  }
  if (!unheld_reason().empty()) return refuse(Refusal::thread_runtime, unheld_reason());
  return {};
}

Made refuse_far_windows(std::span<const std::int64_t> output, std::span<const std::int64_t> stride, std::span<const std::int64_t> kernel,
                        std::span<const std::int64_t> dilation, std::span<const std::int64_t> padding) {
  constexpr double farthest = 0x1p30;
  for (std::size_t i = 0; i < output.size(); ++i) {
    const double reach = static_cast<double>(output[i]) * static_cast<double>(stride[i]) + static_cast<double>(kernel[i]) * static_cast<double>(dilation[i]) +
                         static_cast<double>(padding[i]);
    if (reach > farthest) return refuse(Refusal::layout, fmt::format("windows that reach {:.0f} entries far", reach));
  }
  return {};
}

}  // namespace cotan::onednn
