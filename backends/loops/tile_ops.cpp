// This file is compiled once for each instruction set: foreach_target.h includes it again and again.
#include "backends/loops/tile_op.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/loops/tile_ops.cpp"
// Between SSE2 and SSE4, and among the larger kinds of AVX-512, nothing used here differs.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#endif
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

#include <cstdint>
#include <type_traits>

#include "backends/loops/float_functions.h"
#include "backends/loops/scalar_ops.h"

HWY_BEFORE_NAMESPACE();
namespace cotan::loops::HWY_NAMESPACE {

// ---- floating-point operations on vectors

struct Neg {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a) const {
    return hn::Neg(a);
  }
};
struct Sqrt {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a) const {
    return hn::Sqrt(a);
  }
};
struct Floor {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a) const {
    return hn::Floor(a);
  }
};
struct Round {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a) const {
    return hn::Round(a);
  }
};
struct Add {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a, V b) const {
    return hn::Add(a, b);
  }
};
struct Mul {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a, V b) const {
    return hn::Mul(a, b);
  }
};
struct Div {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a, V b) const {
    return hn::Div(a, b);
  }
};
// NaN wins on either side, and of equals the first is taken. (Ne(a, a) would not do: with AVX-512 it is false for NaN.)
struct Max {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Gt(a, b), hn::IsNaN(a)), a, b);
  }
};
struct Min {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::Lt(a, b), hn::IsNaN(a)), a, b);
  }
};
struct Lt {
  template <class V>
  HWY_INLINE auto operator()(V a, V b) const {
    return hn::Lt(a, b);
  }
};
struct Le {
  template <class V>
  HWY_INLINE auto operator()(V a, V b) const {
    return hn::Le(a, b);
  }
};
struct Eq {
  template <class V>
  HWY_INLINE auto operator()(V a, V b) const {
    return hn::Eq(a, b);
  }
};

// A function of float_functions.inl.
template <Float (*function)(Float)>
struct Of1 {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a) const {
    return function(a).v;
  }
};
template <Float (*function)(Float, Float)>
struct Of2 {
  template <class D, class V>
  HWY_INLINE V operator()(D /*d*/, V a, V b) const {
    return function(a, b).v;
  }
};

// Copies the last, incomplete vector of an operand to where a whole one can be loaded.
template <class T>
HWY_INLINE void tail(T* whole, const T* from, std::size_t n) {
  for (std::size_t i = 0; i < HWY_LANES(T); ++i) whole[i] = T{0};
  for (std::size_t i = 0; i < n; ++i) whole[i] = from[i];
}

template <class T, class Op>
void unary(void* out, const void* const* in, std::size_t n) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const Op op;
  const T* a = static_cast<const T*>(in[0]);
  T* to = static_cast<T*>(out);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(op(d, hn::LoadU(d, a + i)), d, to + i);
  if (i == n) return;
  HWY_ALIGN T x[HWY_LANES(T)];
  tail(x, a + i, n - i);
  hn::StoreU(op(d, hn::LoadU(d, x)), d, x);
  for (std::size_t k = 0; k < n - i; ++k) to[i + k] = x[k];
}

template <class T, class Op>
void binary(void* out, const void* const* in, std::size_t n) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const Op op;
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  T* to = static_cast<T*>(out);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(op(d, hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, to + i);
  if (i == n) return;
  HWY_ALIGN T x[HWY_LANES(T)];
  HWY_ALIGN T y[HWY_LANES(T)];
  tail(x, a + i, n - i);
  tail(y, b + i, n - i);
  hn::StoreU(op(d, hn::LoadU(d, x), hn::LoadU(d, y)), d, x);
  for (std::size_t k = 0; k < n - i; ++k) to[i + k] = x[k];
}

// Masks of lanes as bytes 0 and 1, and back. The bytes of one vector's lanes are stored together.
template <class D, class M>
HWY_INLINE void store_mask(D d, M mask, std::uint8_t* to) {
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<std::uint8_t, D> bytes;
  const auto ones = hn::IfThenElseZero(mask, hn::BitCast(d, hn::Set(du, 1)));
  hn::StoreU(hn::TruncateTo(bytes, hn::BitCast(du, ones)), bytes, to);
}

template <class D>
HWY_INLINE auto load_mask(D d, const std::uint8_t* from) {
  const hn::RebindToUnsigned<D> du;
  const hn::Rebind<std::uint8_t, D> bytes;
  const hn::Rebind<std::uint32_t, D> words;
  if constexpr (sizeof(hn::TFromD<D>) == 4) {
    const auto wide = hn::PromoteTo(words, hn::LoadU(bytes, from));
    return hn::RebindMask(d, hn::Ne(wide, hn::Zero(words)));
  } else {
    const auto wide = hn::PromoteTo(du, hn::PromoteTo(words, hn::LoadU(bytes, from)));
    return hn::RebindMask(d, hn::Ne(wide, hn::Zero(du)));
  }
}

template <class T, class Op>
void compare(void* out, const void* const* in, std::size_t n) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const Op op;
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  std::uint8_t* to = static_cast<std::uint8_t*>(out);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) store_mask(d, op(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), to + i);
  if (i == n) return;
  HWY_ALIGN T x[HWY_LANES(T)];
  HWY_ALIGN T y[HWY_LANES(T)];
  HWY_ALIGN std::uint8_t bytes[HWY_LANES(T)];
  tail(x, a + i, n - i);
  tail(y, b + i, n - i);
  store_mask(d, op(hn::LoadU(d, x), hn::LoadU(d, y)), bytes);
  for (std::size_t k = 0; k < n - i; ++k) to[i + k] = bytes[k];
}

template <class T>
void where(void* out, const void* const* in, std::size_t n) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const std::uint8_t* c = static_cast<const std::uint8_t*>(in[0]);
  const T* a = static_cast<const T*>(in[1]);
  const T* b = static_cast<const T*>(in[2]);
  T* to = static_cast<T*>(out);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(hn::IfThenElse(load_mask(d, c + i), hn::LoadU(d, a + i), hn::LoadU(d, b + i)), d, to + i);
  for (; i < n; ++i) to[i] = c[i] != 0 ? a[i] : b[i];
}

template <class T, class Op>
void select(void* out, const void* const* in, std::size_t n) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  const Op op;
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  const T* x = static_cast<const T*>(in[2]);
  const T* y = static_cast<const T*>(in[3]);
  T* to = static_cast<T*>(out);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(hn::IfThenElse(op(hn::LoadU(d, a + i), hn::LoadU(d, b + i)), hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d, to + i);
  if (i == n) return;
  HWY_ALIGN T p[HWY_LANES(T)];
  HWY_ALIGN T q[HWY_LANES(T)];
  HWY_ALIGN T u[HWY_LANES(T)];
  HWY_ALIGN T v[HWY_LANES(T)];
  tail(p, a + i, n - i);
  tail(q, b + i, n - i);
  tail(u, x + i, n - i);
  tail(v, y + i, n - i);
  hn::StoreU(hn::IfThenElse(op(hn::LoadU(d, p), hn::LoadU(d, q)), hn::LoadU(d, u), hn::LoadU(d, v)), d, u);
  for (std::size_t k = 0; k < n - i; ++k) to[i + k] = u[k];
}

template <class T>
TileFunction vectors(Atom atom) {
  switch (atom) {
    case Atom::neg: return unary<T, Neg>;
    case Atom::sqrt: return unary<T, Sqrt>;
    case Atom::floor: return unary<T, Floor>;
    case Atom::round: return unary<T, Round>;
    case Atom::add: return binary<T, Add>;
    case Atom::mul: return binary<T, Mul>;
    case Atom::div: return binary<T, Div>;
    case Atom::max: return binary<T, Max>;
    case Atom::min: return binary<T, Min>;
    case Atom::lt: return compare<T, Lt>;
    case Atom::le: return compare<T, Le>;
    case Atom::eq: return compare<T, Eq>;
    case Atom::where: return where<T>;
    default: return nullptr;
  }
}

TileFunction float_function(Atom atom) {
  switch (atom) {
#define FUNCTION1(name) \
  case Atom::name: return unary<float, Of1<name<>>>;
#define FUNCTION2(name) \
  case Atom::name: return binary<float, Of2<name<>>>;
#include "backends/loops/float_functions.def"
    default: return nullptr;
  }
}

template <class T>
TileFunction selects(Atom comparison) {
  switch (comparison) {
    case Atom::lt: return select<T, Lt>;
    case Atom::le: return select<T, Le>;
    case Atom::eq: return select<T, Eq>;
    default: return nullptr;
  }
}

// ---- everything else: one scalar definition, in a loop that the compiler vectorises for the target where it can

template <Atom atom, class T>
void scalars(void* out, const void* const* in, std::size_t n) {
  using R = scalar::Result<atom, T>;
  R* to = static_cast<R*>(out);
  if constexpr (scalar::arity<atom> == 1) {
    const T* a = static_cast<const T*>(in[0]);
    for (std::size_t i = 0; i < n; ++i) to[i] = scalar::value<atom, T>(a[i], T{});
  } else {
    const T* a = static_cast<const T*>(in[0]);
    const T* b = static_cast<const T*>(in[1]);
    for (std::size_t i = 0; i < n; ++i) to[i] = scalar::value<atom, T>(a[i], b[i]);
  }
}

template <class T>
void scalar_where(void* out, const void* const* in, std::size_t n) {
  const std::uint8_t* c = static_cast<const std::uint8_t*>(in[0]);
  const T* a = static_cast<const T*>(in[1]);
  const T* b = static_cast<const T*>(in[2]);
  T* to = static_cast<T*>(out);
  for (std::size_t i = 0; i < n; ++i) to[i] = c[i] != 0 ? a[i] : b[i];
}

template <class From, class To>
void converted(void* out, const void* const* in, std::size_t n) {
  const From* a = static_cast<const From*>(in[0]);
  To* to = static_cast<To*>(out);
  for (std::size_t i = 0; i < n; ++i) to[i] = scalar::convert<To>(a[i]);
}

template <class T>
TileFunction scalar_function(Atom atom) {
  switch (atom) {
    case Atom::where: return scalar_where<T>;
#define ATOM(name, ...)                                                          \
  case Atom::name:                                                               \
    if constexpr (scalar::allowed<Atom::name, T>) return scalars<Atom::name, T>; \
    break;
#include "ops/atoms.def"
#undef ATOM
    default: break;
  }
  return nullptr;
}

template <class From>
TileFunction conversion(DType to) {
  return visit_dtype(to, [](auto zero) -> TileFunction { return converted<From, decltype(zero)>; });
}

// Highway's vectors of one lane are left alone: their floor loses the sign of -0.
TileFunction find(const TileOp& op) {
  if (op.compare != Atom::where) return op.in == DType::f32 ? selects<float>(op.compare) : op.in == DType::f64 ? selects<double>(op.compare) : nullptr;
  return visit_dtype(op.in, [&](auto zero) -> TileFunction {
    using T = decltype(zero);
    if (op.atom == Atom::cast) return conversion<T>(op.out);
    if constexpr (std::is_floating_point_v<T> && HWY_TARGET != HWY_SCALAR)
      if (TileFunction f = vectors<T>(op.atom)) return f;
    if constexpr (std::is_same_v<T, float>)
      if (TileFunction f = float_function(op.atom)) return f;
    return scalar_function<T>(op.atom);
  });
}

const char* target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace cotan::loops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <fmt/format.h>

#include "ops/error.h"

namespace cotan::loops {

HWY_EXPORT(find);
HWY_EXPORT(target);

TileFunction tile_function(const TileOp& op) {
  const TileFunction f = HWY_DYNAMIC_DISPATCH(find)(op);
  if (f == nullptr) throw InternalError(fmt::format("no loop for {} of {} to {}", name_of(op.atom), name_of(op.in), name_of(op.out)));
  return f;
}

std::string target_name() { return HWY_DYNAMIC_DISPATCH(target)(); }

}  // namespace cotan::loops
#endif
