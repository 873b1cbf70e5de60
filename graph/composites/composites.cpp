// The table of composites, and how each is recorded.
#include "graph/composites/composites.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_map>

#include "graph/composites/bodies.h"
#include "graph/scalars.h"
#include "ops/error.h"
#include "ops/hash.h"
#include "ops/per_thread.h"

namespace cotan {
namespace {

using rows::absent;
using rows::booleans;
using rows::indices;
using rows::values;

enum class Form : bool { INLINE, CALL };

// ---- options as attributes, both ways

#define OPTION(type, name, ...) attributes.set(#name, to_attribute(options.name));
#define COTAN_SELF(x) x
#define COMPOSITE(form_, name_, Options_, results_, operands_, options_, ...) \
  Attributes attributes_of([[maybe_unused]] const Options_& options) {        \
    Attributes attributes;                                                    \
    COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_)                             \
    return attributes;                                                        \
  }
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef OPTION

#define OPTION(type, name, ...) \
  if (const Attribute* given = attributes.find(#name)) from_attribute(*given, options.name);
#define COMPOSITE(form_, name_, Options_, results_, operands_, options_, ...) \
  void options_from([[maybe_unused]] const Attributes& attributes, [[maybe_unused]] Options_& options) { COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_) }
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef OPTION
#undef COTAN_SELF

// ---- recording

template <class Options>
using Body = std::vector<Ref> (*)(std::span<const Ref>, const Options&);

// Bodies of calls, built once for each combination of options and operand types on this thread: the same body again makes the same call again.
template <class Options>
std::shared_ptr<const Function> body_for(const char* name, Body<Options> body, std::span<const Ref> operands, std::span<const Ref> given,
                                         const Options& options) {
  struct Entry {
    Body<Options> body;
    Options options;
    std::vector<std::optional<ResultType>> types;  // none: left out
    std::shared_ptr<const Function> function;
  };
  auto& cache = per_thread<std::unordered_multimap<std::uint64_t, Entry>>([] {});
  std::vector<std::optional<ResultType>> types;
  std::uint64_t h = reinterpret_cast<std::uintptr_t>(body);
  for (const Ref& r : operands) {
    types.push_back(r ? std::optional(ResultType{r.dtype(), r.shape()}) : std::nullopt);
    h = r ? mix(mix(h, static_cast<std::uint64_t>(r.dtype())), hash_of(std::span<const std::int64_t>(r.shape()))) : mix(h, 1);
  }
  auto [first, last] = cache.equal_range(h);
  for (auto it = first; it != last; ++it)
    if (it->second.body == body && it->second.options == options && it->second.types == types) return it->second.function;
  auto function = graph::make_function(name, given, [&](std::span<const Ref> p) {
    std::vector<Ref> all(types.size());
    std::size_t next = 0;
    for (std::size_t k = 0; k < all.size(); ++k)
      if (types[k]) all[k] = p[next++];
    return body(all, options);
  });
  if (cache.size() > 256) cache.clear();
  cache.emplace(h, Entry{body, options, std::move(types), function});
  return function;
}

template <class Options>
std::vector<Ref> record(Form form, const char* name, Body<Options> body, std::span<const Ref> operands, const Options& options) {
  const CallSite site(name, {});
  try {
    const auto on_vectors = [&](std::span<const Ref> in) { return record(form, name, body, in, options); };
    if (auto results = graph::with_scalars_as_vectors(operands, options, on_vectors)) return *std::move(results);
    if (form == Form::INLINE) return body(operands, options);
    std::vector<Ref> given;
    std::vector<std::int64_t> positions;
    for (std::size_t k = 0; k < operands.size(); ++k) {
      if (!operands[k]) continue;
      given.push_back(operands[k]);
      positions.push_back(static_cast<std::int64_t>(k));
    }
    Attributes attributes = attributes_of(options);
    if (given.size() < operands.size()) attributes.set("given", std::move(positions));
    return graph::call(name, std::move(attributes), given, body_for(name, body, operands, given, options));
  } catch (const Error& e) {  // an operation inside the body threw: the user wrote the composite's name
    throw Error(name, e.problem(), e.remedy(), e.where());
  }
}

// The operands at the positions that the attribute `given` lists, empty ones between. `optional`: which may be left out, one for each operand of the row.
std::vector<Ref> spread(std::string_view name, std::span<const Ref> operands, const Attributes& attributes, const std::vector<bool>& optional, bool list) {
  const std::size_t count = optional.size();
  const Attribute* given = attributes.find("given");
  if (given == nullptr) {
    if (!list && operands.size() != count)
      fail(fmt::format("{} takes {} operand{}, not {}", name, count, count == 1 ? "" : "s", operands.size()), "Correct the operands");
    return {operands.begin(), operands.end()};
  }
  Sizes positions;
  from_attribute(*given, positions);
  require_count(positions, operands.size());
  std::vector<Ref> all(count);
  for (std::size_t k = 0; k < positions.size(); ++k) {
    const auto at = static_cast<std::size_t>(positions[k]);
    if (positions[k] < 0 || at >= count || all[at])
      fail(fmt::format("operand {} given twice, or not one of {}", positions[k], count), "Correct the list `given`");
    all[at] = operands[k];
  }
  for (std::size_t k = 0; k < count; ++k)
    if (!all[k] && !optional[k]) fail(fmt::format("{} without its operand {}", name, k), "Correct the list `given`");
  return all;
}

template <class Options>
CompositeCase make_case(std::vector<Ref> (*results)(std::span<const Ref>, const Options&), const Options& options, std::string error,
                        std::vector<rows::CaseOperand> operands) {
  return {attributes_of(options), std::move(operands), [=](std::span<const Ref> in) { return results(in, options); }, std::move(error)};
}

#define CASE(options_, ...) make_case(results, Options COTAN_UNWRAP options_, "", {__VA_ARGS__})
#define BAD(options_, error_, ...) make_case(results, Options COTAN_UNWRAP options_, error_, {__VA_ARGS__})
#define COTAN_CASES(suffix_, name_, Options_, cases_) \
  std::vector<CompositeCase> name_##suffix_() {       \
    using Options = Options_;                         \
    constexpr auto results = &graph::name_##_results; \
    return {COTAN_UNWRAP cases_};                     \
  }
#define COMPOSITE(form_, name_, Options_, results_, operands_, options_, description_, oracle_, cases_, bad_cases_) \
  COTAN_CASES(_cases, name_, Options_, cases_)                                                                      \
  COTAN_CASES(_bad_cases, name_, Options_, bad_cases_)
#include "graph/composites/composites.def"
#undef COMPOSITE

#define COTAN_QUOTE_NAME(operand) COTAN_QUOTE_(COTAN_NAME_OF(operand))
#define COTAN_QUOTE_(name) COTAN_QUOTE(name)
#define COTAN_IS_OPTIONAL(operand) COTAN_CAT(COTAN_IS_OPTIONAL_, COTAN_FORM_OF(operand))
#define COTAN_IS_OPTIONAL_REQUIRED false
#define COTAN_IS_OPTIONAL_OPTIONAL true
#define COTAN_IS_OPTIONAL_LIST false
#define COTAN_IS_LIST(operand) | COTAN_CAT(COTAN_IS_LIST_, COTAN_FORM_OF(operand))
#define COTAN_IS_LIST_REQUIRED false
#define COTAN_IS_LIST_OPTIONAL false
#define COTAN_IS_LIST_LIST true
// Made when it is first asked for, which may be before main(), and never destroyed.
const std::vector<CompositeRow>& table() {
  static const auto& all = *new std::vector<CompositeRow>{
#define COMPOSITE(form_, name_, Options_, results_, operands_, options_, description_, oracle_, ...) \
  {Form::form_ == Form::CALL,                                                                        \
   #name_,                                                                                           \
   description_,                                                                                     \
   {COTAN_LIST(COTAN_QUOTE_NAME, COTAN_UNWRAP operands_)},                                           \
   {COTAN_LIST(COTAN_IS_OPTIONAL, COTAN_UNWRAP operands_)},                                          \
   static_cast<bool>(false COTAN_EACH(COTAN_IS_LIST, COTAN_UNWRAP operands_)),                       \
   #results_,                                                                                        \
   oracle_,                                                                                          \
   attributes_of(Options_{}),                                                                        \
   name_##_cases,                                                                                    \
   name_##_bad_cases,                                                                                \
   [](std::span<const Ref> operands, const Attributes& attributes) {                                 \
     Options_ options;                                                                               \
     options_from(attributes, options);                                                              \
     const std::vector<Ref> all = spread(#name_, operands, attributes,                               \
                                         {COTAN_LIST(COTAN_IS_OPTIONAL, COTAN_UNWRAP operands_)},     \
                                         false COTAN_EACH(COTAN_IS_LIST, COTAN_UNWRAP operands_));    \
     return record(Form::form_, #name_, Body<Options_>(graph::name_##_body), all, options);          \
   }},
#include "graph/composites/composites.def"
#undef COMPOSITE
  };
  return all;
}

}  // namespace

namespace graph {

#define COTAN_TAKES(operand) COTAN_CAT(COTAN_TAKES_, COTAN_FORM_OF(operand))(COTAN_NAME_OF(operand))
#define COTAN_TAKES_REQUIRED(name) const Ref& name
#define COTAN_TAKES_OPTIONAL(name) const Ref& name
#define COTAN_TAKES_LIST(name) const std::vector<Ref>& name
#define COTAN_APPEND(operand) COTAN_CAT(COTAN_APPEND_, COTAN_FORM_OF(operand))(COTAN_NAME_OF(operand))
#define COTAN_APPEND_REQUIRED(name) in.push_back(name);
#define COTAN_APPEND_OPTIONAL(name) in.push_back(name);
#define COTAN_APPEND_LIST(name) in.insert(in.end(), name.begin(), name.end());
#define COMPOSITE(form_, name_, Options_, results_, operands_, ...)                                                 \
  COTAN_RESULTS_OF(Ref, results_) name_(COTAN_LIST(COTAN_TAKES, COTAN_UNWRAP operands_), const Options_& options) { \
    std::vector<Ref> in;                                                                                            \
    COTAN_EACH(COTAN_APPEND, COTAN_UNWRAP operands_)                                                                \
    return results_as<COTAN_RESULTS_OF(Ref, results_)>(name_##_results(in, options));                               \
  }                                                                                                                 \
  std::vector<Ref> name_##_results(std::span<const Ref> operands, const Options_& options) {                        \
    constexpr std::size_t most = public_results<COTAN_RESULTS_OF(Ref, results_), Ref>;                              \
    std::vector<Ref> all = record(Form::form_, #name_, Body<Options_>(name_##_body), operands, options);            \
    if (all.size() > most) all.resize(most);                                                                        \
    return all;                                                                                                     \
  }
#include "graph/composites/composites.def"
#undef COMPOSITE

}  // namespace graph

std::span<const CompositeRow> composite_rows() { return table(); }

const CompositeRow* find_composite(std::string_view name) {
  for (const CompositeRow& row : table())
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace cotan
