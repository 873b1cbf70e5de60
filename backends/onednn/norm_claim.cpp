// Claims of layer norm, of batch norm in training, and of their gradients' calls, which read the forward calls' hidden results mean and variance.
//
// Layer norms are cut by rows; each tile of the gradient makes its own part of the scale's and the shift's cotangents, which the compiler adds up. Batch norms
// are cut by blocks of sixteen channels, each of which is a call of its own (norms.cpp says why).
#include <fmt/format.h>

#include <numeric>

#include "backends/onednn/claims.h"
#include "backends/onednn/norm_kernel.h"
#include "backends/onednn/primitive_cache.h"

namespace cotan::onednn {
namespace {

// Several passes over an element, in multiply-adds.
constexpr double work_of_an_element = 10;
// The library's block of channels.
constexpr std::int64_t block = 16;

// The primitive for some of a layer norm's rows, or for some of a batch norm's channels.
Made rows_of(const NormCall& n, std::int64_t some) {
  return shared_primitive(LayerNormProblem{.direction = n.direction, .rows = some, .features = n.channels, .epsilon = n.epsilon, .affine = n.affine});
}
Made channels_of(const NormCall& n, std::int64_t some) {
  return shared_primitive(BatchNormProblem{.direction = n.direction,
                                           .batch = n.batch,
                                           .channels = some,
                                           .space = n.space,
                                           .all_channels = n.channels,
                                           .epsilon = n.epsilon,
                                           .affine = n.affine});
}

std::string text_of(const NormCall& n) {
  const std::string sizes = n.layer ? fmt::format("{}x{}", n.batch, n.channels) : fmt::format("{}x{}x{}", n.batch, n.channels, n.space);
  return fmt::format("{} norm{} {}", n.layer ? "layer" : "batch", n.backward() ? " backward" : "", sizes);
}

// Adds the primitive. The kernel's inputs and outputs are the primitive's, in its order: {x, [cotangent, mean, variance], [scale, [shift]]} and {y or the
// cotangent of x, then the statistics or the cotangents of scale and shift}.
std::size_t add_to(CallList& list, const NormCall& norm, const Made& made) {
  const std::size_t inputs = (norm.backward() ? 4 : 1) + (!norm.affine ? 0 : norm.backward() ? 1 : 2);
  const std::size_t outputs = norm.backward() && !norm.affine ? 1 : 3;
  std::vector<std::size_t> in(inputs), out(outputs);
  std::iota(in.begin(), in.end(), std::size_t{0});
  std::iota(out.begin(), out.end(), inputs);
  return list.add_primitive(made.primitive, std::move(in), std::move(out));
}

// The offsets of a call's arguments: of whole tensors, of the statistics, of scale and shift, of the cotangents of these.
std::vector<std::int64_t> offsets_of(const NormCall& norm, std::int64_t tensor, std::int64_t statistic, std::int64_t affine, std::int64_t affine_cotangent) {
  std::vector<std::int64_t> offsets{tensor};
  if (norm.backward()) offsets.insert(offsets.end(), {tensor, statistic, statistic});
  if (norm.affine) offsets.insert(offsets.end(), norm.backward() ? 1 : 2, affine);
  offsets.push_back(tensor);
  if (!norm.backward()) offsets.insert(offsets.end(), 2, statistic);
  if (norm.backward() && norm.affine) offsets.insert(offsets.end(), 2, affine_cotangent);
  return offsets;
}

Made add_rows(CallList& list, const NormCall& norm, const Cut& tiles) {
  for (std::int64_t i = 0; i < tiles.parts(); ++i) {
    const Part rows = tiles.part(i);
    Made made = rows_of(norm, rows.size);
    if (!made) return made;
    list.add_call(add_to(list, norm, made), offsets_of(norm, rows.first * norm.channels, rows.first, 0, i * norm.channels));
    list.end_chunk();
  }
  return {};
}

Made add_channels(CallList& list, const NormCall& norm, const Cut& tiles) {
  const Cut blocks{norm.channels, block};
  for (std::int64_t i = 0; i < tiles.parts(); ++i) {
    const Part some = tiles.part(i);
    for (std::int64_t b = some.first; b < some.first + some.size; ++b) {
      const Part channels = blocks.part(b);
      Made made = channels_of(norm, channels.size);
      if (!made) return made;
      list.add_call(add_to(list, norm, made), offsets_of(norm, channels.first * norm.space, channels.first, channels.first, channels.first));
    }
    list.end_chunk();
  }
  return {};
}

cotan::Made compile_norm(const NormCall& norm, std::span<const View> inputs, int threads) {
  for (std::size_t i = 0; i < inputs.size(); ++i)
    if (!inputs[i].is_dense()) return {nullptr, {ReasonCode::layout, "norms work on dense tensors"}, static_cast<int>(i)};
  const std::int64_t total = norm.layer ? norm.batch : Cut{norm.channels, block}.parts();
  const bool one = threads <= 1 || norm.elements() * work_of_an_element < worth_a_tile;
  // Channels come in few blocks: several tiles a worker even the ends out.
  const Cut tiles = one ? Cut{total, total} : cut(total, norm.layer ? threads : 4 * std::int64_t{threads});
  auto list = std::make_shared<CallList>();
  if (const Made fault = norm.layer ? add_rows(*list, norm, tiles) : add_channels(*list, norm, tiles); !fault && fault.refusal != Refusal::none)
    return {nullptr, declined(fault).reason, -1};
  list->describe(text_of(norm), (norm.backward() ? 12 : 7) * norm.elements(), 4 * (norm.backward() ? 3 : 2) * norm.elements());
  const Cut means = norm.layer ? tiles : Cut{norm.channels, tiles.tile * block};
  cotan::Made made{norm_kernel(list, norm, means), {}, -1};
  if (norm.layer && norm.backward() && norm.affine) made.parts = {1, tiles.parts(), tiles.parts()};
  return made;
}

using Positions = std::vector<std::int64_t>;

// Whether the attribute lists exactly 0, 1, ... count - 1.
bool lists_all(const Attributes& attributes, std::string_view name, std::size_t count) {
  Positions all(count);
  std::iota(all.begin(), all.end(), std::int64_t{0});
  return attributes.get<Positions>(name) == all;
}

}  // namespace

std::optional<Match> match_norm(const Ref& node, const BackendOptions&) {
  const auto& call = node->as<CallSpec>();
  const bool layer = call.name.starts_with("layer_norm"), backward = call.name.ends_with(".vjp");
  const std::string base = layer ? "layer_norm" : "batch_norm_training";
  if (call.name != base + (backward ? ".vjp" : "")) return std::nullopt;
  const auto no = [](ReasonCode code, std::string detail) { return Match(Reason{code, std::move(detail)}); };
  if (node.dtype() != f32) return no(ReasonCode::dtype, fmt::format("oneDNN is used for f32 only, not for {}", name_of(node.dtype())));

  const Attribute* given = call.attributes.find("given");
  const std::size_t operands = given == nullptr ? 3 : std::get<Positions>(*given).size();
  if (operands == 2) return no(ReasonCode::not_recognised, "a scale without a shift, or the other way round");
  if (backward && !(lists_all(call.attributes, "wrt", operands) && lists_all(call.attributes, "cotangents", 1)))
    return no(ReasonCode::not_recognised, "some of the gradients, or cotangents of the statistics");

  const Ref x = node->operand(0);
  NormCall norm{.layer = layer, .affine = operands == 3, .direction = backward ? NormDirection::backward : NormDirection::forward};
  norm.epsilon = static_cast<float>(call.attributes.get<double>("eps"));
  if (layer) {
    norm.batch = backward ? node->operand(operands + 1).shape().elements() : node->shape_of(1).elements();
    norm.channels = x.shape().elements() / norm.batch;
  } else {
    norm.batch = x.shape()[0];
    norm.channels = x.shape()[1];
    norm.space = x.shape().elements() / (norm.batch * norm.channels);
  }
  if (const Made whole = norm.layer ? rows_of(norm, norm.batch) : channels_of(norm, std::min(norm.channels, block)); !whole) return declined(whole).reason;

  Claim claim;
  claim.inputs = {x};
  if (backward) {  // the call's operands: its forward's, its forward's results, the cotangent of y
    claim.inputs.insert(claim.inputs.end(), {node->operand(operands + 3), node->operand(operands + 1), node->operand(operands + 2)});
    if (norm.affine) claim.inputs.push_back(node->operand(1));
  } else if (norm.affine) {
    claim.inputs.insert(claim.inputs.end(), {node->operand(1), node->operand(2)});
  }
  for (std::uint32_t r = 0; r < node->result_count(); ++r) claim.results.emplace_back(node.node(), r);
  claim.compile = [norm](std::span<const View> inputs, std::span<const View>, int threads) { return compile_norm(norm, inputs, threads); };
  return claim;
}

}  // namespace cotan::onednn
