// The rows.
#include "tests/backends/preconditions.h"

namespace cotan::testing {
namespace {

using Values = std::vector<std::string>;

// Numbers of rows on both sides of what is cut into tiles.
const Values& rows() {
  static const Values all{"2", "64", "100", "128", "129", "257", "1000"};
  return all;
}

// What may follow a product's value %2, alone and with a tensor e of its shape.
const Values& activations() {
  static const Values all{"relu(%2)",
                          "relu6(%2)",
                          "leaky_relu(%2) {negative_slope=0.01}",
                          "elu(%2) {alpha=1}",
                          "tanh(%2)",
                          "sigmoid(%2)",
                          "exp(%2)",
                          "square(%2)",
                          "abs(%2)",
                          "gelu(%2)",
                          "silu(%2)",
                          "clip(%2) {min=-1, max=0.5}",
                          "hardtanh(%2) {min_val=-1, max_val=1}",
                          "{ sqrt(%2 * %2 + 1) }",
                          "{ %2 * 3 + 0.5 }",
                          "maximum(%2, e)",
                          "minimum(%2, e)",
                          "add(%2, e)",
                          "sub(%2, e)",
                          "mul(%2, e)",
                          "div(%2, e)"};
  return all;
}

}  // namespace

const std::vector<PreconditionRow>& precondition_rows() {
  static const std::vector<PreconditionRow> all = {
      {"masks_of_positions", "fuse_regions", {"tile of a sum without operands"}, R"(
func p(x: f32[$N,$N]) {
  %0: f32[$N,$N] = tanh(x)
  %1: $T[$N,$N][i,j] = 1 ; $WHERE
  %2: f32[$N,$N] = cast(%1)
  %3: f32[$N,$N] = { %0 * %2 + where(%2 == 0, f32(-5), f32(0)) }
  %4: f32[$N][i] = %3[i,p]
  return y=%3, z=%4
}
)", {{"N", rows()}, {"T", {"i32", "u8"}},
        {"WHERE", {"0<=i-j<$N", "0<=j-i<2", "0<=i-$(N/2)<$N", "0<=j-1<$N", "0<=i+j-$N<$(N*2)"}}}, false},
      {"masks_by_map", "fuse_regions", {}, R"(
func p(x: f32[$N,$M]) {
  %0: f32[$N,$M] = tanh(x)
  %1: bool[$N,$M] = { true }
  %2: bool[$N,$M][i,j] = %1[i,j] ; 0<=i-j<$N
  %3: f32[$N,$M] = map(%2, %0) { where(%2, %0, 0.25) }
  return y=%3
}
)", {{"N", rows()}, {"M", {"128", "200"}}}, false},
      {"placed_constants", "fuse_regions", {}, R"(
func p(x: f32[$N,$M]) {
  %0: f32[$N,$M] = tanh(x)
  %1: f32[$(N-2),$(M-2)] = { 0.5 }
  %2: f32[$N,$M][i+1,j+1] = %1[i,j]
  %3: f32[$N,$M] = mul(%0, %2)
  return y=%3
}
)", {{"N", {"3", "100", "200", "258"}}, {"M", {"130", "1000"}}}, false},
      {"placed_rows", "fuse_regions", {"fusion fuse_regions"}, R"(
func p(x: f32[$N,$M]) {
  %0: f32[$N,$M] = exp(x)
  %1: f32[$N,$M][$AT,j] = %0[i,j]
  %2: f32[$N,$M] = sub(%0, %1)
  %3: f32[$N][i] = max %2[i,p]
  return y=%2, m=%3
}
)", {{"N", {"2", "64", "128", "258"}}, {"M", {"256"}}, {"AT", {"i", "i+1", "i-1", "$(N-1)-i"}}}, false},
      {"one_row_of_many", "fuse_regions", {}, R"(
func p(x: f32[$N], g: f32[]) {
  %0: f32[$N] = exp(x)
  %1: f32[$N][$AT] = g[]
  %2: f32[$N] = mul(%0, %1)
  return d=%2
}
)", {{"N", {"8", "1000", "100000"}}, {"AT", {"$(N-1)", "0", "3"}}}, false},
      {"rows_that_meet", "fuse_regions", {"fusion fuse_regions", "tile of a reduce"}, R"(
func p(x: f32[$N,128]) {
  %0: f32[$N,128] = tanh(x)
  %1: f32[$N,128][i,j] = max %0[$READ,j]; p<3
  %2: f32[$N,128] = sub(%0, %1)
  return y=%2
}
)", {{"N", {"64", "256", "1000"}}, {"READ", {"i+p-1", "i+p", "i"}}}, false},
      {"blocks_of_rows", "fuse_regions", {"fusion fuse_regions", "tile of a sum"}, R"(
func p(x: f32[$(N*4),128]) {
  %0: f32[$(N*4),128] = tanh(x)
  %1: f32[$N,128][i,j] = %0[$READ,j] ; p<4
  %2: f32[$N,128] = exp(%1)
  return y=%2
}
)", {{"N", {"16", "64", "250"}}, {"READ", {"4*i+p", "4*i+p-1", "2*i+p", "p"}}}, false},
      {"tables", "fuse_regions", {"recognise gather", "recognise scatter"}, R"(
func p(x: f32[$N,64], t: i32[$N]) {
  %0: i32[$N] = check(t) {below=64, what="t"}
  %1: f32[$N,64] = tanh(x)
  %2: f32[$N][i] = %1[$READ]
  %3: f32[$N,64][$TO] = %2[i]
  %4: f32[$N,64] = sub(%1, %3)
  return y=%4
}
)", {{"N", {"64", "512", "1000"}}, {"READ", {"i,%0[i]", "%0[i],3", "i,%0[i]-1"}},
        {"TO", {"i,%0[i]", "%0[i],0", "i,2*%0[i]"}}}, false},
      {"scans", "fuse_regions", {"tile of a scan"}, R"(
func p(x: f32[$N,128], a: f32[$N,128]) {
  %0: f32[$N,128] = tanh(x)
  %1: f32[$N,128] = sigmoid(a)
  %2: f32[$N,128] = scan(%1, %0) {axis=$A, reverse=$R}
  %3: f32[$N,128] = mul(%2, %0)
  return y=%3
}
)", {{"N", {"64", "256", "1000"}}, {"A", {"0", "1"}}, {"R", {"true", "false"}}}, true},
      {"orders", "fuse_regions", {"tile of a order"}, R"(
func p(x: f32[$N,16]) {
  %0: f32[$N,16] = tanh(x)
  %1: i32[$N,16] = order(%0) {axis=$A, descending=false}
  %2: f32[$N,16] = cast(%1)
  %3: f32[$N,16] = mul(%2, %0)
  return y=%3
}
)", {{"N", {"64", "1000"}}, {"A", {"0", "1"}}}, false},
      {"calls", "fuse_regions", {"tile of a call"}, R"(
func p(x: f32[$N,128]) {
  %0: f32[$N,128] = tanh(x)
  %1: f32[$N,128] = call softmax(%0) {dim=$D}
  %2: f32[$N,128] = exp(%1)
  return y=%2
}
)", {{"N", {"1", "64", "257", "1000"}}, {"D", {"0", "1"}}}, true},
      {"softmax_by_hand", "fuse_regions", {}, R"(
func p(x: f32[$N,$M]) {
  %0: f32[$N] [i] = max x[i,p]
  %1: f32[$N,$M][i,j] = %0[i]
  %2: f32[$N,$M] = sub(x, %1)
  %3: f32[$N,$M] = exp(%2)
  %4: f32[$N][i] = %3[i,p]
  %5: f32[$N,$M][i,j] = %4[i]
  %6: f32[$N,$M] = div(%3, %5)
  return y=%6
}
)", {{"N", {"1", "2", "7", "64", "129", "1000"}}, {"M", {"1", "8", "128"}}}, true},
      {"max_pooling", "max_before_relu", {"recognise max pooling"}, R"(
func p(x: f32[2,4,$H,$H], w: f32[2,4,$H,$H]) {
  %0: f32[2,4,$H,$H][i,j,k,l] = max x[$READ]; p<3, q<3
  %1: f32[2,4,$H,$H] = mul(%0, w)
  return y=%1
}
)", {{"H", {"3", "7", "16"}},
        {"READ", {"i,j,k+p-1,l+q-1", "i,j,k+p,l+q", "i,j,k+2*p-2,l+q-1", "i,j,l+p-1,k+q-1", "i,j,k-p+1,l+q-1"}}}, true},
      {"gradient_of_part_of_a_maximum", "max_before_relu", {"recognise maximum's gradient"}, R"(
func p(x: f32[2,$C,$H,$H], g: f32[$PART]) {
  %0: f32[2,$C,$H,$H][i,j,k,l] = max x[i,j,k+p-1,l+q-1]; p<3, q<3
  %1: i32[2,$C,$H,$H,2][i,j,k,l] = argmax x[i,j,k+p-1,l+q-1]; p<3, q<3
  %2: f32[2,$C,$H,$H][i,j,k+%1[i,j,k,l,0]-1,l+%1[i,j,k,l,1]-1] = g[i,j,k,l]
  return y=%0, d=%2
}
)", {{"C", {"2", "16"}}, {"H", {"4", "8"}},
        {"PART", {"2,$C,$H,$H", "1,$C,$H,$H", "2,$(C/2),$H,$H", "2,$C,$(H-1),$H", "2,$C,$H,$(H/2)"}}}},
      {"pooled_first_of_two", "max_before_relu", {}, R"(
func p(x: f32[2,$C,$H,$H], w: f32[2,$(C*2),$H,$H]) {
  %0: f32[2,$C,$H,$H][i,j,k,l] = max x[i,j,k+p-1,l+q-1]; p<3, q<3
  %1: f32[2,$(C*2),$H,$H][i,j+$A,k,l] = %0[i,j,k,l]
  %2: f32[2,$(C*2),$H,$H][i,j+$B,k,l] = x[i,j,k,l]
  %3: f32[2,$(C*2),$H,$H] = add(%1, %2)
  %4: f32[2,$(C*2),$H,$H] = mul(%3, w)
  return y=%4
}
)", {{"C", {"2", "16"}}, {"H", {"4", "8"}}, {"A", {"0", "$C"}}, {"B", {"0", "$C"}}}, true},
      {"average_pooling", "", {"recognise pooling", "recognise pooling's gradient"}, R"(
func p(x: f32[4,8,$H,$H], w: f32[4,8,$O,$O]) {
  %0: f32[4,8,$O,$O][i,j,k,l] = 0.25 * x[$READ]; p<2, q<2
  %1: f32[4,8,$O,$O] = mul(%0, w)
  return y=%1
}
)", {{"H", {"8", "17"}}, {"O", {"4", "8"}},
        {"READ", {"i,j,2*k+p,2*l+q", "i,j,k+p,l+q", "i,j,k+p-1,l+q-1", "i,j,k+p+1,l+q", "i,j,p,q", "i,j,k-p+1,l+q"}}}, true},
      {"relu_before_maximum", "max_before_relu", {"pass max_before_relu"}, R"(
func p(x: f32[8,$L], w: f32[8,$O]) {
  %0: f32[8,$L] = relu(x)
  %1: f32[8,$O][i,j] = max %0[i,$READ]; p<2
  %2: f32[8,$O] = mul(%1, w)
  return y=%2$MORE
}
)", {{"L", {"2", "3", "8", "16"}}, {"O", {"1", "2", "4"}}, {"READ", {"2*j+p", "j+p", "j+3*p-1", "2*j+3*p-1", "j+p-3"}},
        {"MORE", {"", ", r=%0"}}}, true},
      {"products", "", {"recognise matmul"}, R"(
func p(a: f32[$M,$K], b: f32[300,300]) {
  %0: f32[$M,$N][i,j] = a[$A] * b[$B] ; p<$K
  return c=%0
}
)", {{"M", {"1", "2", "65", "200"}}, {"K", {"1", "16", "129"}}, {"N", {"1", "64"}}, {"A", {"i,p", "i,p+1"}},
        {"B", {"p,j", "j,p", "2*p,j", "p,j+1"}}}, true},
      {"two_summed_indices", "fuse_epilogues", {"fusion fuse_epilogues"}, R"(
func p(a: f32[$M,$O,$K], b: f32[$O,$N,$K], e: f32[$M,$N]) {
  %1: f32[$M,$N][i,j] = a[i,p,q] * b[p,j,q]
  %2: f32[$M,$N] = add(%1, e)
  %3: f32[$M,$N] = $TAIL
  return c=%3
}
)", {{"M", {"7", "129", "300"}}, {"O", {"2", "16"}}, {"K", {"3", "64"}}, {"N", {"16", "64"}},
        {"TAIL", {"relu(%2)", "{ %2 * e + 0.5 }", "tanh(%2)"}}}, false},
      {"batches_of_products", "fuse_epilogues", {}, R"(
func p(a: f32[$B,$H,$M,16], b: f32[$H,16,32], e: f32[$B,$M,32]) {
  %1: f32[$B,$M,32][i,j,k] = a[i,p,j,q] * b[p,q,k]
  %2: f32[$B,$M,32] = add(%1, e)
  return c=%2
}
)", {{"B", {"1", "2", "8"}}, {"H", {"1", "4"}}, {"M", {"7", "64", "129"}}}, true},
      {"steps_after_a_product", "fuse_epilogues", {"fusion fuse_epilogues"}, R"(
func p(a: f32[$M,$K], b: f32[$K,128], d: f32[128], e: f32[$M,128]) {
  %0: f32[$M,128][i,j] = a[i,p] * b[p,j]
  %1: f32[$M,128][i,j] = d[j]
  %2: f32[$M,128] = add(%0, %1)
  %3: f32[$M,128] = $TAIL
  return c=%3$MORE
}
)", {{"M", {"16", "257"}}, {"K", {"16", "130"}}, {"TAIL", activations()}, {"MORE", {"", ", r=%0"}}}, false},
      {"steps_after_a_convolution", "fuse_epilogues", {}, R"(
func p(x: f32[2,8,8,8], w: f32[$C,8,3,3], d: f32[$C], e: f32[2,$C,8,8]) {
  %0: f32[2,$C,8,8][i,j,k,l] = x[i,p,k+q-1,l+r-1] * w[j,p,q,r]
  %1: f32[2,$C,8,8][i,j,k,l] = d[j]
  %2: f32[2,$C,8,8] = add(%0, %1)
  %3: f32[2,$C,8,8] = $TAIL
  return c=%3
}
)", {{"C", {"3", "16"}}, {"TAIL", activations()}}, false},
      {"convolutions", "layouts",
       {"recognise convolution", "recognise backward-data convolution", "recognise backward-weights convolution"}, R"(
func p(x: f32[2,$C,8,8], w: f32[$O,$C,3,3]) {
  %0: f32[2,$O,6,6][i,j,k,l] = x[i,p,$READ] * w[j,p,q,r]
  return y=%0
}
)", {{"C", {"1", "3", "16"}}, {"O", {"1", "16"}},
        {"READ", {"k+q,l+r", "k+q-1,l+r-1", "k-q+1,l+r", "2*k+q,l+2*r-2", "k+q+r,l", "l+q,k+r"}}}, true},
      {"updates_in_products", "fuse_updates_into_products", {"fusion fuse_updates_into_products"}, R"(
func step(x: f32[$B,96], g: f32[$B,64], w: f32[96,64], lr: f32[], e: f32[96,64]) {
  %0: f32[96,64][i,j] = lr[]
  %1: f32[96,64][i,j] = g[p,j] * x[p,i]
  %2: f32[96,64] = { $NEW }
  return w=%2$MORE
}
)", {{"B", {"1", "7", "40", "1000"}},
        {"NEW", {"w - (%0 * %1)", "w + %1", "w - (%0 * (%1 + e))", "e - (%0 * %1)", "w - (%0 * (%1 + w))"}},
        {"MORE", {"", ", r=%1"}}}, false},
      {"updates", "fuse_updates", {"fusion fuse_updates"}, R"(
func step(x: f32[4,$N], y: f32[4,$M], h: f32[$M], w: f32[$N,$M], b: f32[$M], lr: f32[]) {
  %0: f32[$N,$M][i,j] = lr[]
  %1: f32[$N,$M][i,j] = x[p,i] * y[p,j]
  %2: f32[$N,$M] = tanh(%1)
  %3: f32[$N,$M] = { w - (%0 * %2) }
  %4: f32[$M][i] = lr[]
  %5: f32[$M] = { b - (%4 * h) }
  return w=%3, b=%5$MORE
}
)", {{"N", {"1", "96", "700"}}, {"M", {"1", "64", "500"}}, {"MORE", {"", ", r=%1"}}}, false},
      {"long_sums", "split_sums", {"pass split_sums"}, R"(
func p(x: f32[$N,$M]) {
  %0: f32[$N,$M] = tanh(x)
  %1: f32[$M][i] = 0.5 * %0[p,i]
  %2: f32[][] = %0[p,q]
  return y=%1, z=%2
}
)", {{"N", {"1", "7", "63", "64", "512", "1000", "1031"}}, {"M", {"1", "31", "64"}}}, true},
      {"loops_that_end_in_sums", "fuse_sums", {"fusion fuse_sums"}, R"(
func p(x: f32[$N,$M], b: f32[$M]) {
  %0: f32[$N,$M][i,j] = b[j]
  %1: f32[$N,$M] = $MAP
  %2: f32[$N][i] = 0.5 * %1[i,p]
  %3: f32[$M][i] = %1[p,i]
  %4: f32[][] = %1[p,q]
  return y=$LAST$MORE
}
)", {{"N", {"2", "64", "129", "512"}}, {"M", {"1", "32", "33", "512"}},
        {"MAP", {"mul(x, %0)", "{ tanh(sin(x) * exp(%0)) }"}},
        {"LAST", {"%2", "%3", "%4", "%2, z=%3"}}, {"MORE", {"", ", v=%1"}}}, false},
      {"loops_of_other_shapes", "fuse_kernels", {"fusion fuse_kernels"}, R"(
func p(x: f32[$N,32], b: f32[32]) {
  %0: f32[$N,32][i,j] = b[j]
  %1: f32[$N,32] = add(x, %0)
  %2: f32[$N,32] = tanh(%1)
  %3: f32[$M,32][i,j] = %2[i,j]
  %4: f32[$M,32] = exp(%3)
  return y=%4, z=%2
}
)", {{"N", {"1", "2", "64", "1000"}}, {"M", {"1", "2", "64"}}}, true},
      {"placed_copies", "place_copies", {"fusion place_copies", "recognise placed copy"}, R"(
func p(a: f32[$N,8], b: f32[$N,8], c: f32[$(N*2),8]) {
  %0: f32[$(N*2),8][$A] = a[i,j]
  %1: f32[$(N*2),8][$B] = b[i,j]
  %2: f32[$(N*2),8] = add(%0, %1)
  %3: f32[$(N*2),8] = $LAST
  return y=%3$MORE
}
)", {{"N", {"1", "2", "64", "129"}}, {"A", {"i,j", "i+1,j", "2*i,j"}}, {"B", {"i+$N,j", "i,j", "2*i+1,j", "i,7-j"}},
        {"LAST", {"add(%2, c)", "mul(%2, c)"}}, {"MORE", {"", ", r=%1"}}}, true},
      {"one_hot_masks", "masks", {"pass masks", "recognise mask"}, R"(
func p(x: f32[$N,$M], g: f32[$N], t: i32[$N]) {
  %0: i32[$N] = check(t) {below=$M, what="target"}
  %1: f32[$N,$M][$TO] = -0.25 * g[i]
  %2: f32[$N,$M] = $READ
  return y=%2, %0
}
)", {{"N", {"3", "64", "1000"}}, {"M", {"7", "64"}}, {"TO", {"i,%0[i]", "i,%0[i]+1", "i,2*%0[i]"}},
        {"READ", {"add(x, %1)", "{ exp(%1) * x }"}}}, false},
      {"masks_read_by_sums", "masks", {"pass masks"}, R"(
func p(x: f32[$N,$M]) {
  %0: f32[$N,$M][i,j] = 1 ; 0<=$E<$N
  %1: f32[$N,$M] = mul(x, %0)
  %2: f32[$M][i] = %0[p,i]
  return y=%1, z=%2
}
)", {{"N", {"2", "100", "257"}}, {"M", {"64", "257"}}, {"E", {"i-j", "i+j-3", "j-i+1", "2*i-j"}}}, false},
      {"casts_beside_moves", "place_casts", {"pass place_casts"}, R"(
func p(x: f32[8,$M], s: bf16[64,$M], t: i32[3]) {
  %0: f32[8,$M] = exp(x)
  %1: f32[10,8,$M][i,j,k] = %0[j,k]
  %2: bf16[10,8,$M] = cast(%1)
  %3: f32[64,$M] = cast(s)
  %4: i32[3] = check(t) {below=64, what="index"}
  %5: f32[3,$M][i,j] = %3[%4[i],j]
  %6: f32[3,$M] = tanh(%5)
  return y=%2, z=%6, %4$MORE
}
)", {{"M", {"1", "6", "128"}}, {"MORE", {"", ", a=%1, b=%3"}}}, false},
      {"copies_in_the_order_of_reading", "place_in_order", {"pass place_in_order"}, R"(
func p(q: f32[2,3,$D], k: f32[2,3,$D], v: f32[2,3,$D], x: f32[6,5]) {
  %0: f32[3,2,3,$D][0,i,j,l] = q[i,j,l]
  %1: f32[3,2,3,$D][1,i,j,l] = k[i,j,l]
  %2: f32[3,2,3,$D] = add(%0, %1)
  %3: f32[3,2,3,$D][2,i,j,l] = v[i,j,l]
  %4: f32[3,2,3,$D] = add(%2, %3)
  %5: f32[6,$(D*3)][3*i+j,$D*l+m] = %4[l,i,j,m]
  %6: f32[5,$(D*3)][i,j] = x[p,i] * %5[p,j]
  return w=%6$MORE
}
)", {{"D", {"1", "4", "64"}}, {"MORE", {"", ", r=%4"}}}, true},
      {"derivatives_by_results", "derivatives_in_outputs", {"pass derivatives_in_outputs"}, R"(
func p(x: f32[$N,16], d: f32[$N,16]) {
  %0: f32[$N,16] = tanh(x)
  %1: f32[$N,16] = $ACT
  %2: f32[$N,16] = { where(%0 $LESS $AT, 0, d) }
  return y=%1, d=%2
}
)", {{"N", {"1", "64"}},
        {"ACT", {"relu(%0)", "relu6(%0)", "elu(%0) {alpha=1}", "elu(%0) {alpha=-1}", "leaky_relu(%0) {negative_slope=0.1}",
                 "leaky_relu(%0) {negative_slope=-0.1}", "hardtanh(%0) {min_val=-1, max_val=1}", "hardtanh(%0) {min_val=0.25, max_val=0.5}",
                 "clip(%0) {min=-0.5, max=0.5}", "abs(%0)"}},
        {"LESS", {"<=", "<", ">"}}, {"AT", {"0", "0.5"}}}, false},
      {"products_of_three", "regroup", {"pass regroup"}, R"(
func p(x: f32[$N,48], w: f32[48,64], v: f32[64,16]) {
  %0: f32[$N,16][i,j] = x[i,p] * w[p,q] * v[q,j]
  %1: f32[$N,16][i,j] = x[i,p+$S] * w[p,j]
  %2: f32[$N][i] = x[i,p] * x[i,p+1] * w[p,p]
  return y=%0, z=%1, u=%2
}
)", {{"N", {"1", "7", "32"}}, {"S", {"0", "1"}}}, true},
      {"sums_of_sums", "merge_sums", {"pass merge_sums"}, R"(
func p(x: f32[$N,4], w: f32[4,6]) {
  %0: f32[$N,6][i,j] = x[i,p] * w[p,j]
  %1: f32[6,$N][i,j] = %0[j,i]
  %2: f32[$N][i] = %0[i,p]
  %3: f32[][] = %2[p]
  %4: f32[4,6][i,j] = x[p,i] * %0[p,j]
  return y=%1, z=%3, v=%4$MORE
}
)", {{"N", {"1", "3", "100"}}, {"MORE", {"", ", r=%0, s=%2"}}}, true},
      {"views_before_products", "fold_views", {"pass fold_views"}, R"(
func p(x: f32[$N,$N], w: f32[5,$N]) {
  %0: f32[$N,5][i,j] = w[j,i]
  %1: f32[4,$N][i,j] = x[$READ]
  %2: f32[4,5][i,j] = %0[p,j] * %1[i,p]
  return y=%2
}
)", {{"N", {"6", "64", "300"}}, {"READ", {"i+2,j", "i,j-1", "2*i,j", "i,$(N-1)-j"}}}, true},
      {"constants", "fold_constants", {"pass fold_constants"}, R"(
func p(x: f32[$N]) {
  %0: i32[$N] = iota() {axis=0}
  %1: i32[][] = %0[p]
  %2: f32[] = cast(%1)
  %3: f32[$N][i] = %2[]
  %4: f32[$N] = add(x, %3)
  return y=%4
}
)", {{"N", {"1", "4", "1000", "20000"}}}, false},
      {"rules", "simplify", {"pass simplify"}, R"(
func p(x: f32[$N], z: f32[$N]) {
  %0: f32[$N] = { $RULE }
  %1: f32[$N] = { -1 }
  %2: f32[$N] = atan2(%0, %1)
  return y=%0, angle=%2
}
)", {{"N", {"1", "64", "1000"}},
        {"RULE", {"x + 0", "0 - x", "x - 0", "x * 1", "x * -1", "-(-x)",
                  "x + x", "x - x", "x * 0", "(x * z) * 2", "log(x * x + 1)",
                  "x / 1", "1 / x * z", "where(x < 0, x, x)", "max(x, x)", "min(x, 0)"}}}, false},
      {"composites", "inline_calls", {"pass inline_calls"}, R"(
func p(x: f32[$N,$M]) {
  %0: f32[$N,$M] = tanh(x)
  %1: f32[$N,$M] = call $CALL
  return y=%1
}
)", {{"N", {"1", "2", "64", "1000"}}, {"M", {"1", "10", "128"}},
        {"CALL", {"softmax(%0) {dim=1}", "softmax(%0) {dim=0}", "log_softmax(%0) {dim=1}"}}}, true},
      {"blocks_of_channels", "layouts", {"pass layouts"}, R"(
func net(x: f32[2,3,8,8], k: f32[$C,3,3,3], b: f32[$C], q: f32[$D,$C,3,3]) {
  %0: f32[2,$C,8,8][i,j,l,m] = x[i,p,l+r-1,m+s-1] * k[j,p,r,s]
  %1: f32[2,$C,8,8][i,j,l,m] = b[j]
  %2: f32[2,$C,8,8] = add(%0, %1)
  %3: f32[2,$C,8,8] = relu(%2)
  %4: f32[2,$C,4,4][i,j,l,m] = max %3[i,j,2*l+p,2*m+r]; p<2, r<2
  %5: f32[2,$D,4,4][i,j,l,m] = %4[i,p,l+r-1,m+s-1] * q[j,p,r,s]
  return y=%5
}
)", {{"C", {"15", "16", "17", "32", "48"}}, {"D", {"1", "32", "64"}}}, true},
      {"images_in_tiles", "fuse_regions", {}, R"(
func net(x: f32[$N,3,16,16], k: f32[8,3,3,3], b: f32[8]) {
  %0: f32[$N,8,16,16][i,j,l,m] = k[j,p,q,r] * x[i,p,l+q-1,m+r-1]
  %1: f32[$N,8,16,16][i,j,l,m] = b[j]
  %2: f32[$N,8,16,16] = add(%0, %1)
  %3: f32[$N,8,16,16] = relu(%2)
  %4: f32[$N,8,8,8][i,j,l,m] = max %3[i,j,2*l+p,2*m+q]; p<2, q<2
  return y=%4
}
)", {{"N", {"1", "2", "7", "12"}}}, true},
  };
  return all;
}

}  // namespace cotan::testing
