#include "backends/onednn/blocked_layouts.h"

#include <algorithm>
#include <array>

namespace cotan::onednn {
namespace {

using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;
constexpr auto element = dnnl::memory::data_type::f32;

// One layout for 1, 2 and 3 spatial dimensions.
using Tags = std::array<Tag, 3>;

struct TensorTags {
  std::int64_t block;
  Tags tags;
};
constexpr std::array tensor_tags{TensorTags{16, {Tag::nCw16c, Tag::nChw16c, Tag::nCdhw16c}}, TensorTags{8, {Tag::nCw8c, Tag::nChw8c, Tag::nCdhw8c}}};

struct WeightsTags {
  std::int64_t in, out;
  bool out_innermost;
  Tags tags;
};
constexpr std::array weights_tags{WeightsTags{16, 16, true, {Tag::OIw16i16o, Tag::OIhw16i16o, Tag::OIdhw16i16o}},
                                  WeightsTags{16, 16, false, {Tag::OIw16o16i, Tag::OIhw16o16i, Tag::OIdhw16o16i}},
                                  WeightsTags{1, 16, true, {Tag::Owi16o, Tag::Ohwi16o, Tag::Odhwi16o}},
                                  WeightsTags{8, 8, true, {Tag::OIw8i8o, Tag::OIhw8i8o, Tag::OIdhw8i8o}},
                                  WeightsTags{8, 8, false, {Tag::OIw8o8i, Tag::OIhw8o8i, Tag::OIdhw8o8i}},
                                  WeightsTags{1, 8, true, {Tag::Owi8o, Tag::Ohwi8o, Tag::Odhwi8o}}};

// Sizes of the tensor that this is a part of, channels counting blocks. `order`: its dimensions from the outermost in; a step of the last one is `innermost`
// elements. Nothing where the strides are none of such a tensor's.
std::optional<Dims> whole_sizes(const Dims& counts, const Dims& strides, const std::vector<std::size_t>& order, std::int64_t innermost) {
  Dims whole = counts;
  std::int64_t step = innermost;
  for (std::size_t k = order.size(); k-- > 0;) {
    const std::size_t d = order[k];
    if (counts[d] > 1 && strides[d] != step) return std::nullopt;
    if (const std::size_t outer = k > 0 ? order[k - 1] : d; outer != d && counts[outer] > 1) {
      if (strides[outer] % step != 0 || strides[outer] / step < counts[d]) return std::nullopt;
      whole[d] = strides[outer] / step;
    }
    step *= whole[d];
  }
  return whole;
}

std::optional<Layout> part_of(const Dims& sizes, const Dims& whole, Tag tag) {
  const Layout layout(whole, element, tag);
  if (whole == sizes) return layout;
  Layout part = layout.submemory_desc(sizes, Dims(sizes.size(), 0), true);
  if (part == Layout()) return std::nullopt;
  return part;
}

}  // namespace

std::optional<Layout> blocked_tensor(const Dims& sizes, const Dims& strides, std::int64_t block) {
  const auto* const tags = std::ranges::find(tensor_tags, block, &TensorTags::block);
  if (tags == tensor_tags.end() || sizes[1] % block != 0) return std::nullopt;
  Dims counts = sizes;
  counts[1] /= block;
  std::vector<std::size_t> order;
  for (std::size_t d = 0; d < sizes.size(); ++d) order.push_back(d);
  std::optional<Dims> whole = whole_sizes(counts, strides, order, block);
  if (!whole) return std::nullopt;
  (*whole)[1] *= block;
  return part_of(sizes, *whole, tags->tags[sizes.size() - 3]);
}

std::optional<Layout> blocked_weights(const Dims& sizes, const Dims& strides, const ConvolutionBlocks& blocks) {
  const auto* const tags = std::ranges::find_if(
      weights_tags, [&](const WeightsTags& t) { return t.in == blocks.in && t.out == blocks.out && (t.in == 1 || t.out_innermost == blocks.out_innermost); });
  if (tags == weights_tags.end() || sizes[0] % blocks.out != 0 || sizes[1] % blocks.in != 0) return std::nullopt;
  Dims counts = sizes;
  counts[0] /= blocks.out;
  counts[1] /= blocks.in;
  std::vector<std::size_t> order{0};
  if (blocks.in > 1) order.push_back(1);
  for (std::size_t d = 2; d < sizes.size(); ++d) order.push_back(d);
  if (blocks.in == 1) order.push_back(1);
  std::optional<Dims> whole = whole_sizes(counts, strides, order, blocks.in * blocks.out);
  if (!whole) return std::nullopt;
  (*whole)[0] *= blocks.out;
  (*whole)[1] *= blocks.in;
  return part_of(sizes, *whole, tags->tags[sizes.size() - 3]);
}

ConvolutionBlocks blocks_of(const ConvolutionLayouts& layouts, const Dims& source, const Dims& weights, const Dims& result) {
  ConvolutionBlocks blocks;
  const auto of = [](const Layout& layout, const Dims& sizes) {
    for (const TensorTags& t : tensor_tags)
      if (sizes[1] % t.block == 0 && layout == Layout(sizes, element, t.tags[sizes.size() - 3])) return t.block;
    return std::int64_t{1};
  };
  blocks.source = of(layouts.source, source);
  blocks.result = of(layouts.result, result);
  for (const WeightsTags& t : weights_tags) {
    if (weights[0] % t.out != 0 || weights[1] % t.in != 0 || layouts.weights != Layout(weights, element, t.tags[weights.size() - 3])) continue;
    blocks.in = t.in;
    blocks.out = t.out;
    blocks.out_innermost = t.out_innermost;
    break;
  }
  return blocks;
}

}  // namespace cotan::onednn
