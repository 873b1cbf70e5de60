// Element types. One table; names, sizes, kinds and C++ types follow from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string_view>
#include <type_traits>

#include "ops/bfloat16.h"

namespace cotan {

//               name   C++ type  kind
#define COTAN_DTYPES(DTYPE)          \
  DTYPE(f32, float, floating)        \
  DTYPE(f64, double, floating)       \
  DTYPE(bf16, bfloat16, floating)    \
  DTYPE(i32, std::int32_t, integer)  \
  DTYPE(i64, std::int64_t, integer)  \
  DTYPE(u8, std::uint8_t, integer)   \
  DTYPE(u32, std::uint32_t, integer) \
  DTYPE(boolean, bool, boolean)

// The type of a tensor's elements. Types never mix without a cast; only C++ literals adapt. bf16 is for storage: its elements are moved and cast, nothing else.
enum class DType : std::uint8_t {
#define DTYPE(name, type, kind) name,
  COTAN_DTYPES(DTYPE)
#undef DTYPE
};

// The number of types.
[[nodiscard]] constexpr std::size_t dtype_count() {
  constexpr DType all[] = {
#define DTYPE(name, type, kind) DType::name,
      COTAN_DTYPES(DTYPE)
#undef DTYPE
  };
  return std::size(all);
}

// What a type is for.
enum class DTypeKind : std::uint8_t { floating, integer, boolean };

using enum DType;  // cotan::f32, cotan::i32, ...

// Bytes of one element.
[[nodiscard]] constexpr std::size_t size_of(DType dtype) {
  constexpr std::size_t sizes[] = {
#define DTYPE(name, type, kind) sizeof(type),
      COTAN_DTYPES(DTYPE)
#undef DTYPE
  };
  return sizes[static_cast<std::size_t>(dtype)];
}

// Floating, integer or boolean.
[[nodiscard]] constexpr DTypeKind kind_of(DType dtype) {
  constexpr DTypeKind kinds[] = {
#define DTYPE(name, type, kind) DTypeKind::kind,
      COTAN_DTYPES(DTYPE)
#undef DTYPE
  };
  return kinds[static_cast<std::size_t>(dtype)];
}

// Whether gradients can be asked of it.
[[nodiscard]] constexpr bool is_floating(DType dtype) { return kind_of(dtype) == DTypeKind::floating; }

// Whether operations compute with it: every type but bf16, which is moved and cast only.
[[nodiscard]] constexpr bool is_computed(DType dtype) { return dtype != DType::bf16; }

// "f32", "bool", ...: the name used in text and messages.
[[nodiscard]] constexpr std::string_view name_of(DType dtype) {
  constexpr std::string_view names[] = {
#define DTYPE(name, type, kind) #name,
      COTAN_DTYPES(DTYPE)
#undef DTYPE
  };
  return dtype == DType::boolean ? std::string_view("bool") : names[static_cast<std::size_t>(dtype)];
}

// The type of that name, or nothing.
[[nodiscard]] constexpr std::optional<DType> dtype_named(std::string_view name) {
#define DTYPE(id, type, kind) \
  if (name == name_of(DType::id)) return DType::id;
  COTAN_DTYPES(DTYPE)
#undef DTYPE
  return std::nullopt;
}

// The DType that holds C++ type T: dtype_of<float>() is f32.
template <class T>
[[nodiscard]] constexpr DType dtype_of() {
#define DTYPE(name, type, kind) \
  if constexpr (std::is_same_v<T, type>) return DType::name;
  COTAN_DTYPES(DTYPE)
#undef DTYPE
}

// Calls f with a value of the C++ type of dtype: visit_dtype(f32, [](auto zero) { using T = decltype(zero); ... }).
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
#define DTYPE(name, type, kind) \
  case DType::name: return f(type{});
    COTAN_DTYPES(DTYPE)
#undef DTYPE
  }
  __builtin_unreachable();
}

// The function that f names for a computed type, null for another: computed_or_null<Run*>(f32, [](auto zero) { return run<decltype(zero)>; }).
template <class Function, class F>
Function computed_or_null(DType dtype, F&& f) {
  return visit_dtype(dtype, [&](auto zero) -> Function {
    if constexpr (is_computed(dtype_of<decltype(zero)>()))
      return f(zero);
    else
      return nullptr;
  });
}

}  // namespace cotan
