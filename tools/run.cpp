#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <unordered_map>

#include "backends/reference/reference.h"
#include "graph/executor.h"
#include "graph/storage.h"
#include "graph/structure_key.h"
#include "graph/text/words.h"
#include "graph/threads.h"
#include "ops/error.h"
#include "tools/commands.h"
#include "tools/input.h"
#include "tools/npy.h"

namespace cotan::tools {
namespace {

using reference::Array;

// The whole text as a number of type T.
template <class T>
std::optional<T> number_in(const std::string& text) {
  T v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(v) : std::nullopt;
}

template <class T>
NpyArray scalar_array(T v) {
  NpyArray array{dtype_of<T>(), {}, std::vector<std::byte>(sizeof(T))};
  std::memcpy(array.bytes.data(), &v, sizeof(T));
  return array;
}

// The text as one element of that type, if it is a number at all.
std::optional<NpyArray> scalar_in(const std::string& text, const std::string& name, DType dtype) {
  const std::optional<double> v = number_in<double>(text);
  if (!v) return std::nullopt;
  return visit_dtype(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>)
      if (const auto whole = number_in<T>(text)) return scalar_array(*whole);  // also where a double would round it
    if (!takes_number(dtype, *v) || (std::is_integral_v<T> && std::abs(*v) > 0x1p53))
      throw Error("", fmt::format("--in {}: {} does not fit {}", name, text, name_of(dtype)), "Give a number that does");
    return scalar_array(static_cast<T>(*v));
  });
}

// What a float32 file means to a bf16 parameter.
NpyArray as_bf16(const NpyArray& array, const std::string& name) {
  NpyArray narrow{DType::bf16, array.shape, std::vector<std::byte>(array.bytes.size() / 2)};
  for (std::size_t i = 0; i < narrow.bytes.size() / 2; ++i) {
    float v = 0;
    std::memcpy(&v, array.bytes.data() + 4 * i, 4);
    const bfloat16 b(v);
    if (v == v && static_cast<float>(b) != v)
      throw Error("", fmt::format("--in {}: {} at position {} is no bf16", name, v, i), "Round the array first, or take f32 in the function's text and cast");
    std::memcpy(narrow.bytes.data() + 2 * i, &b, 2);
  }
  return narrow;
}

// The value of a parameter from what stands behind its name. `wide`: a float32 parameter takes float64 too.
NpyArray input_value(const Ref& parameter, const std::string& name, const std::string& given, bool wide) {
  const DType dtype = parameter.dtype();
  const bool widens = wide && dtype == DType::f32;
  if (parameter.shape().rank() == 0)
    if (auto scalar = scalar_in(given, name, widens ? DType::f64 : dtype)) return *scalar;
  NpyArray array = read_npy(given);
  if (array.shape == parameter.shape()) {
    if (array.dtype == dtype || (widens && array.dtype == DType::f64)) return array;
    if (dtype == DType::bf16 && array.dtype == DType::f32) return as_bf16(array, name);
  }
  throw Error("",
              fmt::format("--in {}: {} holds {}, the parameter is {}", name, given, text_form::type_text(array.dtype, array.shape),
                          text_form::type_text(dtype, parameter.shape())),
              "Convert the array, or correct the function's text");
}

std::vector<NpyArray> read_inputs(const Function& f, const RunOptions& options, bool wide) {
  std::vector<std::optional<NpyArray>> values(f.parameters.size());
  for (const std::string& input : options.inputs) {
    const std::size_t equals = input.find('=');
    if (equals == std::string::npos) throw Error("", fmt::format("--in {}: no file is named", input), "Write --in NAME=FILE.npy");
    const std::string name = input.substr(0, equals);
    const std::size_t k = parameter_named(f, name, "--in");
    if (values[k]) throw Error("", fmt::format("--in {}: given twice", name), "Give each parameter once");
    values[k] = input_value(f.parameters[k], name, input.substr(equals + 1), wide);
  }
  std::vector<NpyArray> arrays;
  for (std::size_t k = 0; k < values.size(); ++k) {
    const Ref& p = f.parameters[k];
    if (!values[k])
      throw Error("", fmt::format("the parameter {}: {} has no value", name_of_parameter(p), text_form::type_text(p.dtype(), p.shape())),
                  fmt::format("Add --in {}=FILE.npy", name_of_parameter(p)));
    arrays.push_back(std::move(*values[k]));
  }
  return arrays;
}

// Names of files for the results; checked before anything is computed.
std::vector<std::string> result_files(const Function& f) {
  std::vector<std::string> names;
  std::set<std::string> seen;
  for (std::size_t r = 0; r < f.results.size(); ++r) {
    std::string name = r < f.result_names.size() ? f.result_names[r] : "";
    if (name.empty()) name = fmt::format("r{}", r);
    if (name.find('/') != std::string::npos || name.find('\0') != std::string::npos || name == "." || name == "..")
      throw Error("", fmt::format("the result {} cannot name a file", cotan::quoted(name)), "Rename it in the function's text");
    if (!seen.insert(name).second) throw Error("", fmt::format("two results are named {}", name), "Rename one in the function's text");
    names.push_back(name + ".npy");
  }
  return names;
}

// By plain loops over float64; `wide`: each f32 is a float64 here and in the results.
std::vector<NpyArray> evaluate_reference(const Function& f, const std::vector<NpyArray>& inputs, bool wide) {
  std::vector<Array> values;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    values.push_back(values_of(inputs[k]));
    values.back().dtype = f.parameters[k].dtype();
    if (inputs[k].dtype != DType::i64) continue;
    for (double v : values.back().values)
      if (std::abs(v) > 0x1p53)
        throw Error("", fmt::format("--in {}: about {:.0f}, where the reference holds i64 up to 2^53", name_of_parameter(f.parameters[k]), v),
                    "Use the default backend");
  }
  std::vector<NpyArray> results;
  for (Array& a : reference::evaluate(f, values, {.exact = wide})) {
    if (wide && a.dtype == DType::f32) a.dtype = DType::f64;
    results.push_back(npy_of(a));
  }
  return results;
}

// On the machine's primitives and kernels.
std::vector<NpyArray> evaluate_compiled(const Function& f, const std::vector<NpyArray>& inputs) {
  std::unordered_map<Edge, const NpyArray*, RefHash> bound;
  for (std::size_t k = 0; k < inputs.size(); ++k) bound.emplace(f.parameters[k].edge(), &inputs[k]);
  const Structure structure = structure_of(f.results, [](const Node&) { return false; });
  std::vector<Node*> images;
  const Function closed = close(structure, f.results, images);
  CompileOptions options;
  options.threads = threads();
  const auto program = compile_program(closed, images, options);

  std::vector<InputValue> values;
  for (const Edge& e : structure.inputs) {
    InputValue value;
    const auto& leaf = e.node->as<LeafSpec>();
    if (leaf.role == LeafRole::random) {
      value.random = {leaf.key, leaf.counter};
    } else {
      const NpyArray& array = *bound.at(e);
      value.storage = allocate(array.bytes.size());
      if (!array.bytes.empty()) std::memcpy(value.storage->data(), array.bytes.data(), array.bytes.size());
    }
    values.push_back(std::move(value));
  }
  std::vector<StorageRef> results;
  try {
    results = program->run(values);
  } catch (const CheckFailed& failed) {
    const auto [problem, remedy] = failed.error();
    throw Error("", problem, remedy);
  }
  std::vector<NpyArray> arrays;
  for (std::size_t r = 0; r < results.size(); ++r) {
    const auto* first = static_cast<const std::byte*>(results[r]->data());
    const std::size_t bytes = static_cast<std::size_t>(f.results[r].shape().elements()) * size_of(f.results[r].dtype());
    arrays.push_back({f.results[r].dtype(), f.results[r].shape(), {first, first + bytes}});
  }
  return arrays;
}

}  // namespace

void run(const RunOptions& options) {
  const bool wide = options.dtype == "f64";
  if (wide && options.backend != "reference")
    throw Error("", "--dtype f64 without --backend reference", "Only the reference computes in another type than the text says");
  const Function f = read_function(options.file);
  const std::vector<std::string> files = result_files(f);
  const std::vector<NpyArray> inputs = read_inputs(f, options, wide);
  const std::vector<NpyArray> results = options.backend == "reference" ? evaluate_reference(f, inputs, wide) : evaluate_compiled(f, inputs);

  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error || !std::filesystem::is_directory(options.out, error))
    throw Error("", fmt::format("--out {}: the folder cannot be made{}", options.out, error ? fmt::format(" ({})", error.message()) : ""), "Name another");
  for (std::size_t r = 0; r < results.size(); ++r) write_npy(std::filesystem::path(options.out) / files[r], results[r]);
}

}  // namespace cotan::tools
