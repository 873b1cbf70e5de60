// The table of composites, and how each is recorded.
#include "graph/composites/composites.h"

#include <fmt/format.h>

#include <unordered_map>

#include "graph/composites/bodies.h"
#include "ops/error.h"
#include "ops/hash.h"

namespace cotan {
namespace {

using rows::indices;
using rows::values;

enum class Form : bool { INLINE, CALL };

// ---- options as attributes, both ways

template <class T>
void read(const Attribute& from, T& to) {
  const T* given = std::get_if<T>(&from);
  if (given == nullptr) fail("an attribute of the wrong type", "Write it as the table of composites declares it");
  to = *given;
}

#define OPTION(type, name, ...) attributes.set(#name, to_attribute(options.name));
#define COTAN_SELF(x) x
#define COMPOSITE(form_, name_, Options_, operands_, options_, ...)    \
  Attributes attributes_of([[maybe_unused]] const Options_& options) { \
    Attributes attributes;                                             \
    COTAN_EACH(COTAN_SELF, COTAN_UNWRAP options_)                      \
    return attributes;                                                 \
  }
#include "graph/composites/composites.def"
#undef COMPOSITE
#undef OPTION

#define OPTION(type, name, ...) \
  if (const Attribute* given = attributes.find(#name)) read(*given, options.name);
#define COMPOSITE(form_, name_, Options_, operands_, options_, ...) \
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
std::shared_ptr<const Function> body_for(const char* name, Body<Options> body, std::span<const Ref> operands, const Options& options) {
  struct Entry {
    Body<Options> body;
    Options options;
    std::vector<ResultType> types;
    std::shared_ptr<const Function> function;
  };
  thread_local std::unordered_multimap<std::uint64_t, Entry> cache;
  std::vector<ResultType> types;
  std::uint64_t h = reinterpret_cast<std::uintptr_t>(body);
  for (const Ref& r : operands) {
    types.push_back({r.dtype(), r.shape()});
    h = mix(mix(h, static_cast<std::uint64_t>(r.dtype())), hash_of(std::span<const std::int64_t>(r.shape())));
  }
  auto [first, last] = cache.equal_range(h);
  for (auto it = first; it != last; ++it)
    if (it->second.body == body && it->second.options == options && it->second.types == types) return it->second.function;
  if (cache.size() > 1000) cache.clear();
  auto function = graph::make_function(name, operands, [&](std::span<const Ref> p) { return body(p, options); });
  cache.emplace(h, Entry{body, options, std::move(types), function});
  return function;
}

template <class Options>
std::vector<Ref> record(Form form, const char* name, Body<Options> body, std::span<const Ref> operands, const Options& options) {
  const CallSite site(name, {});
  try {
    if (form == Form::INLINE) return body(operands, options);
    return graph::call(name, attributes_of(options), operands, body_for(name, body, operands, options));
  } catch (const Error& e) {  // an operation inside the body threw: the user wrote the composite's name
    throw Error(name, e.problem(), e.remedy(), e.where());
  }
}

template <class Options>
CompositeCase make_case(Form form, const char* name, Body<Options> body, const Options& options, std::string error, std::vector<rows::CaseOperand> operands) {
  return {attributes_of(options), std::move(operands), [=](std::span<const Ref> in) { return record(form, name, body, in, options); }, std::move(error)};
}

#define CASE(options_, ...) make_case(form, name, body, Options COTAN_UNWRAP options_, "", {__VA_ARGS__})
#define BAD(options_, error_, ...) make_case(form, name, body, Options COTAN_UNWRAP options_, error_, {__VA_ARGS__})
#define COTAN_CASES(suffix_, form_, name_, Options_, cases_) \
  std::vector<CompositeCase> name_##suffix_() {              \
    using Options = Options_;                                \
    constexpr Form form = Form::form_;                       \
    constexpr const char* name = #name_;                     \
    constexpr Body<Options> body = graph::name_##_body;      \
    return {COTAN_UNWRAP cases_};                            \
  }
#define COMPOSITE(form_, name_, Options_, operands_, options_, description_, oracle_, cases_, bad_cases_) \
  COTAN_CASES(_cases, form_, name_, Options_, cases_)                                                     \
  COTAN_CASES(_bad_cases, form_, name_, Options_, bad_cases_)
#include "graph/composites/composites.def"
#undef COMPOSITE

const CompositeRow table[] = {
#define COMPOSITE(form_, name_, Options_, operands_, options_, description_, oracle_, ...)       \
  {Form::form_ == Form::CALL,                                                                    \
   #name_,                                                                                       \
   description_,                                                                                 \
   {COTAN_LIST(COTAN_QUOTE, COTAN_UNWRAP operands_)},                                            \
   oracle_,                                                                                      \
   name_##_cases,                                                                                \
   name_##_bad_cases,                                                                            \
   [](std::span<const Ref> operands, const Attributes& attributes) {                             \
     Options_ options;                                                                           \
     options_from(attributes, options);                                                          \
     return record(Form::form_, #name_, Body<Options_>(graph::name_##_body), operands, options); \
   }},
#include "graph/composites/composites.def"
#undef COMPOSITE
};

}  // namespace

namespace graph {

#define COTAN_REF_PARAMETER(name) const Ref& name
#define COMPOSITE(form_, name_, Options_, operands_, ...)                                       \
  Ref name_(COTAN_LIST(COTAN_REF_PARAMETER, COTAN_UNWRAP operands_), const Options_& options) { \
    const Ref in[] = {COTAN_UNWRAP operands_};                                                  \
    return record(Form::form_, #name_, Body<Options_>(name_##_body), in, options)[0];           \
  }
#include "graph/composites/composites.def"
#undef COMPOSITE

}  // namespace graph

std::span<const CompositeRow> composite_rows() { return table; }

const CompositeRow* find_composite(std::string_view name) {
  for (const CompositeRow& row : table)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace cotan
