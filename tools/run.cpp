#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
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

// The whole text as a number.
std::optional<double> number_in(const std::string& text) {
  double v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(v) : std::nullopt;
}

// The value of a parameter from what stands behind its name. `wide`: a float32 parameter takes a float64 file too.
Array input_value(const Ref& parameter, const std::string& name, const std::string& given, bool wide) {
  const DType dtype = parameter.dtype();
  if (const auto v = number_in(given); v && parameter.shape().rank() == 0) {
    if (!is_floating(dtype) && round_to(dtype, *v) != *v)
      throw Error("", fmt::format("--in {}: {} does not fit {}", name, given, name_of(dtype)), "Give a number that does");
    return {dtype, {}, {*v}};
  }
  Array array = read_npy(given);
  if (wide && dtype == DType::f32 && array.dtype == DType::f64) array.dtype = dtype;
  if (array.dtype != dtype || array.shape != parameter.shape())
    throw Error("",
                fmt::format("--in {}: {} holds {}, the parameter is {}", name, given, text_form::type_text(array.dtype, array.shape),
                            text_form::type_text(dtype, parameter.shape())),
                "Convert the array, or correct the function's text");
  return array;
}

std::vector<Array> read_inputs(const Function& f, const RunOptions& options, bool wide) {
  std::vector<std::optional<Array>> values(f.parameters.size());
  for (const std::string& input : options.inputs) {
    const std::size_t equals = input.find('=');
    if (equals == std::string::npos) throw Error("", fmt::format("--in {}: no file is named", input), "Write --in NAME=FILE.npy");
    const std::string name = input.substr(0, equals);
    const std::size_t k = parameter_named(f, name, "--in");
    if (values[k]) throw Error("", fmt::format("--in {}: given twice", name), "Give each parameter once");
    values[k] = input_value(f.parameters[k], name, input.substr(equals + 1), wide);
  }
  std::vector<Array> arrays;
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

// On the machine's primitives and kernels.
std::vector<Array> evaluate_compiled(const Function& f, const std::vector<Array>& inputs) {
  std::unordered_map<Edge, const Array*, RefHash> bound;
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
      const Array& array = *bound.at(e);
      value.storage = allocate(static_cast<std::size_t>(array.shape.elements()) * size_of(array.dtype));
      reference::to_buffer(array, value.storage->data(), View::dense(array.dtype, array.shape));
    }
    values.push_back(std::move(value));
  }
  std::vector<StorageRef> results;
  try {
    results = program->run(values);
  } catch (const CheckFailed& failed) {
    throw Error("",
                fmt::format("the {} at position {} is {}, it must be at least 0 and below {}", failed.what, failed.failure.position, failed.failure.value,
                            failed.below),
                "Correct the input");
  }
  std::vector<Array> arrays;
  for (std::size_t r = 0; r < results.size(); ++r)
    arrays.push_back(reference::from_buffer(results[r]->data(), View::dense(f.results[r].dtype(), f.results[r].shape())));
  return arrays;
}

}  // namespace

void run(const RunOptions& options) {
  const bool wide = options.dtype == "f64";
  if (wide && options.backend != "reference")
    throw Error("", "--dtype f64 without --backend reference", "Only the reference computes in another type than the text says");
  const Function f = read_function(options.file);
  const std::vector<std::string> files = result_files(f);
  const std::vector<Array> inputs = read_inputs(f, options, wide);
  std::vector<Array> results = options.backend == "reference" ? reference::evaluate(f, inputs, {.exact = wide}) : evaluate_compiled(f, inputs);

  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error || !std::filesystem::is_directory(options.out, error))
    throw Error("", fmt::format("--out {}: the folder cannot be made{}", options.out, error ? fmt::format(" ({})", error.message()) : ""), "Name another");
  for (std::size_t r = 0; r < results.size(); ++r) {
    if (wide && results[r].dtype == DType::f32) results[r].dtype = DType::f64;
    write_npy(std::filesystem::path(options.out) / files[r], results[r]);
  }
}

}  // namespace cotan::tools
