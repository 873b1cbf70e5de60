#include "tests/support/mutations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "graph/passes/explain.h"
#include "graph/text/text.h"
#include "graph/verify.h"
#include "ops/philox.h"
#include "tests/support/program_checks.h"

namespace cotan::testing {
namespace {

// ---- what mutations start from

// Windows and their gradients, and what may lie around them.
constexpr std::array<std::string_view, 11> own_texts = {
    R"(func pooled(x: f32[2,9,7], g: f32[2,12,4]) {
  %0: f32[2,9,7] = relu(x)
  %1: f32[2,4,4][i,j,k] = max %0[i,2*j+p-1,2*k+q-1]; p<3, q<3
  %2: i32[2,4,4,2][i,j,k] = argmax %0[i,2*j+p-1,2*k+q-1]; p<3, q<3
  %3: f32[2,9,7][i,2*j+%2[i,j,k,0]-1,2*k+%2[i,j,k,1]-1] = g[i,j,k]
  %4: f32[2,9,7] = { where(%0 <= 0, 0, %3) }
  return y=%1, d=%4
})",
    R"(func narrowed(x: f32[3,10], g: f32[8]) {
  %0: f32[3,10] = relu(x)
  %1: f32[3,5][i,j] = max %0[i,2*j+3*p-1]; p<2
  %2: i32[3,5,1][i,j] = argmax %0[i,2*j+3*p-1]; p<2
  %3: f32[3,5][i,j] = g[j]
  %4: f32[3,10][i,2*j+3*%2[i,j,0]-1] = %3[i,j]
  %5: f32[3,10] = { where(%0 <= 0, 0, %4) }
  return y=%1, d=%5
})",
    R"(func joined(x: f32[2,6,8], y: f32[2,3,4]) {
  %0: f32[2,3,4][i,j,k] = max x[i,2*j+p,2*k+q]; p<2, q<2
  %1: f32[2,6,4][i,j,k] = %0[i,j,k]
  %2: f32[2,6,4][i,j+3,k] = y[i,j,k]
  %3: f32[2,6,4] = add(%1, %2)
  %4: f32[2,6,4] = square(%3)
  %5: f32[2,3,4][i,j,k] = %4[i,j,k]
  %6: i32[2,3,4,2][i,j,k] = argmax x[i,2*j+p,2*k+q]; p<2, q<2
  %7: f32[2,6,8][i,2*j+%6[i,j,k,0],2*k+%6[i,j,k,1]] = %5[i,j,k]
  return %4, %7
})",
    R"(func masked(x: f32[12,12], y: f32[12]) {
  %0: f32[12,12] = tanh(x)
  %1: bool[12,12] = { true }
  %2: bool[12,12][i,j] = %1[i,j]; 0<=i-j<12
  %3: f32[12,12] = map(%2, %0) { where(%2, %0, 0.25) }
  %4: f32[12,12][i,j] = 1; 0<=j-i<12
  %5: f32[12,12] = mul(%3, %4)
  %6: f32[12][i] = %5[i,p] * y[p]
  %7: f32[14,14][i+1,j+1] = %5[i,j]
  return %5, %6, %7
})",
    R"(func layer(x: f32[8,24], w: f32[24,16], b: f32[16], t: i32[8]) {
  %0: f32[8,16][i,j] = x[i,p] * w[p,j]
  %1: f32[8,16][i,j] = b[j]
  %2: f32[8,16] = add(%0, %1)
  %3: f32[8,16] = relu(%2)
  %4: i32[8] = check(t) {below=16, what="target"}
  %5: f32[8][i] = %3[i,%4[i]]
  %6: f32[] [] = 0.125 * %5[p]
  %7: f32[8,16] = call softmax(%3) {dim=1}
  %8: f32[24,16][i,j] = x[p,i] * %7[p,j]
  %9: f32[16][%4[p]] = %5[p]
  return loss=%6, %7, %8, %9
})",
    R"(func images(x: f32[2,3,10,10], k: f32[8,3,3,3], d: f32[2,8,5,5]) {
  %0: f32[2,8,10,10][i,j,l,m] = x[i,p,l+r-1,m+s-1] * k[j,p,r,s]
  %1: f32[2,8,10,10] = relu(%0)
  %2: f32[2,8,5,5][i,j,l,m] = max %1[i,j,2*l+p,2*m+r]; p<2, r<2
  %3: f32[2,8,5,5][i,j,l,m] = 0.25 * %1[i,j,2*l+p,2*m+r]; p<2, r<2
  %4: f32[2,3,10,10][i,p,l+r-1,m+s-1] = %1[i,j,l,m] * k[j,p,r,s]
  %5: f32[8,3,3,3][j,p,r,s] = %1[i,j,l,m] * x[i,p,l+r-1,m+s-1]
  %6: f32[2,8,5,5] = mul(%2, d)
  return %3, %4, %5, %6
})",
    R"(func tiles(x: f32[128,128], b: f32[128]) {
  %0: f32[128,128] = tanh(x)
  %1: bool[128,128] = { true }
  %2: bool[128,128][i,j] = %1[i,j]; 0<=i-j<128
  %3: f32[128,128] = map(%2, %0) { where(%2, %0, 0.25) }
  %4: f32[128][i] = max %3[i,p]
  %5: f32[128,128][i,j] = %4[i]
  %6: f32[128,128] = { exp(%3 - %5) }
  %7: f32[128][i] = %6[i,p]
  %8: f32[128,128][i,j] = %7[i]
  %9: f32[128,128] = div(%6, %8)
  %10: f32[128,128][i,j] = 1; i<100
  %11: f32[128,128] = mul(%9, %10)
  %12: f32[130,128][i+1,j] = %11[i,j]
  %13: f32[128][i] = %11[p,i]
  %14: f32[64,128][i,j] = %11[i+3,j]
  return %9, %12, %13, %14
})",
    R"(func inception(x: f32[4,8,12,12], y: f32[4,4,12,12], w: f32[4,12,12,12]) {
  %0: f32[4,8,12,12] = relu(x)
  %1: f32[4,8,12,12][i,j,k,l] = max %0[i,j,k+p-1,l+q-1]; p<3, q<3
  %2: f32[4,12,12,12][i,j,k,l] = %1[i,j,k,l]
  %3: f32[4,12,12,12][i,j+8,k,l] = y[i,j,k,l]
  %4: f32[4,12,12,12] = add(%2, %3)
  %5: f32[4,12,12,12] = { w * (1 - %4 * %4) }
  %6: f32[4,8,12,12][i,j,k,l] = %5[i,j,k,l]
  %7: i32[4,8,12,12,2][i,j,k,l] = argmax %0[i,j,k+p-1,l+q-1]; p<3, q<3
  %8: f32[4,8,12,12][i,j,k+%7[i,j,k,l,0]-1,l+%7[i,j,k,l,1]-1] = %6[i,j,k,l]
  %9: f32[4,8,12,12] = { where(%0 <= 0, 0, %8) }
  return %4, %9
})",
    R"(func step(x: f32[40,96], g: f32[40,64], w: f32[96,64], v: f32[64,4,8], lr: f32[]) {
  %0: f32[96,64][i,j] = lr[]
  %1: f32[96,64][i,j] = g[p,j] * x[p,i]
  %2: f32[96,64] = { w - (%0 * %1) }
  %3: f32[40,64][i,j] = x[i,p] * w[p,j]
  %4: f32[40,64] = { max(%3 + g, 0) }
  %5: f32[40,4,8][i,j,k] = %4[i,p] * v[p,j,k]
  %6: f32[40,64][i,p] = %5[i,j,k] * v[p,j,k]
  %7: f32[40,64] = add(%6, g)
  %8: f32[64][i] = 0.025 * %7[p,i]
  return w=%2, %7, %8
})",
    R"(func kinds(a: f64[3,4], b: bf16[3,4], n: i32[3], u: u8[4]) {
  %0: f64[3,4] = scan(a, a) {axis=1, reverse=true}
  %1: i32[3,4] = order(%0) {axis=0, descending=false}
  %2: f64[3,4] = stop_gradient(%0)
  %3: f64[3,4] = iota() {axis=1}
  %4: f64[3,4] = random() {key=7, counter=5}
  %5: f64[3,4] = { %2 * %3 + 1.5 * cast(%1, f64) }
  %6: f64[3,4] = barrier(%4, %1)
  %7: f64[3,4] = mul(%6, %5)
  %8: f32[3,4] = cast(b)
  %9: f32[4,3][i,j] = %8[j,i]
  %10: bf16[4,3] = cast(%9)
  %11: i32[3] = check(n) {below=4, what="index"}
  %12: f64[3][i] = %7[i,%11[i]]
  %13: u8[4] = { u * 3 + 1 }
  %14: i32[3][i] = amax %1[i,p]
  return %7, %10, %12, %13, %14
})",
    R"(body pair.0(#0: f32[3], #1: f32[3]) {
  %0: f32[3] = { t0 = exp(#0); t0 / (1 + t0) - #1 }
  %1: f32[3] = iota() {axis=0}
  %2: f32[3] = add(%0, %1)
  return sum=%2, #1
}
func calls(var w: f32[3], "a b": f32[3], scalar s: f32[]) {
  %0, %1: f32[3], f32[3] = call pair(w, "a b") {dim=1} using pair.0
  %2: f32[3][i] = s[]
  %3: f32[3] = map(%1, %2, %0) { where(%0 < %2 && !(%1 == -inf), max(%1, f32(0.5)), 2) }
  return %3, %0
})"};

bool parses(const std::string& text) {
  try {
    (void)parse_function(text);
    return true;
  } catch (const Error&) {
    return false;
  }
}

// The functions that a page shows, in blocks or indented.
void append_functions_of(const std::filesystem::path& page, std::vector<std::string>& texts) {
  std::ifstream file(page);
  std::string line, text;
  bool inside = false;
  while (std::getline(file, line)) {
    const std::string bare = line.substr(std::min(line.find_first_not_of(' '), line.size()));
    if (!inside && (bare.starts_with("func ") || bare.starts_with("body "))) inside = true;
    if (!inside) continue;
    text += bare + "\n";
    if (bare != "}" || text.find("func") == std::string::npos) continue;
    if (parses(text)) texts.push_back(text);
    text.clear();
    inside = false;
  }
}

// The text of these results and of the gradients of the floating ones.
std::string with_gradients_text(const std::vector<Ref>& parameters, const std::vector<Ref>& results) {
  Inputs inputs;
  for (const Ref& p : parameters)
    if (p) inputs.add(p->as<LeafSpec>().name, p.dtype(), p.shape(), std::vector<double>(static_cast<std::size_t>(p.shape().elements())));
  Random random(1);
  const Function f = with_gradients(inputs, results, random);
  return to_text(close_over_leaves(f.results));
}

// ---- the parts of a text

struct Part {
  std::string text;
  char kind = ' ';  // a: a word; 0: a number; %: a value; otherwise a symbol or blanks
  bool in_type = false;
};

std::vector<Part> parts_of(const std::string& text) {
  std::vector<Part> parts;
  const auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; };
  bool in_type = false;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    char kind = text[i];
    if (std::isdigit(static_cast<unsigned char>(kind)) != 0) {
      while (end < text.size() && word(text[end])) ++end;
      kind = '0';
    } else if (kind == '%' || kind == '#' || std::isalpha(static_cast<unsigned char>(kind)) != 0) {
      while (end < text.size() && word(text[end])) ++end;
      kind = kind == '%' ? '%' : 'a';
    }
    Part part{text.substr(i, end - i), kind, in_type};
    if (kind == '[' && !parts.empty() && dtype_named(parts.back().text)) in_type = true;
    if (kind == ']') in_type = false;
    parts.push_back(std::move(part));
    i = end;
  }
  return parts;
}

std::string joined(const std::vector<Part>& parts) {
  std::string text;
  for (const Part& p : parts) text += p.text;
  return text;
}

const std::vector<std::vector<std::string>>& exchangeable() {
  static const std::vector<std::vector<std::string>> groups = {
      {"add", "sub", "mul", "div", "maximum", "minimum", "pow", "atan2", "hypot"},
      {"exp", "tanh", "relu", "neg", "abs", "sqrt", "square", "sigmoid", "log", "sin", "reciprocal", "sign", "floor", "gelu", "silu", "relu6"},
      {"max", "min", "argmax", "argmin", "amax", "amin"},
      {"f32", "f64", "bf16", "i32", "i64", "u8", "u32", "bool"},
      {"softmax", "log_softmax", "logsumexp"},
      {"true", "false"},
      {"+", "-", "*"},
      {"<", "<="}};
  return groups;
}

class Mutation {
 public:
  Mutation(const std::vector<std::string>& texts, Random& random) : texts_(texts), random_(random), parts_(parts_of(random.pick(texts))) {}

  std::string run() {
    for (std::int64_t k = random_.integer(1, 3); k > 0; --k) change();
    std::string text = joined(parts_);
    if (random_.chance(0.03)) scramble(text);
    return text;
  }

 private:
  void change() {
    switch (random_.below(10)) {
      case 0: return number();
      case 1:
      case 2: return size();
      case 3:
      case 4: return operand();
      case 5: return index();
      case 6: return word();
      case 7: return expression();
      case 8: return condition();
      default: return results();
    }
  }

  // One of the parts that fit, -1 where there is none.
  template <class Fits>
  int find(Fits&& fits) {
    std::vector<int> all;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      if (fits(parts_[i])) all.push_back(static_cast<int>(i));
    return all.empty() ? -1 : random_.pick(all);
  }
  std::string& text(int part) { return parts_[static_cast<std::size_t>(part)].text; }

  void number() {
    const int at = find([](const Part& p) { return p.kind == '0' && !p.in_type; });
    if (at >= 0) text(at) = std::to_string(random_.pick({0, 1, 2, 3, 4, 5, 7, 8, 16, 33, 100, 1000000007, std::int64_t{1} << 46}));
  }

  // A size becomes another, everywhere in types or in one place alone.
  void size() {
    const int at = find([](const Part& p) { return p.kind == '0' && p.in_type; });
    if (at < 0) return;
    const std::string old = text(at);
    const std::int64_t was = old.size() < 15 ? std::atoll(old.c_str()) : 1;
    const std::string made = std::to_string(random_.pick({std::max<std::int64_t>(was - 1, 0), was + 1, 2 * was, 0, 1, 2, 3, 7, 16, 33, 64, 100, 129}));
    if (random_.chance(0.2)) {
      text(at) = made;
      return;
    }
    for (Part& p : parts_)
      if (p.in_type && p.kind == '0' && p.text == old) p.text = made;
  }

  // An operand becomes another one, mostly of the same type.
  void operand() {
    const std::string whole = joined(parts_);
    std::map<std::string, std::string> types;
    for (std::size_t i = 0; i + 3 < parts_.size(); ++i) {
      if (parts_[i + 1].text != ":" || (parts_[i].kind != '%' && parts_[i].kind != 'a')) continue;
      std::string type;
      for (std::size_t k = i + 3; k < parts_.size() && (type.empty() || type.back() != ']'); ++k) type += parts_[k].text;
      types[parts_[i].text] = type;
    }
    if (types.empty()) return;
    const int at = find([&](const Part& p) { return types.contains(p.text); });
    if (at < 0) return;
    const std::string& type = types[text(at)];
    std::vector<std::string> others;
    const bool any = random_.chance(0.15);
    for (const auto& [name, other] : types)
      if (any || other == type) others.push_back(name);
    text(at) = random_.pick(others);
  }

  static bool is_index(const Part& p) { return p.kind == 'a' && p.text.size() == 1; }

  void index() {
    const int at = find(is_index), other = find(is_index);
    if (at >= 0) text(at) = text(other);
  }

  void word() {
    const auto group_of = [](const std::string& word) -> const std::vector<std::string>* {
      for (const auto& group : exchangeable())
        if (std::ranges::find(group, word) != group.end()) return &group;
      return nullptr;
    };
    const int at = find([&](const Part& p) { return group_of(p.text) != nullptr; });
    if (at < 0) return;
    const std::string old = text(at), made = random_.pick(*group_of(old));
    if (!dtype_named(old) || random_.chance(0.2)) {
      text(at) = made;
      return;
    }
    for (Part& p : parts_)  // a type everywhere
      if (p.text == old) p.text = made;
  }

  // Something is added to an index, or multiplied with it.
  void expression() {
    const int at = find(is_index);
    if (at < 0) return;
    const int other = find(is_index);
    const std::string i = text(at);
    const std::string made[] = {i + "+1", i + "-1", "2*" + i, "3*" + i + "-2", i + "+" + text(other), "7-" + i, "-" + i, "0", i + "+1000000007", "64*" + i};
    text(at) = made[random_.below(std::size(made))];
  }

  // A condition comes, or goes.
  void condition() {
    const int at = find([](const Part& p) { return p.text == ";" || p.text == "\n"; });
    if (at < 0) return;
    const int i = find(is_index), j = find(is_index);
    if (i < 0) return;
    const std::string size = std::to_string(random_.pick({0, 1, 2, 3, 5, 8, 100}));
    const std::string made = random_.chance(0.5) ? fmt::format("{}<{}", text(i), size) : fmt::format("0<={}-{}<{}", text(i), text(j), size);
    text(at) = text(at) == ";" ? random_.chance(0.3) ? "" : "; " + made + "," : "; " + made + "\n";
  }

  // A value is returned too, or a statement goes.
  void results() {
    if (random_.chance(0.3)) {
      const std::string whole = joined(parts_);
      const std::size_t from = whole.find('\n', random_.below(whole.size())), to = from == std::string::npos ? from : whole.find('\n', from + 1);
      if (to != std::string::npos) parts_ = parts_of(whole.substr(0, from) + whole.substr(to));
      return;
    }
    const int at = find([](const Part& p) { return p.kind == '%'; });
    const auto back = std::find_if(parts_.rbegin(), parts_.rend(), [](const Part& p) { return p.text == "return"; });
    if (at >= 0 && back != parts_.rend()) back->text = "return " + text(at) + ",";
  }

  // Pieces of text anywhere.
  void scramble(std::string& text) {
    const std::string& other = random_.pick(texts_);
    const std::size_t at = random_.below(text.size());
    switch (random_.below(4)) {
      case 0: text.erase(at, 1 + random_.below(8)); break;
      case 1: text[at] = static_cast<char>(random_.below(256)); break;
      case 2: text.insert(at, other.substr(random_.below(other.size()), 1 + random_.below(60))); break;
      default: text.insert(random_.below(text.size()), text.substr(at, 1 + random_.below(40)));
    }
  }

  const std::vector<std::string>& texts_;
  Random& random_;
  std::vector<Part> parts_;
};

// ---- what is demanded of a text

// Points that the function walks over, and entries that it holds, bodies included.
double work_of(const Function& f) {
  double work = 0;
  const auto points = [](const Domain& domain) {
    double n = 1;
    for (std::int64_t size : domain) n *= static_cast<double>(size);
    return n;
  };
  for (const Node* n : topological(f.results)) {
    for (std::uint32_t r = 0; r < n->result_count(); ++r) work += static_cast<double>(n->shape_of(r).elements());
    if (n->kind == Kind::map) work += static_cast<double>(n->shape.elements()) * static_cast<double>(n->formula().nodes.size());
    if (n->kind == Kind::sum) work += points(n->as<SumSpec>().domain);
    if (n->kind == Kind::reduce) work += points(n->as<ReduceSpec>().domain);
    if (n->kind == Kind::call) work += work_of(*n->as<CallSpec>().body);
  }
  for (const Ref& p : f.parameters) work += static_cast<double>(p.shape().elements());
  return work;
}

constexpr double most_compiled = 1e9, most_run = 5e5;

std::vector<reference::Array> values_for(const Function& f, std::uint64_t seed) {
  std::map<const Node*, std::int64_t> below;  // what checks ask of parameters
  for (const Node* n : topological(f.results))
    if (n->kind == Kind::check) below[n->operand(0).node()] = n->as<CheckSpec>().below;
  Random random(seed);
  std::vector<reference::Array> arrays;
  for (const Ref& p : f.parameters) {
    const std::int64_t n = p.shape().elements();
    const auto bound = below.find(p.node());
    const std::int64_t high = p.dtype() == DType::boolean ? 1 : bound == below.end() ? 3 : std::max<std::int64_t>(bound->second - 1, 0);
    std::vector<double> values = is_floating(p.dtype()) ? random_values(random, n) : random_integers(random, n, 0, high);
    for (double& v : values) v = round_to(p.dtype(), v);
    arrays.push_back({p.dtype(), p.shape(), std::move(values)});
  }
  return arrays;
}

bool all_finite(const std::vector<reference::Array>& arrays) {
  return std::ranges::all_of(arrays, [](const reference::Array& a) { return std::ranges::all_of(a.values, [](double v) { return std::abs(v) < 1e15; }); });
}

// Whether an i64 on the way is beyond what the reference's float64 holds.
bool has_huge_integers(const Function& f, const std::vector<reference::Array>& inputs) {
  Function all = f;
  all.results.clear();
  for (Node* n : topological(f.results))
    for (std::uint32_t r = 0; r < n->result_count(); ++r)
      if (n->dtype_of(r) == DType::i64) all.results.emplace_back(n, r);
  return std::ranges::any_of(reference::evaluate(all, inputs), [](const reference::Array& a) {
    return std::ranges::any_of(a.values, [](double v) { return std::abs(v) >= 0x1p53; });
  });
}

// What the reference computes, in float64 throughout and rounded as the types say.
struct Expected {
  std::vector<reference::Array> inputs, rounded, exact;
  [[nodiscard]] bool finite() const { return all_finite(rounded) && all_finite(exact); }
};

// Compares a program with the reference; false where the numbers do not decide.
bool compare(const Function& f, std::string_view what, const Expected& expected, const CompileOptions& options, Failures& failures) {
  const auto& [inputs, rounded, exact] = expected;
  const auto got = run_compiled(f, inputs, options);
  for (std::size_t r = 0; r < exact.size(); ++r) {
    const double tolerance = f.results[r].dtype() == DType::f64 ? 1e-9 : f.results[r].dtype() == DType::bf16 ? 2e-2 : 2e-3;
    double largest = 1;
    for (double v : exact[r].values) largest = std::max(largest, std::abs(v));
    for (std::size_t i = 0; i < exact[r].values.size(); ++i) {
      const double want = exact[r].values[i], noise = 100 * std::abs(want - rounded[r].values[i]);
      if (std::abs(got[r].values[i] - want) <= tolerance * largest + noise) continue;
      if (has_huge_integers(f, inputs) || stands_at_an_edge(f, inputs, tolerance)) return false;
      failures.push_back(fmt::format("{}: result {}, at {}: got {}, expected {}", what, r, i, got[r].values[i], want));
      return true;
    }
  }
  return true;
}

// Whether a call NAME.vjp reads what its forward call gave. A primitive or a closed form goes by the results alone, where the body may go by the operands, so
// with other results than the call's the two are different functions, and the text means nothing.
bool reads_its_forward(const Node& gradient) {
  const std::string& name = gradient.as<CallSpec>().name;
  const CompositeRow* row = name.ends_with(".vjp") ? find_composite(name.substr(0, name.size() - 4)) : nullptr;
  if (row == nullptr) return true;
  const auto operands = gradient.operands();
  for (const Edge& e : operands) {
    if (e.node->kind != Kind::call || e.node->as<CallSpec>().name != row->name) continue;
    const std::size_t n = e.node->operand_count, results = e.node->result_count();
    if (n + results >= operands.size() || !std::ranges::equal(e.node->operands(), operands.first(n))) continue;
    bool all = true;
    for (std::uint32_t r = 0; r < results; ++r) all &= operands[n + r] == Edge{e.node, r};
    if (all) return true;
  }
  return false;
}

bool gradients_read_their_forward(const Function& f) {
  return std::ranges::all_of(topological(f.results), [](const Node* n) {
    return n->kind != Kind::call || (reads_its_forward(*n) && gradients_read_their_forward(*n->as<CallSpec>().body));
  });
}

// Random leaves, whose numbers come with each run, are parameters of a program; here they become data.
bool has_random(const Function& f) {
  return std::ranges::any_of(topological(f.results), [](const Node* n) { return n->kind == Kind::leaf && n->as<LeafSpec>().role == LeafRole::random; });
}

}  // namespace

std::vector<std::string> texts_to_mutate(const std::string& docs) {
  std::vector<std::string> texts(own_texts.begin(), own_texts.end());
  std::vector<std::filesystem::path> pages;
  for (const auto& entry : std::filesystem::directory_iterator(docs))
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  std::sort(pages.begin(), pages.end());
  for (const auto& page : pages) append_functions_of(page, texts);
  for (const RowTestCase& c : row_test_cases()) {
    const std::vector<Ref> parameters = parameters_of(c.operands);
    texts.push_back(with_gradients_text(parameters, c.record(parameters)));
  }
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const RandomGraph g = random_graph(seed, {.nodes = 6 + static_cast<int>(seed % 20), .floating = seed % 3 == 0 ? f64 : f32});
    texts.push_back(with_gradients_text(g.function.parameters, g.function.results));
  }
  // Calls of names that nobody knows may have any bodies, so these texts are mutated in their bodies too.
  const std::size_t count = texts.size();
  for (std::size_t k = 0; k < count; ++k) {
    std::string text = texts[k];
    constexpr std::string_view call = "= call ";
    bool bodies = true;
    std::size_t calls = 0;
    for (std::size_t at = 0; (at = text.find(call, at)) != std::string::npos; ++calls) {
      at += call.size();
      bodies = bodies && text.substr(at, text.find('\n', at) - at).find(" using ") != std::string::npos;
      text.insert(at, "my.");
    }
    if (calls > 0 && bodies) texts.push_back(std::move(text));
  }
  return texts;
}

std::string mutated_text(const std::vector<std::string>& texts, Random& random) { return Mutation(texts, random).run(); }

MutationOutcome check_text(const std::string& text, std::uint64_t seed, const std::string& passes) {
  MutationOutcome outcome;
  Function f;
  try {
    f = parse_function(text);
  } catch (const Error& e) {
    if (e.function() != "parse" || e.remedy().empty()) outcome.failures.push_back(fmt::format("an error without a place or a remedy: {}", e.what()));
    return outcome;
  } catch (const std::exception& e) {
    outcome.failures.push_back(fmt::format("parse_function throws {}", e.what()));
    return outcome;
  }
  outcome.parsed = true;
  const char* doing = "verify";
  try {
    verify(f);
    doing = "round trip";
    const std::string printed = to_text(f);
    if (to_text(parse_function(printed)) != printed) outcome.failures.push_back("the text does not survive a round trip");
    const double work = work_of(f);
    if (work > most_compiled) return outcome;
    doing = "passes and fusions";
    CompileOptions options;
    options.threads = seed % 3 == 0 ? 4 : 1;
    options.passes = PassSwitches(passes);
    const std::vector<Node*> order = topological(f.results);
    if (seed % 4 == 0) static_cast<void>(explain(f, order, options));
    if (has_random(f)) return outcome;
    doing = "compilation";
    const bool small = work <= most_run && gradients_read_their_forward(f);
    if (!small) static_cast<void>(compile_program(f, order, options));  // a run compiles as well
    if (!small) return outcome;
    doing = "the reference";
    Expected expected{values_for(f, seed), {}, {}};
    try {
      expected.rounded = reference::evaluate(f, expected.inputs);
      expected.exact = reference::evaluate(f, expected.inputs, {.exact = true});
    } catch (const Error&) {  // a check that does not hold
      return outcome;
    }
    doing = "a run";
    outcome.compared = true;
    if (!expected.finite()) {
      outcome.undecided = true;
      static_cast<void>(run_compiled(f, expected.inputs, options));
      return outcome;
    }
    outcome.undecided = !compare(f, "fused", expected, options, outcome.failures);
    if (seed % 5 == 0 && !outcome.undecided) {
      options.passes = without_fusion();
      outcome.undecided = !compare(f, "unfused", expected, options, outcome.failures);
    }
  } catch (const std::exception& e) {
    outcome.failures.push_back(fmt::format("{}: {}", doing, e.what()));
  }
  return outcome;
}

MutationOutcome check_mutation(const std::vector<std::string>& texts, std::uint64_t seed, const std::string& passes) {
  Random random(seed);
  const std::string text = mutated_text(texts, random);
  MutationOutcome outcome = check_text(text, seed, passes);
  for (std::string& failure : outcome.failures) failure = fmt::format("seed {}: {}\n{}", seed, failure, text);
  return outcome;
}

}  // namespace cotan::testing
