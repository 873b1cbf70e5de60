// Claims run by hand: a node, views of any strides for its operands, a number of workers; the result against the reference in float64.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "backends/onednn/backend.h"
#include "backends/onednn/claims.h"
#include "backends/reference/reference.h"
#include "graph/builder.h"
#include "tests/onednn/helpers.h"
#include "tests/onednn/wide_kernels.h"

namespace cotan::onednn::testing {

inline Ref input(const std::string& name, const Shape& shape) { return graph::parameter(name, f32, shape); }

// A tensor in memory: dense unless strides are given; `permuted` has its dimensions in memory in another order.
inline View dense(const Shape& shape) { return View::dense(f32, shape); }
inline View permuted(const Shape& shape, const std::vector<std::size_t>& outermost_first) {
  View v{f32, shape, shape, 0};
  std::int64_t stride = 1;
  for (std::size_t i = outermost_first.size(); i-- > 0;) {
    v.strides[outermost_first[i]] = stride;
    stride *= shape[outermost_first[i]];
  }
  return v;
}

// The node's values for those of its operands, in float64.
inline reference::Array expected(const Ref& node, std::span<const reference::Array> operands) {
  std::vector<Ref> types;
  for (const Edge& e : node->operands()) types.emplace_back(e);
  const auto alone = graph::make_function("alone", types, [&](std::span<const Ref> p) { return graph::rebuild(*node.node(), p); });
  return reference::evaluate(*alone, operands, {.exact = true})[0];
}

// Runs every chunk once, chunk c on thread c % threads, later chunks first.
inline void run_chunks(const Kernel& kernel, std::span<void* const> buffers, int threads) {
  std::vector<std::thread> team;
  for (int t = 0; t < threads; ++t) {
    team.emplace_back([&, t] {
      for (std::int64_t c = kernel.chunks(); c-- > 0;) {
        if (c % threads != t) continue;
        Scratch scratch(kernel.scratch_bytes());
        kernel.run(c, buffers, scratch.data());
        scratch.expect_untouched_around();
      }
    });
  }
  for (std::thread& t : team) t.join();
}

inline void expect_near(const reference::Array& got, const reference::Array& want, double tolerance) {
  ASSERT_EQ(got.shape, want.shape);
  double largest = 1;
  for (double v : want.values) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < want.values.size(); ++i)
    ASSERT_LE(std::abs(got.values[i] - want.values[i]), tolerance * largest) << "at " << i << ": " << got.values[i] << " where " << want.values[i] << " is due";
}

// A kernel for sum `node` over these views, whatever its size.
inline Attempt attempt(const Ref& node, const std::vector<View>& views, int threads, const BackendOptions& options = {}) {
  const auto& spec = node->as<SumSpec>();
  const TensorShapes shapes = tensor_shapes(*node.node());
  const Forms forms{as_matmul(spec, shapes), as_convolution(spec, shapes)};
  return attempt_forms(forms, spec, {View::dense(f32, node->shape), views[0], views[1]}, {}, options, threads);
}

// Runs a kernel of `node` whose inputs are the node's operands number `reads`, over tensors of these views, against the reference. `operands` in the views'
// order; missing ones are filled with small numbers.
inline void expect_computes(const Kernel& kernel, const Ref& node, const std::vector<std::size_t>& reads, const std::vector<View>& views, int threads,
                            std::vector<reference::Array> operands = {}, double tolerance = 5e-6) {
  if (operands.empty()) {
    for (std::uint32_t k = 0; k < node->operand_count; ++k) {
      Tensor values(node->operand(k).shape());
      values.fill(k + 1);
      operands.push_back(reference::from_buffer(values.data(), dense(values.shape())));
    }
  }
  std::vector<std::unique_ptr<Tensor>> tensors;
  std::vector<void*> buffers;
  for (std::size_t i = 0; i < reads.size(); ++i) {
    tensors.push_back(std::make_unique<Tensor>(views[i].shape, views[i].strides));
    reference::to_buffer(operands[reads[i]], tensors.back()->data(), views[i]);
    // A view that repeats its elements holds one of them: the operand is what the memory says.
    operands[reads[i]] = reference::from_buffer(tensors.back()->data(), views[i]);
    buffers.push_back(tensors.back()->data());
  }
  Tensor output(node->shape);
  output.fill_all(std::nanf(""));
  buffers.push_back(output.data());
  run_chunks(kernel, buffers, threads);
  for (const auto& t : tensors) t->expect_canaries();
  output.expect_canaries();
  expect_near(reference::from_buffer(output.data(), dense(node->shape)), expected(node, operands), tolerance);
}

// A sum of any size claimed over these views with so many workers computes what the reference does. Gives the kernel.
inline KernelRef expect_sum(const Ref& node, const std::vector<View>& views, int threads = 1) {
  const Attempt made = attempt(node, views, threads);
  EXPECT_TRUE(made.kernel) << made.reason.detail;
  if (made.kernel) expect_computes(*made.kernel, node, {0, 1}, views, threads);
  return made.kernel;
}
inline KernelRef expect_sum(const Ref& node, int threads = 1) {
  return expect_sum(node, {dense(node->operand(0).shape()), dense(node->operand(1).shape())}, threads);
}

// Whether the library has a primitive for the node, which is of a form that it takes. With AVX-512 it always has; without, the refusal has to be the library's.
inline bool library_has(const Ref& node) {
  const Match match = onednn_backend().match(node, {});
  const auto* why = std::get_if<Reason>(&match);
  if (why == nullptr) return true;
  EXPECT_FALSE(has_wide_kernels()) << why->detail;
  EXPECT_EQ(why->code, ReasonCode::primitive_refused) << why->detail;
  return false;
}

// The backend's reason against a node; fails where it is claimed.
inline Reason expect_no_claim(const Ref& node, const BackendOptions& options = {}) {
  const Match match = onednn_backend().match(node, options);
  const auto* why = std::get_if<Reason>(&match);
  EXPECT_NE(why, nullptr) << "claimed";
  return why != nullptr ? *why : Reason{};
}

}  // namespace cotan::onednn::testing
