// The preprocessor's part of the operation tables. Included by the files that expand a .def; nothing else needs it.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#define COTAN_UNWRAP(...) __VA_ARGS__
#define COTAN_CAT(a, b) COTAN_CAT_(a, b)
#define COTAN_CAT_(a, b) a##b
#define COTAN_COUNT(...) COTAN_COUNT_(__VA_ARGS__ __VA_OPT__(, ) 6, 5, 4, 3, 2, 1, 0)
#define COTAN_COUNT_(a, b, c, d, e, f, n, ...) n

// M(a) M(b) ... and, with commas between, M(a), M(b), ...
#define COTAN_EACH(M, ...) COTAN_CAT(COTAN_EACH_, COTAN_COUNT(__VA_ARGS__))(M __VA_OPT__(, ) __VA_ARGS__)
#define COTAN_EACH_0(M)
#define COTAN_EACH_1(M, a) M(a)
#define COTAN_EACH_2(M, a, ...) M(a) COTAN_EACH_1(M, __VA_ARGS__)
#define COTAN_EACH_3(M, a, ...) M(a) COTAN_EACH_2(M, __VA_ARGS__)
#define COTAN_EACH_4(M, a, ...) M(a) COTAN_EACH_3(M, __VA_ARGS__)
#define COTAN_EACH_5(M, a, ...) M(a) COTAN_EACH_4(M, __VA_ARGS__)
#define COTAN_EACH_6(M, a, ...) M(a) COTAN_EACH_5(M, __VA_ARGS__)
#define COTAN_LIST(M, ...) COTAN_CAT(COTAN_LIST_, COTAN_COUNT(__VA_ARGS__))(M __VA_OPT__(, ) __VA_ARGS__)
#define COTAN_LIST_0(M)
#define COTAN_LIST_1(M, a) M(a)
#define COTAN_LIST_2(M, a, ...) M(a), COTAN_LIST_1(M, __VA_ARGS__)
#define COTAN_LIST_3(M, a, ...) M(a), COTAN_LIST_2(M, __VA_ARGS__)
#define COTAN_LIST_4(M, a, ...) M(a), COTAN_LIST_3(M, __VA_ARGS__)
#define COTAN_LIST_5(M, a, ...) M(a), COTAN_LIST_4(M, __VA_ARGS__)
#define COTAN_LIST_6(M, a, ...) M(a), COTAN_LIST_5(M, __VA_ARGS__)

#define COTAN_QUOTE(a) #a

// Names the first entries of an indexable source: COTAN_BIND(in, x, y) declares x = in[0] and y = in[1]. Nothing for no names.
#define COTAN_BIND(source, ...) __VA_OPT__([[maybe_unused]] const auto [__VA_ARGS__] = cotan::first_of<COTAN_COUNT(__VA_ARGS__)>(source);)

namespace cotan {

template <std::size_t N, class T>
std::array<std::remove_const_t<T>, N> first_of(std::span<T> source) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) { return std::array<std::remove_const_t<T>, N>{source[I]...}; }(std::make_index_sequence<N>{});
}

}  // namespace cotan
