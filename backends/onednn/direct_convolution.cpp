#include "backends/onednn/direct_convolution.h"

#include <cmath>
#include <optional>

#include "backends/loops/nan_scan.h"

namespace cotan::onednn {
namespace {

// The offset of entry number `flat` of some dimensions.
std::int64_t offset_of(std::span<const std::int64_t> sizes, std::span<const std::int64_t> strides, std::int64_t flat) {
  std::int64_t offset = 0;
  for (std::size_t d = sizes.size(); d-- > 0; flat /= sizes[d]) offset += flat % sizes[d] * strides[d];
  return offset;
}

// A convolution's tensors, by the numbers of image, channel, window and tap.
class Direct {
 public:
  explicit Direct(const ConvolutionProblem& problem) : p_(problem), in_(p_.in_channels / p_.groups), out_(p_.out_channels / p_.groups) {}

  [[nodiscard]] std::int64_t in() const { return in_; }
  [[nodiscard]] std::int64_t windows() const { return p_.output.elements(); }
  [[nodiscard]] std::int64_t taps() const { return p_.kernel.elements(); }

  // Of the source's channel number c of those that output channel o reads; none in the padding.
  [[nodiscard]] std::optional<std::int64_t> source(std::int64_t image, std::int64_t o, std::int64_t c, std::int64_t window, std::int64_t tap) const {
    std::int64_t offset = image * p_.source_strides[0] + channel(o / out_ * in_ + c, p_.source_strides[1], p_.blocks.source);
    for (std::size_t d = p_.input.rank(); d-- > 0; window /= p_.output[d], tap /= p_.kernel[d]) {
      const std::int64_t position = p_.stride[d] * (window % p_.output[d]) + p_.dilation[d] * (tap % p_.kernel[d]) - p_.padding[d];
      if (position < 0 || position >= p_.input[d]) return std::nullopt;
      offset += position * p_.source_strides[d + 2];
    }
    return offset;
  }
  [[nodiscard]] std::int64_t weights(std::int64_t o, std::int64_t c, std::int64_t tap) const {
    const auto& [source_block, result_block, in, out, out_innermost] = p_.blocks;
    const std::int64_t group = o / out_, row = o % out_;
    return group * p_.weights_strides[0] + row / out * p_.weights_strides[1] + c / in * p_.weights_strides[2] +
           offset_of(p_.kernel, std::span<const std::int64_t>(p_.weights_strides).subspan(3), tap) +
           (out_innermost ? c % in * out + row % out : row % out * in + c % in);
  }
  [[nodiscard]] std::int64_t result(std::int64_t image, std::int64_t o, std::int64_t window) const {
    return image * p_.result_strides[0] + channel(o, p_.result_strides[1], p_.blocks.result) +
           offset_of(p_.output, std::span<const std::int64_t>(p_.result_strides).subspan(2), window);
  }

 private:
  // Channels may lie in blocks, whose entries are innermost.
  static std::int64_t channel(std::int64_t c, std::int64_t stride, std::int64_t block) { return c / block * stride + c % block; }

  const ConvolutionProblem& p_;
  std::int64_t in_, out_;  // channels of a group
};

void forward(const ConvolutionProblem& p, const float* source, const float* weights, const float* bias, float* result) {
  const Direct at(p);
  for (std::int64_t image = 0; image < p.batch; ++image)
    for (std::int64_t o = 0; o < p.out_channels; ++o)
      for (std::int64_t window = 0; window < at.windows(); ++window) {
        double sum = 0;
        for (std::int64_t c = 0; c < at.in(); ++c)
          for (std::int64_t tap = 0; tap < at.taps(); ++tap)
            if (const auto read = at.source(image, o, c, window, tap))
              sum += static_cast<double>(source[*read]) * static_cast<double>(weights[at.weights(o, c, tap)]);
        result[at.result(image, o, window)] = static_cast<float>(sum) + (bias != nullptr ? bias[o] : 0.0f);
      }
}

void by_weights(const ConvolutionProblem& p, const float* source, const float* cotangent, float* weights) {
  const Direct at(p);
  for (std::int64_t o = 0; o < p.out_channels; ++o)
    for (std::int64_t c = 0; c < at.in(); ++c)
      for (std::int64_t tap = 0; tap < at.taps(); ++tap) {
        double sum = 0;
        for (std::int64_t image = 0; image < p.batch; ++image)
          for (std::int64_t window = 0; window < at.windows(); ++window)
            if (const auto read = at.source(image, o, c, window, tap))
              sum += static_cast<double>(source[*read]) * static_cast<double>(cotangent[at.result(image, o, window)]);
        weights[at.weights(o, c, tap)] = static_cast<float>(sum);
      }
}

}  // namespace

bool meets_padding_not_finite(const ConvolutionProblem& p, std::span<const void* const> inputs) {
  const Direct at(p);
  const auto* const factor = static_cast<const float*>(inputs[1]);
  const bool is_forward = p.direction == ConvolutionDirection::forward;
  const std::int64_t outer = is_forward ? p.out_channels : p.batch, middle = is_forward ? at.in() : p.out_channels,
                     inner = is_forward ? at.taps() : at.windows();
  const auto offset = [&](std::int64_t i, std::int64_t j, std::int64_t k) { return is_forward ? at.weights(i, j, k) : at.result(i, j, k); };
  // Its entries lie side by side if the last one is where the last of so many would be.
  const std::int64_t entries = outer * middle * inner;
  if (offset(outer - 1, middle - 1, inner - 1) == entries - 1) return loops::any_not_finite(factor, static_cast<std::size_t>(entries));
  for (std::int64_t i = 0; i < outer; ++i)
    for (std::int64_t j = 0; j < middle; ++j)
      for (std::int64_t k = 0; k < inner; ++k)
        if (!std::isfinite(factor[offset(i, j, k)])) return true;
  return false;
}

void convolve_directly(const ConvolutionProblem& p, std::span<const void* const> inputs, std::span<void* const> outputs) {
  const auto input = [&](std::size_t i) { return i < inputs.size() ? static_cast<const float*>(inputs[i]) : nullptr; };
  auto* const output = static_cast<float*>(outputs[0]);
  if (p.direction == ConvolutionDirection::forward)
    forward(p, input(0), input(1), input(2), output);
  else
    by_weights(p, input(0), input(1), output);
}

}  // namespace cotan::onednn
