// The preprocessor's part of the operation tables. Included by the files that expand a .def; nothing else needs it.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#define COTAN_UNWRAP(...) __VA_ARGS__
#define COTAN_CAT(a, b) COTAN_CAT_(a, b)
#define COTAN_CAT_(a, b) a##b
#define COTAN_COUNT(...) COTAN_COUNT_(__VA_ARGS__ __VA_OPT__(, ) 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define COTAN_COUNT_(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, n, ...) n

// M(a) M(b) ... and, with commas between, M(a), M(b), ...
#define COTAN_EACH(M, ...) COTAN_CAT(COTAN_EACH_, COTAN_COUNT(__VA_ARGS__))(M __VA_OPT__(, ) __VA_ARGS__)
#define COTAN_EACH_0(M)
#define COTAN_EACH_1(M, a) M(a)
#define COTAN_EACH_2(M, a, ...) M(a) COTAN_EACH_1(M, __VA_ARGS__)
#define COTAN_EACH_3(M, a, ...) M(a) COTAN_EACH_2(M, __VA_ARGS__)
#define COTAN_EACH_4(M, a, ...) M(a) COTAN_EACH_3(M, __VA_ARGS__)
#define COTAN_EACH_5(M, a, ...) M(a) COTAN_EACH_4(M, __VA_ARGS__)
#define COTAN_EACH_6(M, a, ...) M(a) COTAN_EACH_5(M, __VA_ARGS__)
#define COTAN_EACH_7(M, a, ...) M(a) COTAN_EACH_6(M, __VA_ARGS__)
#define COTAN_EACH_8(M, a, ...) M(a) COTAN_EACH_7(M, __VA_ARGS__)
#define COTAN_EACH_9(M, a, ...) M(a) COTAN_EACH_8(M, __VA_ARGS__)
#define COTAN_EACH_10(M, a, ...) M(a) COTAN_EACH_9(M, __VA_ARGS__)
#define COTAN_EACH_11(M, a, ...) M(a) COTAN_EACH_10(M, __VA_ARGS__)
#define COTAN_EACH_12(M, a, ...) M(a) COTAN_EACH_11(M, __VA_ARGS__)
#define COTAN_LIST(M, ...) COTAN_CAT(COTAN_LIST_, COTAN_COUNT(__VA_ARGS__))(M __VA_OPT__(, ) __VA_ARGS__)
#define COTAN_LIST_0(M)
#define COTAN_LIST_1(M, a) M(a)
#define COTAN_LIST_2(M, a, ...) M(a), COTAN_LIST_1(M, __VA_ARGS__)
#define COTAN_LIST_3(M, a, ...) M(a), COTAN_LIST_2(M, __VA_ARGS__)
#define COTAN_LIST_4(M, a, ...) M(a), COTAN_LIST_3(M, __VA_ARGS__)
#define COTAN_LIST_5(M, a, ...) M(a), COTAN_LIST_4(M, __VA_ARGS__)
#define COTAN_LIST_6(M, a, ...) M(a), COTAN_LIST_5(M, __VA_ARGS__)
#define COTAN_LIST_7(M, a, ...) M(a), COTAN_LIST_6(M, __VA_ARGS__)
#define COTAN_LIST_8(M, a, ...) M(a), COTAN_LIST_7(M, __VA_ARGS__)
#define COTAN_LIST_9(M, a, ...) M(a), COTAN_LIST_8(M, __VA_ARGS__)
#define COTAN_LIST_10(M, a, ...) M(a), COTAN_LIST_9(M, __VA_ARGS__)
#define COTAN_LIST_11(M, a, ...) M(a), COTAN_LIST_10(M, __VA_ARGS__)
#define COTAN_LIST_12(M, a, ...) M(a), COTAN_LIST_11(M, __VA_ARGS__)

#define COTAN_QUOTE(a) #a

// An operand of a composite's row is a plain name, OPTIONAL(name) or LIST(name). COTAN_FORM_OF gives REQUIRED, OPTIONAL or LIST, COTAN_NAME_OF the name:
// the operand is pasted to a prefix, which makes a known macro of the two marked forms only.
#define COTAN_FORM_OF(operand) COTAN_SECOND(COTAN_FORM_##operand, REQUIRED, ~)
#define COTAN_FORM_OPTIONAL(name) ~, OPTIONAL
#define COTAN_FORM_LIST(name) ~, LIST
#define COTAN_NAME_OF(operand) COTAN_SECOND(COTAN_NAME_##operand, operand, ~)
#define COTAN_NAME_OPTIONAL(name) ~, name
#define COTAN_NAME_LIST(name) ~, name
#define COTAN_SECOND(...) COTAN_SECOND_(__VA_ARGS__)
#define COTAN_SECOND_(a, b, ...) b

// What a composite gives: ONE tensor; NAMED(Structure, first, second, ...), a structure with a tensor for each name; or MANY, a std::vector of tensors.
// COTAN_RESULTS_OF(T, results) is that type for tensors of type T.
#define COTAN_RESULTS_OF(T, results) COTAN_CAT(COTAN_RESULTS_OF_, results)<T>
#define COTAN_RESULTS_OF_ONE cotan::OneResult
#define COTAN_RESULTS_OF_MANY cotan::ManyResults
#define COTAN_RESULTS_OF_NAMED(Structure, ...) Structure

// Names the first entries of an indexable source: COTAN_BIND(in, x, y) declares x = in[0] and y = in[1]. Nothing for no names.
#define COTAN_BIND(source, ...) __VA_OPT__([[maybe_unused]] const auto [__VA_ARGS__] = cotan::first_of<COTAN_COUNT(__VA_ARGS__)>(source);)

namespace cotan {

template <class T>
using OneResult = T;
template <class T>
using ManyResults = std::vector<T>;

template <std::size_t N, class T>
std::array<std::remove_const_t<T>, N> first_of(std::span<T> source) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) { return std::array<std::remove_const_t<T>, N>{source[I]...}; }(std::make_index_sequence<N>{});
}

}  // namespace cotan
