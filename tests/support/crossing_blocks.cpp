// The building blocks.
#include "tests/support/crossing_blocks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "graph/composites/composites.h"
#include "graph/sums/placed.h"
#include "tests/support/crossing_graph.h"

namespace cotan::testing {

std::vector<double> drawn_values(Random& random, std::int64_t count, double size, bool exact) {
  std::vector<double> v(static_cast<std::size_t>(count));
  for (double& x : v) {
    if (exact)
      x = random.chance(0.3) ? (random.chance(0.5) ? -0.0 : 0.0) : 0.5 * static_cast<double>(random.integer(-4, 4));
    else
      x = size * random.uniform(-1.5, 1.5);
    // Far from where numbers lose their precision towards zero: what is done with those is another matter.
    if (!exact && std::abs(x) < 1e-4 * size) x = std::copysign(1e-4 * size, x);
  }
  return v;
}

Drawing::Drawing(std::uint64_t seed, DType type, bool exact_values) : random(seed), floating(type), exact(exact_values) {}

void Drawing::restart() {
  next_ = 0;
  earlier_.clear();
}

void Drawing::go_back(const Place& to) {
  // Other numbers than before: the same would be drawn again.
  static_cast<void>(random.next());
  next_ = to.parameters;
  drawn_.resize(std::min(drawn_.size(), to.parameters));
  earlier_.resize(to.values);
}

Ref Drawing::next(DType dtype, const Shape& shape, const std::function<std::vector<double>()>& values, std::string_view mark) {
  if (next_ < drawn_.size() && drawn_[next_].dtype() == dtype && drawn_[next_].shape() == shape) return drawn_[next_++];
  std::vector<double> v = values();
  for (double& x : v) x = round_to(dtype, x);
  const Ref p = inputs.add(fmt::format("p{}{}", inputs.parameters().size(), mark), dtype, shape, std::move(v));
  drawn_.push_back(p);
  next_ = drawn_.size();
  return p;
}

Ref Drawing::parameter(const Shape& shape, double size) {
  Random own(random.next());
  return next(floating, shape, [&] { return drawn_values(own, shape.elements(), size, exact); });
}

Ref Drawing::broadcast_parameter(const Shape& shape, double size) {
  const std::size_t rank = shape.rank();
  const double kind = random.unit();
  if (rank == 0 || kind < 0.1) return parameter({}, size);
  if (kind < 0.55) return parameter({shape[rank - 1]}, size);
  if (kind < 0.8 && rank > 2) {
    Shape channels = shape;
    for (std::size_t d = 0; d < rank; ++d) channels[d] = d == 1 ? shape[1] : 1;
    return parameter(channels, size);
  }
  return parameter(shape, size);
}

Ref Drawing::weight(const Shape& shape, std::int64_t inputs_added) {
  Random own(random.next());
  const double few = std::min(0.6, 6.0 / static_cast<double>(std::max<std::int64_t>(1, inputs_added)));
  return next(floating, shape, [&] {
    std::vector<double> v = drawn_values(own, shape.elements(), 1 / std::sqrt(static_cast<double>(std::max<std::int64_t>(1, inputs_added))), exact);
    if (exact)
      for (double& x : v) x = own.chance(few) ? (own.chance(0.5) ? 1 : -1) : 0;
    return v;
  });
}

Ref Drawing::table(const Shape& shape, std::int64_t below, DType dtype) {
  Random own(random.next());
  const Ref t = next(dtype, shape, [&] { return random_integers(own, shape.elements(), 0, below - 1); }, fmt::format("_below{}", below));
  return graph::check(t, below, "index");
}

Ref Drawing::conditions(const Shape& shape) {
  Random own(random.next());
  return next(DType::boolean, shape, [&] { return random_integers(own, shape.elements(), 0, 1); });
}

Ref Drawing::stored(const Shape& shape, DType dtype) {
  Random own(random.next());
  return next(dtype, shape, [&] { return drawn_values(own, shape.elements(), 1, exact); });
}

Ref Drawing::earlier(const Shape& shape) {
  std::vector<Ref> fit;
  for (const Ref& r : earlier_)
    if (r.shape() == shape && r.dtype() == floating) fit.push_back(r);
  return fit.empty() ? Ref() : random.pick(fit);
}

namespace {

using namespace cotan::graph;

// One of these that divides n, or 0.
std::int64_t divisor_of(Drawing& d, std::int64_t n, std::initializer_list<std::int64_t> of) {
  std::vector<std::int64_t> fit;
  for (std::int64_t k : of)
    if (k <= n && n % k == 0) fit.push_back(k);
  return fit.empty() ? 0 : d.random.pick(fit);
}

// One of these sizes whose work, `unit` nanoseconds each, there is room for; or 1.
std::int64_t size_within(Drawing& d, double unit, std::initializer_list<std::int64_t> of) {
  std::vector<std::int64_t> fit;
  for (std::int64_t k : of)
    if (static_cast<double>(k) * unit <= d.room / 4) fit.push_back(k);
  return fit.empty() ? 1 : d.random.pick(fit);
}

bool is_matrix(const Ref& x) { return x.shape().rank() == 2; }
bool is_image(const Ref& x) { return x.shape().rank() == 4; }
double points(const Ref& x) { return static_cast<double>(x.shape().elements()); }

Ref number(const Ref& like, double value) { return fill(value, like.dtype(), like.shape()); }
Ref scaled(const Ref& x, double by) { return mul(x, number(x, by)); }

// The rows of x in a tensor of one more or one less dimension; rows may be none.
Ref reshaped(const Ref& x, const Shape& shape) { return reshape(x, {.shape = Sizes(shape.begin(), shape.end())}); }

Ref activation(Drawing& d, const Ref& x) {
  const std::size_t kind = d.random.below(d.exact ? 10 : 24);
  switch (kind) {
    case 0:
    case 1: return relu(x);
    case 2: return relu6(x);
    case 3: return clip(x, -1, 2);
    case 4: return maximum(x, d.broadcast_parameter(x.shape()));
    case 5: return minimum(x, d.broadcast_parameter(x.shape()));
    case 6: return hardtanh(x, -1, 1);
    case 7: return leaky_relu(x, 0.25);
    case 8: return where(gt(x, number(x, 0)), x, scaled(x, -0.5));
    case 9: return abs(x);
    case 10: return sigmoid(x);
    case 11: return gelu(x);
    case 12: return silu(x);
    case 13: return elu(x, 1);
    case 14: return exp(scaled(tanh(x), 2));
    case 15: return sqrt(add(square(x), number(x, 1)));
    case 16: return div(x, add(square(x), number(x, 1)));
    case 17: return gelu_tanh(x);
    case 18: return softplus(x, 1, 20);
    case 19: return sin(x);
    case 20: return square(tanh(x));
    case 21: return exp(scaled(x, 0.25));
    default: return tanh(x);
  }
}

// ---- products

Ref linear_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x)) return {};
  const std::int64_t f = x.shape()[1], m = size_within(d, points(x) * 3, {1, 2, 8, 10, 16, 64, 100, 128, 129, 256});
  if (d.random.chance(0.5)) return with_tail(d, matmul(x, d.weight({f, m}, f)));
  const Ref w = d.weight({m, f}, f);
  return with_tail(d, linear(x, w, d.random.chance(0.5) ? d.parameter({m}) : Ref()));
}

// Two summed indices that no one stride walks over: out[n,m] = x[n,o,j] * w[o,m,j], and the like.
Ref two_index_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x)) return {};
  const std::int64_t f = x.shape()[1], o = divisor_of(d, f, {2, 3, 4, 8, 16}), n = x.shape()[0];
  if (o < 2) return {};
  const std::int64_t j = f / o, m = size_within(d, points(x) * 3, {1, 8, 16, 64, 100, 128});
  const bool parameter = d.random.chance(0.5);
  const Ref x3 = parameter ? d.parameter({n, o, j}) : reshaped(x, {n, o, j});
  SumSpec s;
  s.domain = {n, m, o, j};
  s.output = {index_of(0), index_of(1)};
  s.factors = {{index_of(0), index_of(2), index_of(3)}, {index_of(2), index_of(1), index_of(3)}};
  const Ref factors[] = {x3, d.weight({o, m, j}, f)};
  Ref y = sum(std::move(s), {n, m}, factors);
  if (parameter) y = d.random.chance(0.5) && m == f ? add(y, x) : y;
  return with_tail(d, y);
}

Ref einsum_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x)) return {};
  const std::int64_t n = x.shape()[0], f = x.shape()[1], h = divisor_of(d, f, {1, 2, 4, 8}), b = divisor_of(d, n, {1, 2, 4, 10});
  if (h < 1 || b < 1) return {};
  const std::int64_t t = n / b, e = f / h, m = size_within(d, points(x) * 3, {1, 8, 16, 32, 64, 100});
  const std::size_t kind = d.random.below(6);
  if (kind == 5) {  // three factors
    const Ref u = d.weight({f, 4}, f), v = d.parameter({m, 4});
    return with_tail(d, einsum({x, u, v}, {.equation = "nf,fk,mk->nm"}));
  }
  const Ref heads = permute(reshaped(x, {b, t, h, e}), {.dims = {0, 2, 1, 3}});
  Ref y;
  if (kind < 2) {
    y = einsum({heads, d.weight({h, e, m}, f)}, {.equation = "bhtd,hde->bte"});
    y = with_tail(d, y);
  } else if (kind == 2) {
    y = with_tail(d, einsum({heads, d.weight({h, m, e}, e)}, {.equation = "bhtd,hed->bhte"}));
    y = permute(y, {.dims = {0, 2, 1, 3}});
    return reshaped(y, {n, h * m});
  } else if (kind == 3) {
    y = einsum({heads, d.weight({e, m}, f)}, {.equation = "bhtd,de->bte"});
  } else {
    y = einsum({heads, d.weight({h, e, m}, f), d.parameter({t})}, {.equation = "bhtd,hde,t->bte"});
  }
  return reshaped(y, {n, m});
}

// Products whose steps no gradient reads, so that all of them may be part of the kernel.
Ref stopped_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x)) return {};
  const std::int64_t f = x.shape()[1];
  if (points(x) * 3 * static_cast<double>(f) > d.room / 3) return {};
  Ref y = matmul(x, d.weight({f, f}, f));
  for (std::int64_t k = d.random.integer(1, 3); k > 0; --k) {
    switch (d.exact ? 0 : d.random.below(9)) {
      case 1:
      case 7:
      case 8: y = div(y, add(square(d.parameter(y.shape())), number(y, 1))); break;
      case 2: y = sqrt(add(square(y), number(y, 0.25))); break;
      case 3: y = silu(y); break;
      case 4: y = gelu(y); break;
      case 5: y = elu(y, 1); break;
      default: y = activation(d, y); break;
    }
  }
  return add(scaled(x, 0.5), stop_gradient(y));
}

// A query, a key and a value cut from one product, whose gradient lays three parts side by side again.
Ref parts_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x)) return {};
  const std::int64_t n = x.shape()[0], f = x.shape()[1], b = divisor_of(d, n, {1, 2, 4}), h = divisor_of(d, f, {1, 2, 4});
  if (b < 1 || h < 1 || points(x) * 9 * static_cast<double>(f) > d.room / 3) return {};
  const Ref all = matmul(x, d.weight({f, 3 * f}, f));
  const Ref parts = permute(reshaped(all, {b, n / b, 3, h, f / h}), {.dims = {2, 0, 3, 1, 4}});
  const auto part = [&](std::int64_t i) { return select(parts, {.dim = 0, .index = i}); };
  const Ref y = d.random.chance(0.5) ? add(mul(part(0), part(1)), part(2)) : sub(maximum(part(0), part(1)), part(2));
  return reshaped(permute(y, {.dims = {0, 2, 1, 3}}), {n, f});
}

// Attention by hand or as the composite, with a mask made of conditions on positions, or none.
Ref attention_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x) || x.shape()[0] == 1 || d.exact) return {};
  const std::int64_t n = x.shape()[0], f = x.shape()[1], b = n == 0 ? 0 : divisor_of(d, n, {1, 2, 4}), h = divisor_of(d, f, {1, 2, 4});
  const std::int64_t t = n == 0 ? 5 : n / b, e = f / h;
  if (static_cast<double>(b * h * t * t) * (6 * static_cast<double>(e) + 60) > d.room / 3) return {};
  const auto heads = [&](const Ref& y) { return permute(reshaped(y, {b, t, h, e}), {.dims = {0, 2, 1, 3}}); };
  const bool projected = d.random.chance(0.4);
  const auto projection = [&] { return heads(projected ? matmul(x, d.weight({f, f}, f)) : mul(x, d.parameter({f}))); };
  const Ref q = projection(), k = projection(), v = projection();
  Ref y;
  if (d.random.chance(0.35)) {
    y = scaled_dot_product_attention(q, k, v, {}, {.is_causal = d.random.chance(0.5)});
  } else {
    Ref scores = scaled(matmul(q, transpose(k)), 1 / std::sqrt(static_cast<double>(e)));
    const std::size_t mask = d.random.below(4);
    const Shape square_shape{t, t};
    if (mask == 0) {
      const Ref ones = fill(1, DType::boolean, square_shape);
      scores = where(broadcast(triu(ones, {.diagonal = 1}), scores.shape()), number(scores, -1e9), scores);
    } else if (mask == 1) {
      scores = add(scores, broadcast(triu(fill(-5, x.dtype(), square_shape), {.diagonal = 1}), scores.shape()));
    } else if (mask == 2) {
      scores = where(broadcast(d.conditions(d.random.chance(0.5) ? square_shape : Shape{b, 1, 1, t}), scores.shape()), scores, number(scores, -30));
    }
    const Ref p = softmax(scores);
    if (d.random.chance(0.3)) d.remember(p);
    y = matmul(p, v);
  }
  y = reshaped(permute(y, {.dims = {0, 2, 1, 3}}), {n, f});
  return d.random.chance(0.5) ? add(y, x) : y;
}

Ref recurrent_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x) || d.exact) return {};
  const std::int64_t n = x.shape()[0], f = x.shape()[1], m = size_within(d, points(x) * 20, {1, 8, 16, 32, 64});
  if (points(x) * 12 * static_cast<double>(m) > d.room / 2) return {};
  const Ref h = d.parameter({n, m});
  if (d.random.chance(0.5)) return lstm_cell(x, h, d.parameter({n, m}), d.weight({4 * m, f}, f), d.weight({4 * m, m}, m), d.parameter({4 * m}), {}).h;
  return gru_cell(x, h, d.weight({3 * m, f}, f), d.weight({3 * m, m}, m), d.parameter({3 * m}), d.parameter({3 * m}));
}

// ---- composites over rows

// Rows that are nearly constant would magnify every rounding before them, whatever computes the norm: large_values_test has those, and here numbers are added.
Ref norm_block(Drawing& d, const Ref& before) {
  if (d.exact || before.shape().rank() < 2) return {};
  const Ref x = add(before, d.parameter(before.shape()));
  const std::size_t rank = x.shape().rank();
  const std::int64_t last = x.shape()[rank - 1], dim = x.shape()[0] == 0 || d.random.chance(0.7) ? -1 : 0;
  switch (d.random.below(8)) {
    case 0: return softmax(x, {.dim = dim});
    case 1: return scaled(log_softmax(x, {.dim = dim}), 0.2);
    case 2:
    case 3: {
      const bool affine = d.random.chance(0.6);
      return layer_norm(x, affine ? d.parameter({last}) : Ref(), affine ? d.parameter({last}) : Ref(), {.normalized_shape = {last}});
    }
    case 4: return rms_norm(x, d.random.chance(0.5) ? d.parameter({last}) : Ref(), {.normalized_shape = {last}});
    case 5: {
      const Shape channels{x.shape()[1]};
      if (d.random.chance(0.3)) return batch_norm(x, d.parameter(channels), square(d.parameter(channels)), d.parameter(channels), d.parameter(channels));
      if (x.shape()[0] < 2) return {};
      const bool affine = d.random.chance(0.6);
      const Shape c{x.shape()[1]};
      return batch_norm_training(x, affine ? d.parameter(c) : Ref(), affine ? d.parameter(c) : Ref()).y;
    }
    case 6: {
      const std::int64_t groups = divisor_of(d, x.shape()[1], {1, 2, 4});
      return groups < 1 || rank < 3 ? Ref() : group_norm(x, d.parameter({x.shape()[1]}), d.parameter({x.shape()[1]}), {.num_groups = groups});
    }
    default: return tanh(sub(x, broadcast(logsumexp(x, {.dim = -1, .keepdim = true}), x.shape())));
  }
}

// A number for each row or column, spread again.
Ref total_block(Drawing& d, const Ref& x) {
  if (x.shape().rank() < 1 || x.shape().elements() == 0) return {};
  const std::int64_t dim = static_cast<std::int64_t>(d.random.below(x.shape().rank()));
  const double share = 1.0 / static_cast<double>(x.shape()[static_cast<std::size_t>(dim)]);
  Ref t;
  switch (d.random.below(d.exact ? 5 : 8)) {
    case 0: t = max(x, {.dim = dim, .keepdim = true}); break;
    case 1: t = min(x, {.dim = dim, .keepdim = true}); break;
    case 2: t = amax(x, {.dim = dim, .keepdim = true}); break;
    case 3: {
      const Ref s = sum(x, {.dim = dim, .keepdim = true});
      t = minimum(maximum(s, number(s, -2)), number(s, 2));
      break;
    }
    case 4: return sort(x, {.dim = dim, .descending = d.random.chance(0.5)}).values;
    case 5: t = mean(x, {.dim = dim, .keepdim = true}); break;
    case 6: t = sqrt(add(var(x, {.dim = dim, .correction = 0, .keepdim = true}), fill(1, x.dtype(), {}))); break;
    default: return scaled(cumsum(x, {.dim = dim}), share);
  }
  return d.random.chance(0.5) ? sub(x, broadcast(t, x.shape())) : add(scaled(x, 0.5), broadcast(t, x.shape()));
}

Ref map_block(Drawing& d, const Ref& x) {
  Ref y = x;
  for (std::int64_t k = d.random.integer(1, 4); k > 0; --k) {
    const Ref other = d.earlier(x.shape());
    const double kind = d.random.unit();
    if (kind < 0.3 && other)
      y = scaled(d.random.chance(0.5) ? add(y, other) : sub(y, other), 0.5);
    else if (kind < 0.5)
      y = d.random.chance(0.5) ? add(y, d.broadcast_parameter(x.shape())) : mul(y, d.broadcast_parameter(x.shape()));
    else
      y = activation(d, y);
  }
  return y;
}

// Where parts are laid side by side the sign of a zero is lost: documented at concat.
bool lays_side_by_side(const Ref& x) {
  for (const Node* n : topological(std::span(&x, 1)))
    if (sums::is_addition(*n)) return true;
  return false;
}

// Rules about zeros, with a use that tells one zero from the other.
Ref zero_block(Drawing& d, const Ref& x) {
  if (lays_side_by_side(x)) return {};
  const Ref zero = number(x, d.random.chance(0.5) ? 0.0 : -0.0);
  Ref y;
  switch (d.random.below(6)) {
    case 0: y = add(x, zero); break;
    case 1: y = sub(zero, x); break;
    case 2: y = sub(x, zero); break;
    case 3: y = mul(x, number(x, d.random.chance(0.5) ? 1 : -1)); break;
    case 4: y = neg(neg(x)); break;
    default: y = add(zero, relu(x)); break;
  }
  // Of a result alone: the angle is no exact number.
  d.remember(atan2(y, number(x, -1)));
  return d.exact ? where(lt(atan2(y, number(x, -1)), number(x, 0)), number(x, -1), number(x, 1)) : scaled(atan2(y, number(x, -1)), 0.3);
}

// ---- masks

// A condition on two dimensions' positions, as a sum of no factors.
Ref position_mask(Drawing& d, DType dtype, const Shape& shape) {
  SumSpec s;
  s.domain.assign(shape.begin(), shape.end());
  for (std::size_t k = 0; k < shape.rank(); ++k) s.output.push_back(index_of(static_cast<int>(k)));
  const std::size_t rows = d.random.below(shape.rank() - 1), columns = rows + 1;
  const IndexExpr i = index_of(static_cast<int>(rows)), j = index_of(static_cast<int>(columns));
  const std::int64_t wide = shape[rows] + shape[columns];
  switch (d.random.below(4)) {
    case 0: s.guards = {{i - j, wide}}; break;
    case 1: s.guards = {{j - i + IndexExpr(d.random.integer(-2, 2)), wide}}; break;
    case 2: s.guards = {{i - j + IndexExpr(1), 3}}; break;
    default: s.guards = {{i - IndexExpr(shape[rows] / 2), wide}}; break;
  }
  return sum(std::move(s), shape, {}, {}, dtype);
}

Ref mask_block(Drawing& d, const Ref& x) {
  const std::size_t rank = x.shape().rank();
  if (rank < 2 || x.shape().elements() == 0) return {};
  const double value = d.random.chance(0.3) ? -5 : 0.25;
  switch (d.random.below(9)) {
    case 0:
    case 1: {
      const Ref all = fill(1, DType::boolean, x.shape());
      const std::int64_t diagonal = d.random.integer(-1, 2);
      return where(d.random.chance(0.5) ? triu(all, {.diagonal = diagonal}) : tril(all, {.diagonal = diagonal}), number(x, value), x);
    }
    case 2: return where(position_mask(d, DType::boolean, x.shape()), x, number(x, value));
    case 3: return mul(x, position_mask(d, x.dtype(), x.shape()));
    case 4: return mul(x, cast(position_mask(d, DType::i32, x.shape()), x.dtype()));
    case 5: return d.random.chance(0.5) ? tril(x, {.diagonal = 1}) : triu(x, {.diagonal = -1});
    case 6: return where(broadcast(d.conditions({x.shape()[rank - 1]}), x.shape()), x, number(x, value));
    case 7: {  // ones where each row's table says
      const Shape rows(std::span(x.shape().begin(), rank - 1));
      const Ref hot = one_hot(d.table(rows, x.shape()[rank - 1]), {.num_classes = x.shape()[rank - 1]});
      return d.random.chance(0.5) ? mul(x, cast(hot, x.dtype())) : sub(x, cast(hot, x.dtype()));
    }
    default: return where(ge(iota(DType::i32, x.shape(), static_cast<int>(d.random.below(rank))), fill(3, DType::i32, x.shape())), x, number(x, value));
  }
}

// ---- entries at other places

Ref placed_block(Drawing& d, const Ref& x) {
  const std::size_t rank = x.shape().rank();
  if (rank < 1) return {};
  const std::int64_t dim = static_cast<std::int64_t>(d.random.below(rank)), size = x.shape()[static_cast<std::size_t>(dim)];
  const auto halves = [&] {  // ones, then zeros, along a dimension
    Shape first = x.shape(), second = x.shape();
    first[static_cast<std::size_t>(dim)] = size / 2;
    second[static_cast<std::size_t>(dim)] = size - size / 2;
    return concat({fill(1, x.dtype(), first), fill(d.random.chance(0.5) ? 0 : 2, x.dtype(), second)}, {.dim = dim});
  };
  switch (d.random.below(13)) {
    case 0: return mul(x, halves());
    case 1: {
      const Ref other = d.earlier(x.shape());
      if (points(x) > 3e5) return {};
      return concat({x, other ? other : scaled(x, -0.5)}, {.dim = dim});
    }
    case 2: {
      const std::int64_t start = d.random.chance(0.5) ? 0 : size / 3;
      return size < 2 ? Ref() : narrow(x, {.dim = dim, .start = start, .length = std::max<std::int64_t>(1, size / 2)});
    }
    case 3: {  // what is cut off comes in again
      if (size < 2) return {};
      const Ref a = narrow(x, {.dim = dim, .start = 0, .length = size / 2}), b = narrow(x, {.dim = dim, .start = size / 2, .length = size - size / 2});
      return concat({activation(d, b), scaled(a, 0.5)}, {.dim = dim});
    }
    case 4: {
      Sizes amounts(2 * rank, 0);
      amounts[2 * d.random.below(rank)] = d.random.integer(0, 2);
      amounts[2 * d.random.below(rank) + 1] = d.random.integer(0, 2);
      return points(x) > 3e5 ? Ref() : pad(x, {.pad = amounts, .value = d.random.chance(0.5) ? 0.5 : 0});
    }
    case 5: {  // a frame of another number, of constants only, laid over x
      if (rank < 2 || x.shape()[rank - 1] < 3 || x.shape()[rank - 2] < 3) return {};
      Shape inner = x.shape();
      inner[rank - 1] -= 2;
      inner[rank - 2] -= 2;
      return mul(x, pad(fill(1, x.dtype(), inner), {.pad = {1, 1, 1, 1}, .value = 0.5}));
    }
    case 6: return flip(x, {.dims = {dim}});
    case 7: return size < 2 ? Ref() : roll(x, {.shifts = {d.random.integer(1, size - 1)}, .dims = {dim}});
    case 8: return size < 4 ? Ref() : slice(x, {.dim = dim, .start = d.random.integer(0, 1), .end = size, .step = 2});
    case 9: return rank == 2 ? transpose(x) : Ref();
    case 10: {  // three parts, as of a query, key and value
      if (size % 3 != 0 || size == 0) return {};
      const std::vector<Ref> parts = chunk(x, {.chunks = 3, .dim = dim});
      return add(mul(parts[0], parts[1]), parts[2]);
    }
    case 11: {
      const std::vector<Ref> both{x, activation(d, x)};
      const Ref stacked = stack(both, {.dim = 0});
      return sum(mul(stacked, d.parameter(stacked.shape())), {.dim = 0});
    }
    default: {
      if (points(x) > 1e5) return {};
      Sizes times(rank, 1);
      times[static_cast<std::size_t>(dim)] = 2;
      return repeat(x, {.repeats = times});
    }
  }
}

// Entries by tables, and their gradients, which scatter.
Ref table_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x) || x.shape().elements() == 0) return {};
  const std::int64_t n = x.shape()[0], f = x.shape()[1], rows = d.random.pick({1, 2, 7, 64, 100});
  const DType types[] = {DType::i32, DType::i64, DType::u8, DType::u32};
  const DType type = n < 256 && rows < 256 ? types[d.random.below(4)] : types[d.random.below(2)];
  switch (d.random.below(7)) {
    case 0: return add(x, embedding(d.table({n}, 11, type), d.parameter({11, f})));
    case 1: return index_select(x, d.table({rows}, n, n < 256 ? type : DType::i32), {.dim = 0});
    case 2: return gather(x, d.table({n, std::max<std::int64_t>(1, f / 2)}, f), {.dim = 1});
    case 3: {
      const double share = d.exact ? 0.25 : std::sqrt(static_cast<double>(rows) / static_cast<double>(n));
      return scaled(index_sum(x, d.table({n}, rows), {.dim = 0, .size = rows}), share);
    }
    case 4: return scatter_add(x, d.table({n, f}, n), scaled(activation(d, x), 0.25), {.dim = 0});
    case 5: return mul(x, broadcast(unsqueeze(pick(x, d.table({n}, f, DType::i32)), {.dim = 1}), x.shape()));
    default: return take_along_dim(x, d.table({n, 1}, f, DType::i64), {.dim = 1});
  }
}

// ---- other types

Ref bf16_block(Drawing& d, const Ref& x) {
  if (d.floating != DType::f32) return {};
  const auto narrow_type = [&](const Ref& y) { return cast(y, DType::bf16); };
  const auto wide = [&](const Ref& y) { return cast(y, DType::f32); };
  const std::size_t rank = x.shape().rank();
  switch (d.random.below(7)) {
    case 0: return wide(narrow_type(activation(d, x)));
    case 1: return mul(x, wide(broadcast(d.stored({rank == 0 ? 1 : x.shape()[rank - 1]}, DType::bf16), rank == 0 ? Shape{1} : x.shape())));
    case 2: return rank == 2 ? wide(transpose(narrow_type(x))) : wide(flip(narrow_type(x), {.dims = {0}}));
    case 3: return is_matrix(x) ? matmul(x, wide(d.stored({x.shape()[1], 16}, DType::bf16))) : Ref();
    case 4: {  // one stored entry of each row
      if (!is_matrix(x) || x.shape().elements() == 0) return {};
      const Ref entry = wide(pick(narrow_type(x), d.table({x.shape()[0]}, x.shape()[1])));
      return add(x, broadcast(unsqueeze(entry, {.dim = 1}), x.shape()));
    }
    case 5: {  // stored entries laid where a table says
      if (!is_matrix(x) || x.shape().elements() == 0) return {};
      const std::int64_t n = x.shape()[0];
      return wide(index_sum(narrow_type(x), order(iota(DType::f32, {n}, 0), 0, d.random.chance(0.5)), {.dim = 0, .size = n}));
    }
    default: return is_matrix(x) ? add(x, wide(embedding(d.table({x.shape()[0]}, 9), d.stored({9, x.shape()[1]}, DType::bf16)))) : Ref();
  }
}

// Integers beside floats: they steer, but have no gradient.
Ref integer_block(Drawing& d, const Ref& x) {
  const DType types[] = {DType::i32, DType::i64, DType::u8, DType::u32};
  const DType type = types[d.random.below(4)];
  const bool sign = type == DType::i32 || type == DType::i64;
  const Ref whole = cast(scaled(sign ? clip(x, -8, 8) : abs(clip(x, -8, 8)), 2), type);
  Ref k = whole;
  const std::size_t rank = x.shape().rank();
  switch (d.random.below(7)) {
    case 0: k = remainder(add(k, k), fill(3, type, x.shape())); break;
    case 1: k = maximum(k, fill(1, type, x.shape())); break;
    case 2: k = rank > 0 ? cumsum(minimum(k, fill(1, type, x.shape())), {.dim = 0}) : k; break;
    case 3: k = where(eq(k, fill(0, type, x.shape())), fill(1, type, x.shape()), k); break;
    case 4: k = rank == 2 ? broadcast(sum(minimum(k, fill(1, type, x.shape())), {.dim = 1, .keepdim = true}), x.shape()) : k; break;
    case 5: k = rank == 2 && x.shape().elements() > 0 ? broadcast(max(k, {.dim = 0, .keepdim = true}), x.shape()) : k; break;
    default: k = rank > 0 ? flip(k, {.dims = {0}}) : k; break;
  }
  const Ref back = clip(cast(k, x.dtype()), -4, 4);
  if (d.random.chance(0.3)) d.remember(back);
  return d.random.chance(0.5) ? where(gt(back, number(back, 1)), x, scaled(x, 0.5)) : add(x, scaled(back, 0.25));
}

Ref barrier_block(Drawing& d, const Ref& x) {
  const Ref other = d.earlier(x.shape());
  return activation(d, barrier(x, other ? other : activation(d, x)));
}

// ---- images

Ref convolution_block(Drawing& d, const Ref& x) {
  if (!is_image(x)) return {};
  const Shape& s = x.shape();
  const std::int64_t most = std::min(s[2], s[3]), kernel = most >= 5 && d.random.chance(0.15) ? 5 : most >= 3 ? d.random.pick({1, 3, 3}) : 1;
  Conv2dOptions o;
  o.padding = kernel > 1 && d.random.chance(0.7) ? kernel / 2 : 0;
  o.stride = d.random.chance(0.2) ? 2 : 1;
  o.dilation = kernel == 3 && most >= 5 && d.random.chance(0.15) ? 2 : 1;
  const std::int64_t groups = d.random.chance(0.15) ? divisor_of(d, s[1], {2, 4}) : 1;
  o.groups = std::max<std::int64_t>(1, groups);
  const double each = points(x) * static_cast<double>(kernel * kernel) / static_cast<double>(o.groups) * (o.padding.sizes()[0] > 0 ? 60 : 3);
  std::int64_t out = size_within(d, each, {1, 2, 4, 16, 16, 32, 32, 64, 64});
  out = std::max<std::int64_t>(o.groups, out / o.groups * o.groups);
  if (each * static_cast<double>(out) > d.room / 3) return {};
  const std::int64_t in = s[1] / o.groups;
  const Ref w = d.weight({out, in, kernel, kernel}, in * kernel * kernel);
  return with_tail(d, conv2d(x, w, d.random.chance(0.4) ? d.parameter({out}) : Ref(), o));
}

Ref transposed_block(Drawing& d, const Ref& x) {
  if (!is_image(x)) return {};
  const Shape& s = x.shape();
  const std::int64_t kernel = d.random.pick({2, 3}), out = size_within(d, points(x) * 9 * 60, {1, 2, 16, 32});
  if (points(x) * 9 * 60 * static_cast<double>(out) > d.room / 3) return {};
  const Ref w = d.weight({s[1], out, kernel, kernel}, s[1] * kernel);
  const ConvTranspose2dOptions o{.stride = d.random.pick({1, 2}), .padding = d.random.pick({0, 1})};
  return with_tail(d, conv_transpose2d(x, w, d.random.chance(0.4) ? d.parameter({out}) : Ref(), o));
}

// A pooling whose windows may overlap, be padded, stand apart, or lie wholly in padding.
Ref max_pool_of(Drawing& d, const Ref& x, bool keep_size) {
  const Shape& s = x.shape();
  if (std::min(s[2], s[3]) < 2) return {};
  MaxPool2dOptions o;
  if (keep_size) {
    o.kernel_size = 3;
    o.stride = 1;
    o.padding = 1;
  } else {
    const std::int64_t kernel = std::min(s[2], s[3]) >= 3 ? d.random.pick({2, 2, 3}) : 2;
    o.kernel_size = kernel;
    o.stride = d.random.pick({1, 2, 2, kernel});
    o.padding = d.random.chance(0.35) ? 1 : 0;
    o.dilation = d.random.chance(0.2) ? d.random.pick({2, 3}) : 1;
    o.ceil_mode = d.random.chance(0.1);
  }
  return max_pool2d(x, o);
}

Ref pooling_block(Drawing& d, const Ref& x) {
  if (!is_image(x) || points(x) * 9 * 60 > d.room / 3) return {};
  const Ref in = d.random.chance(0.4) ? relu(x) : d.random.chance(0.2) ? pad(x, {.pad = {1, 0, 0, 1}, .value = -0.5}) : x;
  switch (d.random.below(8)) {
    case 0: {
      AvgPool2dOptions o;
      o.kernel_size = 2;
      o.stride = d.random.pick({1, 2});
      o.padding = std::min(in.shape()[2], in.shape()[3]) < 2 ? 1 : d.random.pick({0, 0, 1});
      o.count_include_pad = d.random.chance(0.7);
      return avg_pool2d(in, o);
    }
    case 1: {  // pooled first, then laid beside what it was pooled from
      const Ref pooled = max_pool_of(d, in, true);
      const Ref other = d.random.chance(0.5) ? x : in;
      return !pooled || pooled.shape()[2] != other.shape()[2] || pooled.shape()[3] != other.shape()[3]
                 ? Ref()
                 : concat(d.random.chance(0.7) ? std::vector<Ref>{pooled, other} : std::vector<Ref>{other, pooled}, {.dim = 1});
    }
    case 2: {  // only the first of what is pooled
      const Ref pooled = max_pool_of(d, in, d.random.chance(0.5));
      if (!pooled) return {};
      const std::int64_t dim = d.random.integer(0, 3), size = pooled.shape()[static_cast<std::size_t>(dim)];
      return size < 2 ? Ref() : narrow(pooled, {.dim = dim, .start = d.random.chance(0.7) ? 0 : 1, .length = std::max<std::int64_t>(1, size / 2)});
    }
    case 3: {  // pooled, bent, pooled again
      const Ref pooled = max_pool_of(d, in, true);
      return pooled ? max_pool_of(d, activation(d, pooled), d.random.chance(0.5)) : Ref();
    }
    case 4: {  // read again by what follows
      const Ref pooled = max_pool_of(d, in, true);
      return pooled && pooled.shape() == x.shape() ? add(pooled, x) : pooled;
    }
    default: return max_pool_of(d, in, d.random.chance(0.3));
  }
}

// The same in one dimension, where padding may hold a window of its own.
Ref line_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x) || x.shape().elements() == 0 || points(x) > 4e4) return {};
  const std::int64_t n = x.shape()[0], f = x.shape()[1], length = d.random.chance(0.3) ? divisor_of(d, f, {2, 3, 4, 5}) : f;
  if (length < 2) return {};
  const std::int64_t c = divisor_of(d, n * f / length, {1, 2, 4, 16});
  Ref lines = reshaped(x, {n * f / length / c, c, length});
  if (d.random.chance(0.5)) lines = relu(lines);
  Ref y;
  if (d.random.chance(0.5)) {
    const std::int64_t kernel = d.random.pick({2, 2, 3, 4});
    MaxPool1dOptions o;
    o.kernel_size = kernel;
    o.stride = d.random.pick({1, 2, kernel});
    o.padding = d.random.integer(0, kernel / 2);
    o.dilation = d.random.pick({1, 1, 2, 3});
    y = max_pool1d(lines, o);
  } else if (d.random.chance(0.3)) {
    y = avg_pool1d(lines, {.kernel_size = 2, .stride = d.random.pick({1, 2}), .padding = d.random.pick({0, 1})});
  } else {
    y = with_tail(d, conv1d(lines, d.weight({8, c, 3}, 3 * c), {}, {.padding = d.random.pick({0, 1})}));
  }
  // A window of padding alone holds no number.
  if (y.shape().elements() == 0) return {};
  if (d.random.chance(0.7)) y = maximum(y, number(y, -4));
  return reshaped(y, {y.shape()[0], y.shape()[1] * y.shape()[2]});
}

Ref flatten_block(Drawing& d, const Ref& x) {
  if (!is_image(x)) return {};
  if (d.random.chance(0.3) && x.shape().elements() > 0) return mean(x, {.dim = {2, 3}});
  return reshaped(x, {x.shape()[0], x.shape()[1] * x.shape()[2] * x.shape()[3]});
}

Ref unflatten_block(Drawing& d, const Ref& x) {
  if (!is_matrix(x)) return {};
  const std::int64_t f = x.shape()[1];
  for (const std::int64_t side : {std::int64_t{8}, std::int64_t{4}, std::int64_t{5}, std::int64_t{3}})
    if (f % (side * side) == 0 && d.random.chance(0.7)) return reshaped(x, {x.shape()[0], f / (side * side), side, side});
  return {};
}

constexpr CrossingBlock all_blocks[] = {
    {"linear", 5, true, linear_block},
    {"two summed indices", 3, true, two_index_block},
    {"einsum", 2, true, einsum_block},
    {"attention", 3, false, attention_block},
    {"recurrent", 0.5, false, recurrent_block},
    {"stopped product", 6, true, stopped_block},
    {"parts of a product", 1, true, parts_block},
    {"norm", 3, false, norm_block},
    {"total", 2, true, total_block},
    {"map", 3, true, map_block},
    {"zero", 0.7, true, zero_block},
    {"mask", 4, true, mask_block},
    {"placed", 4, true, placed_block},
    {"table", 2, true, table_block},
    {"bf16", 1.5, true, bf16_block},
    {"integers", 1, true, integer_block},
    {"barrier", 0.5, true, barrier_block},
    {"convolution", 7, true, convolution_block},
    {"transposed convolution", 1, true, transposed_block},
    {"pooling", 7, true, pooling_block},
    {"line", 1.5, true, line_block},
    {"flatten", 0.7, true, flatten_block},
    {"unflatten", 0.7, true, unflatten_block},
};

}  // namespace

std::span<const CrossingBlock> crossing_blocks() { return all_blocks; }

Ref with_tail(Drawing& d, Ref y) {
  if (d.random.chance(0.15)) d.remember(y);  // another reader of the product itself
  for (std::int64_t k = d.random.integer(0, 4); k > 0; --k) {
    switch (d.random.below(6)) {
      case 0: y = add(y, d.broadcast_parameter(y.shape())); break;
      case 1: {
        const Ref other = d.earlier(y.shape());
        y = scaled(add(y, other ? other : d.parameter(y.shape())), 0.5);
        break;
      }
      case 2: y = mul(y, d.broadcast_parameter(y.shape())); break;
      case 3: y = sub(y, d.parameter(y.shape())); break;
      default: y = activation(d, y); break;
    }
  }
  return y;
}

}  // namespace cotan::testing
