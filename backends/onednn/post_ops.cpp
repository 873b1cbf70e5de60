#include "backends/onednn/post_ops.h"

#include <fmt/format.h>

#include <algorithm>

namespace cotan::onednn {

std::optional<Reach> reach_of(const Shape& sizes, const Shape& strides, std::size_t channel) {
  bool any = false, all = true, others = false;
  for (std::size_t i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] == 1) continue;
    const bool moves = strides[i] != 0;
    any |= moves;
    all &= moves;
    others |= moves && i != channel;
  }
  if (!any) return Reach::everything;
  if (!others && strides[channel] == 1) return Reach::channel;
  if (all) return Reach::entry;
  return std::nullopt;
}

Layout bias_layout(const PostOpTarget& target, std::size_t rank) {
  dnnl::memory::dims sizes(rank, 1), strides(rank, target.sizes[target.channel]);
  sizes.back() = target.sizes[target.channel];
  strides.back() = 1;
  return {sizes, dnnl::memory::data_type::f32, strides};
}

bool starts_with_bias(std::span<const PostOp> after, std::span<const Reach> reaches) {
  return !after.empty() && after[0].kind == PostOpKind::add && reaches[0] == Reach::channel;
}

AttachedPostOps attach(std::span<const PostOp> after, std::span<const Reach> reaches, const PostOpTarget& target, std::optional<std::size_t> bias_rank) {
  AttachedPostOps attached;
  std::size_t input = 2;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (!reads_tensor(after[i].kind)) {
      append_post_op(attached.ops, after[i], nullptr);
      continue;
    }
    if (i == 0 && bias_rank) {
      attached.tensors.push_back({DNNL_ARG_BIAS, bias_layout(target, *bias_rank), input++, false});
      continue;
    }
    dnnl::memory::dims sizes(target.sizes.size(), 1), strides(target.sizes.size(), 1);
    if (reaches[i] == Reach::channel) {
      sizes[target.channel] = target.sizes[target.channel];
      std::fill_n(strides.begin(), target.channel, sizes[target.channel]);
    }
    const bool full = reaches[i] == Reach::entry;
    const Layout layout = full ? target.full : Layout(sizes, dnnl::memory::data_type::f32, strides);
    const int name = DNNL_ARG_ATTR_MULTIPLE_POST_OP(attached.ops.len()) | DNNL_ARG_SRC_1;
    append_post_op(attached.ops, after[i], &layout);
    attached.tensors.push_back({name, layout, input++, full});
  }
  return attached;
}

Made refuse_steps(std::span<const PostOp> after) {
  const auto same_function = [](const PostOp& a, const PostOp& b) { return a.kind == b.kind && !reads_tensor(a.kind); };
  for (std::size_t i = 0; i < after.size(); ++i)
    for (std::size_t j = i + 1; j < after.size(); ++j)
      if (same_function(after[i], after[j]) && (after[i].alpha != after[j].alpha || after[i].beta != after[j].beta))
        return refuse(Refusal::library_refused,
                      fmt::format("two post-operations {} of different parameters, which the library confuses", name_of(after[j].kind)));
  return {};
}

std::string text_of(std::span<const PostOp> after) {
  return after.empty() ? std::string() : fmt::format(" with {} post-operation{}", after.size(), after.size() == 1 ? "" : "s");
}

}  // namespace cotan::onednn
