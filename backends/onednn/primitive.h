// oneDNN's primitives as the rest of the backends see them: no type of the library appears here.
//
//   a Problem        says what is to be computed: MatmulProblem, ConvolutionProblem, PoolingProblem, SoftmaxProblem, LayerNormProblem, BatchNormProblem,
//   ReorderProblem. Sizes and strides are in elements, never in bytes. Primitive::make  gives a Primitive, or a Refusal with its reason. It never throws for a
//   problem that the library cannot or should not do. Primitive::run   computes. It keeps no state between calls: any number of threads may run one primitive
//   at once, each with its own scratch.
//
// Everything runs on the calling thread alone, whichever thread runtime the library was built for (one_thread.h).
//
// NaN and infinity propagate through every primitive as through the mathematics of the same graph. Where the library's own code would lose them, what is
// said in the last column keeps them; the tests check each line.
//
//   primitive             situation                               here         by
//   matmul                NaN or infinity in a or b, 0 * inf      propagates   the library
//   matmul                NaN in c before the call                propagates if accumulated, else overwritten: the library
//   matmul, c += s a b    s is 0, the product is not finite       propagates   a look at a and b where s is 0
//   convolution           NaN or infinity inside a window         propagates   the library
//   convolution, jit      infinite factor that meets padding      propagates (contributes nothing): the library
//   convolution, others   infinite factor that meets padding      propagates   a look at that factor; plain loops where it is not finite
//   average pooling       NaN or infinity inside a window         propagates   the library
//   max pooling           NaN beside other values                 propagates   a look at the source, still in cache
//   max pooling           nothing but NaN or -inf in a window     propagates   a look at the result
//   layer norm            NaN or infinity in a row                propagates   the library: the row is NaN
//   batch norm            NaN or infinity in a channel            propagates   the library: the channel is NaN
//   softmax               -inf beside finite values               propagates   the library: 0 there
//   softmax               a row of -inf only                      propagates   the library: NaN
//   softmax               NaN or +inf in a row                    propagates   a look at the result: the whole row becomes NaN
//   softmax backward      NaN in y or in the cotangent            propagates   the library: the whole row is NaN
//   log_softmax           anything                                not claimed
//   post-op, all kinds    NaN or infinity                         propagates   the library
//   relu, exp, gelu, clip, max, min behind a product              propagates   a loop of our own over the result, still in cache (tail.h)
//
// Accuracy, measured on AVX-512: softmax has a relative error up to 4e-6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/dtype.h"
#include "ops/shape.h"

namespace cotan::onednn {

// What may be done to each element v of a product or of a forward convolution before it is stored. All of them keep NaN and infinity. The library's relu, exp,
// gelu, clip, max and min do not (its relu of NaN is 0), so they are none of these.
enum class PostOpKind : std::uint8_t {
  // Functions of v.
  linear,      // alpha * v + beta
  leaky_relu,  // v above 0, otherwise alpha * v; alpha is not 0
  elu,         // v above 0, otherwise alpha * (e^v - 1)
  tanh,
  sigmoid,
  sqrt,
  square,
  abs,
  silu,  // v * sigmoid(v)
  // Functions of v and the element t of a tensor.
  add,  // v + t
  sub,  // v - t
  mul,  // v * t
  div,  // v / t
  // v plus what the output held before.
  accumulate,
};

// "leaky_relu": for reports.
[[nodiscard]] const char* name_of(PostOpKind kind);
// Whether the kind reads a tensor of its own.
[[nodiscard]] constexpr bool reads_tensor(PostOpKind kind) { return kind >= PostOpKind::add && kind <= PostOpKind::div; }
// Whether the result has the bits of a loop that does the same to a number.
[[nodiscard]] constexpr bool rounded_as_in_loops(PostOpKind kind) { return kind == PostOpKind::abs || reads_tensor(kind); }

// One of the steps between the sum of products and the store.
struct PostOp {
  PostOpKind kind = PostOpKind::linear;
  float alpha = 0, beta = 0;
  // Of the tensor that it reads: one stride for each dimension of the output (a product's batch, m and n; a convolution's batch, channel and spatial ones), 0
  // where the tensor repeats. The tensor is one number; or one for each n or channel, contiguous; or laid out exactly like a product's c, or any full tensor
  // for a convolution. A full tensor with the strides of a blocked result has its blocks. Anything else is refused.
  Shape strides = {};
  bool operator==(const PostOp&) const = default;
};

// c[batch, m, n] = sum over k of a[batch, m, k] * b[batch, k, n], and then what `after` says.
// Inputs of run: {a, b}, then the tensors that `after` reads, in order; output: c.
struct MatmulProblem {
  DType dtype = f32;
  Shape batch;  // sizes of the batch dimensions, outermost first; may be empty; at most 6
  std::int64_t m = 0, n = 0, k = 0;
  Shape a_strides;  // one for each batch dimension (0: a is the same for all of it), then m, then k
  Shape b_strides;  // one for each batch dimension (0: b is the same for all of it), then k, then n
  Shape c_strides;  // one for each batch dimension, then m, then n
  std::vector<PostOp> after;
};

// What a convolution computes, as indexed sums with input position = stride * output position + dilation * kernel position - padding; a position outside
// the input contributes nothing.
enum class ConvolutionDirection : std::uint8_t {
  forward,           // inputs {source, weights}; output: result
  backward_data,     // inputs {cotangent of the result, weights}; output: cotangent of the source
  backward_weights,  // inputs {source, cotangent of the result}; output: cotangent of the weights
};

// Which memory layouts the library's kernel works on. A layout other than the caller's is reached by reorders inside run.
enum class ConvolutionLayout : std::uint8_t {
  automatic,  // whichever is expected to be faster for the sizes at hand
  plain,      // the caller's layouts, no reorders
  blocked,    // the kernel's choice, reorders where it differs from the caller's layouts
};

// Blocks of channels, innermost in memory, of a convolution's tensors: nChw16c has `source` 16. 1: none, the tensor has strides.
struct ConvolutionBlocks {
  std::int64_t source = 1, result = 1;
  // Of the weights' two kinds of channel. Both: OIhw16i16o, or OIhw16o16i where not `out_innermost`. Only `out`: Ohwi16o, input channels behind the taps.
  std::int64_t in = 1, out = 1;
  bool out_innermost = true;
  bool operator==(const ConvolutionBlocks&) const = default;
};

// A convolution of one to three spatial dimensions, with groups, in one of three directions.
struct ConvolutionProblem {
  ConvolutionDirection direction = ConvolutionDirection::forward;
  DType dtype = f32;
  std::int64_t batch = 0;
  std::int64_t groups = 1;
  std::int64_t in_channels = 0, out_channels = 0;  // of the whole tensors; both divisible by groups
  Shape input, kernel, output;                     // spatial sizes, 1 to 3 each
  Shape stride, dilation;                          // one for each spatial dimension, at least 1; dilation 1 is a dense kernel
  Shape padding;                                   // zeros before the first input position; those after the last follow from the output's size
  Shape source_strides;                            // batch, channel, spatial
  Shape weights_strides;                           // group, out channel in the group, in channel in the group, spatial
  Shape result_strides;                            // batch, channel, spatial
  ConvolutionBlocks blocks;                        // without groups; the strides of a channel are then from block to block
  std::vector<PostOp> after;                       // forward only, without accumulate; the tensors are inputs after the two of the direction
  ConvolutionLayout layout = ConvolutionLayout::automatic;

  // Zeros after the last input position of spatial dimension i; negative where the last windows do not reach the end of the input.
  [[nodiscard]] std::int64_t padding_after(std::size_t i) const {
    return (output[i] - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - input[i] - padding[i];
  }
};

// The blocks that the library's fastest kernel for the problem has, which has none itself, where they are worth reorders; what it has beside is not said.
[[nodiscard]] ConvolutionBlocks preferred_blocks(const ConvolutionProblem& problem);

enum class SoftmaxDirection : std::uint8_t {
  forward,   // inputs {x}; output: y
  backward,  // inputs {y, cotangent of y}; output: cotangent of x
};

// softmax along one axis.
struct SoftmaxProblem {
  SoftmaxDirection direction = SoftmaxDirection::forward;
  DType dtype = f32;
  Shape shape;
  std::size_t axis = 0;
  Shape x_strides, y_strides;  // one for each dimension; the cotangents have the strides of their tensors
};

// What a pooling computes, with source position = stride * result position + dilation * tap - padding.
enum class PoolingDirection : std::uint8_t {
  forward,   // inputs {source}; outputs {result}
  training,  // the same; a maximum also gives its workspace, which says where it was found: outputs {result, workspace}
  backward,  // inputs {cotangent of the result}, for a maximum also the workspace; outputs {cotangent of the source}
};

// The largest entry of each window, the first of equals getting the gradient; or the sum of each window times a factor. Positions outside the source count
// for nothing. All tensors are dense: planes, then one to three spatial dimensions, then channels.
struct PoolingProblem {
  PoolingDirection direction = PoolingDirection::forward;
  bool max = false;
  DType dtype = f32;
  std::int64_t planes = 0;          // batch times channels, but for those of the next line
  std::int64_t channels = 1;        // that lie innermost, as in blocks
  Shape input, kernel, output;      // spatial sizes, 1 to 3 each
  Shape stride, dilation, padding;  // as in ConvolutionProblem
  double factor = 1;                // what the sums or, backward, the cotangents are multiplied by
};

enum class NormDirection : std::uint8_t {
  forward,   // inputs {x, scale, shift}, outputs {y, mean, variance}
  backward,  // inputs {x, cotangent of y, mean, variance, scale}, outputs {cotangents of x, scale, shift}
};

// y = (x - mean) / sqrt(variance + epsilon) in each row of a dense (rows, features), times a scale and plus a shift for each feature if `affine`; one mean and
// one biased variance a row.
struct LayerNormProblem {
  NormDirection direction = NormDirection::forward;
  DType dtype = f32;
  std::int64_t rows = 0, features = 0;
  float epsilon = 0;
  bool affine = false;  // otherwise there is no scale and no shift among inputs and outputs
};

// The same in each of some neighbouring channels of a dense (batch, all channels, space); x, y and their cotangents start at the first of these. One mean and
// variance, scale and shift a channel.
struct BatchNormProblem {
  NormDirection direction = NormDirection::forward;
  DType dtype = f32;
  std::int64_t batch = 0, channels = 0, space = 0;
  std::int64_t all_channels = 0;  // of the tensor
  float epsilon = 0;
  bool affine = false;
};

// A copy of a tensor into other strides, f32. Inputs {from}, outputs {to}.
struct ReorderProblem {
  Shape sizes;
  Shape from, to;  // strides, one for each dimension, all positive
};

// Why no primitive was made.
enum class Refusal : std::uint8_t {
  none,             // there is a primitive
  dtype,            // not float32
  empty,            // a size is 0
  malformed,        // sizes or strides that do not belong together
  layout,           // strides that oneDNN cannot describe
  slow_reference,   // only the library's reference implementation would do it, or one that is as slow
  library_refused,  // the library has no implementation, or failed to create one
  thread_runtime,   // the library's threads cannot be held to one
};

// The name of a refusal's kind: "slow_reference".
[[nodiscard]] const char* name_of(Refusal refusal);

class Primitive;

// What make gives: a primitive, or a refusal and its text ("oneDNN 2.6.3 has only its reference implementation ref:any for ...").
struct Made {
  std::shared_ptr<const Primitive> primitive;
  Refusal refusal = Refusal::none;
  std::string reason;

  explicit operator bool() const { return primitive != nullptr; }
};

class Program;

// A oneDNN primitive, with the reorders it needs, ready to run.
class Primitive {
 public:
  [[nodiscard]] static Made make(const MatmulProblem& problem);
  [[nodiscard]] static Made make(const ConvolutionProblem& problem);
  [[nodiscard]] static Made make(const SoftmaxProblem& problem);
  [[nodiscard]] static Made make(const PoolingProblem& problem);
  [[nodiscard]] static Made make(const LayerNormProblem& problem);
  [[nodiscard]] static Made make(const BatchNormProblem& problem);
  [[nodiscard]] static Made make(const ReorderProblem& problem);

  // Internal to this folder.
  explicit Primitive(std::unique_ptr<const Program> program);
  ~Primitive();
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;

  // What does the work, in the library's words, then what was done around it: "jit:avx512_core, reorders: source, weights, result".
  [[nodiscard]] const std::string& implementation() const;

  // Bytes that run needs as scratch; 0 where it needs none.
  [[nodiscard]] std::size_t scratch_bytes() const;

  // How many buffers run reads and writes.
  [[nodiscard]] std::size_t inputs() const;
  [[nodiscard]] std::size_t outputs() const;

  // Bytes of the workspace that a training pooling makes and its gradient reads; 0 where there is none.
  [[nodiscard]] std::size_t workspace_bytes() const;

  // Computes. `inputs` and `outputs` in the order that the problem's comment gives; `scratch` holds scratch_bytes(), 64-byte aligned, of no content, used by
  // no other thread meanwhile. Outputs overlap neither inputs nor scratch, except that softmax may write over an input of the same strides. A wrong number of
  // inputs or outputs, and a failure inside the library, are InternalErrors.
  void run(std::span<const void* const> inputs, std::span<void* const> outputs, void* scratch) const;

 private:
  std::unique_ptr<const Program> program_;
};

// "oneDNN 2.6.3": the library that is linked.
[[nodiscard]] std::string library_name();

}  // namespace cotan::onednn
