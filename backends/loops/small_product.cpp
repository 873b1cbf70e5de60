#include "backends/loops/small_product.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <variant>

#include "backends/loops/loops.h"
#include "backends/loops/measure.h"
#include "backends/loops/product_tiles.h"
#include "graph/cluster.h"
#include "ops/error.h"

namespace cotan::loops {
namespace {

constexpr std::int64_t most_of_an_extent = 256;
constexpr double least_work = 2e3, most_work = 2e5;
// Of what may follow a product in its kernel.
constexpr std::size_t most_of_a_formula = 24, most_operands = 8;
constexpr std::size_t line = 64;  // bytes

constexpr std::int64_t vector = 16;  // floats, for estimates and for rows of packed memory
constexpr double cycles_to_start = 250;
constexpr double cycles_to_move = 1.25;  // an element in packing, or out of order into the result

std::size_t in_lines(std::size_t bytes) { return (bytes + line - 1) / line * line; }

std::int64_t size_of_group(const std::vector<int>& group, const SumSpec& spec) {
  std::int64_t size = 1;
  for (int i : group) size *= spec.domain[static_cast<std::size_t>(i)];
  return size;
}

std::int64_t padded(std::int64_t columns) { return (columns + vector - 1) / vector * vector; }

double cycles(std::int64_t rows, std::int64_t columns, std::int64_t k) {
  return 1.1 * static_cast<double>(rows * k * (padded(columns) / vector)) + static_cast<double>(rows * padded(columns) / vector);
}

// A product with its roles given: rows along a, columns along b; strides in c, a and b.
struct Roles {
  IndexRun rows, columns, k;
  bool swapped = false;  // a is the form's b
  [[nodiscard]] bool packs() const { return columns.size > 1 && columns.strides[2] != 1; }
  [[nodiscard]] bool scatters() const { return columns.size > 1 && columns.strides[0] != 1; }
  [[nodiscard]] double cost() const {
    return cycles(rows.size, columns.size, k.size) + cycles_to_move * static_cast<double>((packs() ? k.size * columns.size : 0)) +
           cycles_to_move * static_cast<double>(scatters() ? rows.size * columns.size : 0);
  }
};

// The last run of a group, which is the innermost; the others are added to `rest`.
IndexRun innermost(std::vector<IndexRun> runs, std::vector<IndexRun>& rest) {
  if (runs.empty()) return {};
  const IndexRun inner = runs.back();
  runs.pop_back();
  rest.insert(rest.end(), runs.begin(), runs.end());
  return inner;
}

class SmallProduct final : public Kernel {
 public:
  SmallProduct(const MatmulForm& form, const SumSpec& spec, std::span<const View> factors, const View& output) : tile_(product_tile()) {
    const std::array<const View*, 3> views{&output, form.a == 1 ? factors.data() : &factors[1], form.a == 1 ? &factors[1] : factors.data()};
    const auto factor = [&](int tensor) { return spec.factors[static_cast<std::size_t>(tensor - 1)]; };
    const IndexSteps c = index_steps(spec.output, output.strides, spec.domain.size());
    const IndexSteps a = index_steps(factor(form.a), views[1]->strides, spec.domain.size());
    const IndexSteps b = index_steps(factor(form.b), views[2]->strides, spec.domain.size());
    const std::array<const IndexSteps*, 3> steps{&c, &a, &b};
    const IndexRun m = innermost(runs_of(form.m, spec.domain, steps), batch_), n = innermost(runs_of(form.n, spec.domain, steps), batch_);
    const IndexRun k = innermost(runs_of(form.k, spec.domain, steps), k_loop_);
    for (const IndexRun& run : runs_of(form.batch, spec.domain, steps)) batch_.push_back(run);

    const auto exchanged = [](IndexRun run) {
      std::swap(run.strides[1], run.strides[2]);
      return run;
    };
    roles_ = {m, n, k, false};
    if (const Roles other{exchanged(n), exchanged(m), exchanged(k), true}; other.cost() < roles_.cost()) roles_ = other;
    base_ = {c.base, a.base, b.base};
    inputs_ = {static_cast<std::size_t>(form.a - 1), static_cast<std::size_t>(form.b - 1)};
    if (roles_.swapped) {
      std::swap(base_[1], base_[2]);
      std::swap(inputs_[0], inputs_[1]);
      for (auto* runs : {&batch_, &k_loop_}) std::ranges::transform(*runs, runs->begin(), exchanged);
    }
    coefficient_ = static_cast<float>(spec.coefficient);
    if (roles_.packs()) packed_bytes_ = in_lines(static_cast<std::size_t>(k.size * padded(roles_.columns.size)) * sizeof(float));
    scratch_bytes_ = packed_bytes_;
    if (roles_.scatters()) scratch_bytes_ += in_lines(static_cast<std::size_t>(roles_.rows.size * padded(roles_.columns.size)) * sizeof(float));
    std::int64_t batches = 1, loop = 1;
    for (const IndexRun& run : batch_) batches *= run.size;
    for (const IndexRun& run : k_loop_) loop *= run.size;
    flops_ = 2 * static_cast<double>(batches * m.size * n.size) * static_cast<double>(k.size * loop);
    bytes_ = bytes_of(factors[0]) + bytes_of(factors[1]) + bytes_of(output);
    const std::string sizes = fmt::format("{}x{}x{}", m.size, k.size * loop, n.size);
    name_ = batches > 1 ? fmt::format("loops matmul {} of {}", batches, sizes) : fmt::format("loops matmul {}", sizes);
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void run(std::int64_t, std::span<void* const> buffers, void* scratch) const override {
    const Pointers all{static_cast<float*>(buffers[2]) + base_[0], static_cast<const float*>(buffers[inputs_[0]]) + base_[1],
                       static_cast<const float*>(buffers[inputs_[1]]) + base_[2]};
    each(batch_, 0, all, [&](const Pointers& one) {
      bool first = true;
      each(k_loop_, 0, one, [&](const Pointers& part) {
        multiply(part, !first, static_cast<float*>(scratch));
        first = false;
      });
    });
  }

 private:
  struct Pointers {
    float* c;
    const float *a, *b;
  };

  template <class Visit>
  static void each(const std::vector<IndexRun>& runs, std::size_t from, const Pointers& at, const Visit& visit) {
    if (from == runs.size()) return visit(at);
    const auto& [c, a, b] = runs[from].strides;
    for (std::int64_t i = 0; i < runs[from].size; ++i) each(runs, from + 1, {at.c + i * c, at.a + i * a, at.b + i * b}, visit);
  }

  void multiply(const Pointers& at, bool accumulate, float* scratch) const {
    const IndexRun &rows = roles_.rows, &columns = roles_.columns, &k = roles_.k;
    const std::int64_t width = padded(columns.size);
    ProductTile t{at.a, rows.strides[1], k.strides[1], at.b, k.strides[2], at.c, rows.strides[0], rows.size, columns.size, k.size, coefficient_, accumulate};
    if (roles_.packs()) {
      for (std::int64_t p = 0; p < k.size; ++p) {
        const float* from = at.b + p * k.strides[2];
        float* to = scratch + p * width;
        for (std::int64_t j = 0; j < columns.size; ++j, from += columns.strides[2]) to[j] = *from;
      }
      t.b = scratch;
      t.b_step = width;
    }
    if (!roles_.scatters()) return tile_(t);
    t.c = scratch + packed_bytes_ / sizeof(float);
    t.c_row = width;
    t.accumulate = false;
    tile_(t);
    for (std::int64_t j = 0; j < columns.size; ++j) {
      for (std::int64_t i = 0; i < rows.size; ++i) {
        float& to = at.c[i * rows.strides[0] + j * columns.strides[0]];
        to = accumulate ? to + t.c[i * width + j] : t.c[i * width + j];
      }
    }
  }

  ProductTileFunction tile_;
  std::vector<IndexRun> batch_, k_loop_;
  Roles roles_;
  std::array<std::int64_t, 3> base_{};
  std::array<std::size_t, 2> inputs_{};  // the kernel's input that is a, and b
  std::size_t packed_bytes_ = 0;
  float coefficient_ = 1;
  std::string name_;
};

// A product in scratch memory, and the loop that reads it there.
class ProductThenLoop final : public Kernel {
 public:
  ProductThenLoop(KernelRef product, KernelRef loop, const Shape& shape, std::span<const View> others, const View& output)
      : product_(std::move(product)), loop_(std::move(loop)), value_bytes_(in_lines(static_cast<std::size_t>(shape.elements()) * sizeof(float))) {
    scratch_bytes_ = value_bytes_ + std::max(product_->scratch_bytes(), loop_->scratch_bytes());
    flops_ = product_->flops() + loop_->flops();
    bytes_ = product_->bytes() - bytes_of(View::dense(f32, shape)) + bytes_of(output);
    for (const View& v : others) bytes_ += bytes_of(v);
    name_ = fmt::format("{}, then {}", product_->name(), loop_->name());
  }

  [[nodiscard]] std::string name() const override { return name_; }

  // Buffers: the factors, the formula's other operands, the output.
  void run(std::int64_t, std::span<void* const> buffers, void* scratch) const override {
    void* const rest = static_cast<std::byte*>(scratch) + value_bytes_;
    const std::array<void*, 3> of_product{buffers[0], buffers[1], scratch};
    product_->run(0, of_product, rest);
    std::array<void*, most_buffers> of_loop{};
    of_loop[0] = scratch;
    std::ranges::copy(buffers.subspan(2), of_loop.begin() + 1);
    for (std::int64_t chunk = 0; chunk < loop_->chunks(); ++chunk) loop_->run(chunk, std::span(of_loop).first(buffers.size() - 1), rest);
  }

  static constexpr std::size_t most_buffers = most_operands + 2;  // of the loop

 private:
  KernelRef product_, loop_;
  std::size_t value_bytes_;
  std::string name_;
};

}  // namespace

KernelRef compile_small_product(const MatmulForm& form, const SumSpec& spec, std::span<const View> factors, const View& output) {
  return std::make_shared<SmallProduct>(form, spec, factors, output);
}

KernelRef compile_small_product(const MatmulForm& form, const SumSpec& spec, std::span<const View> inputs, const View& output, const Formula& formula,
                                InstructionSet set) {
  if (inputs.size() > 2 + most_operands) throw InternalError(fmt::format("{} inputs of a small product's kernel", inputs.size()));
  const View value = View::dense(f32, output.shape);
  std::vector<View> read{value};
  read.insert(read.end(), inputs.begin() + 2, inputs.end());
  KernelRef loop = compile_cluster(map_cluster(formula, output.shape.rank()), read, std::span(&output, 1), set);
  return std::make_shared<ProductThenLoop>(compile_small_product(form, spec, inputs.first(2), value), std::move(loop), output.shape, inputs.subspan(2), output);
}

namespace {

// The form of a sum that is worth it, or why it is not.
std::variant<MatmulForm, Reason> form_of(const Node& node) {
  if (node.kind != Kind::sum) return Reason{ReasonCode::not_recognised, std::string(name_of(node.kind))};
  const auto& spec = node.as<SumSpec>();
  std::optional<MatmulForm> form;
  if (spec.factors.size() == 2 && node.operand_count == 2) form = as_matmul(spec, tensor_shapes(node));
  if (!form) return Reason{ReasonCode::not_recognised, "no product of matrices"};
  for (const Edge& e : node.operands())
    if (e.node->dtype_of(e.result) != f32) return Reason{ReasonCode::dtype, std::string(name_of(e.node->dtype_of(e.result)))};
  if (!std::isnormal(static_cast<float>(spec.coefficient))) return Reason{ReasonCode::not_recognised, fmt::format("scaled by {}", spec.coefficient)};
  const std::int64_t batch = size_of_group(form->batch, spec), m = size_of_group(form->m, spec), n = size_of_group(form->n, spec);
  const std::int64_t k = size_of_group(form->k, spec);
  const double work = static_cast<double>(batch) * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  if (std::min(m, n) < 2 || std::max({m, n, k}) > most_of_an_extent || work < least_work || work > most_work)
    return Reason{ReasonCode::not_profitable, fmt::format("{} of {}x{}x{}", batch, m, k, n)};
  // oneDNN 2.6 on one thread: entering the library, packing, and 2 * 30 floating-point operations a cycle. Which factor stands first must not matter: a graph
  // that is recorded in another way may order them otherwise, and its bits should be the same.
  const auto batches = static_cast<double>(batch);
  const double packing = static_cast<double>(k * std::min(m, n)) + 0.25 * static_cast<double>(k * std::max(m, n));
  const double primitive = 1500 + 2 * work / 60 + batches * packing;
  const double loops = cycles_to_start + batches * std::min(cycles(m, n, k), cycles(n, m, k));
  if (loops > primitive) return Reason{ReasonCode::not_profitable, fmt::format("{:.0f} cycles as loops, {:.0f} by a primitive", loops, primitive)};
  return *std::move(form);
}

// The claim on a product, or on one with a formula behind it.
Claim claim_of(const Ref& node, MatmulForm form) {
  Claim claim;
  for (const Edge& e : node->operands()) claim.inputs.emplace_back(e);
  claim.results = {node};
  claim.compile = [form = std::move(form), spec = node->shared<SumSpec>()](std::span<const View> in, std::span<const View> out, int) {
    return Made{compile_small_product(form, *spec, in, out[0]), {}};
  };
  return claim;
}

class SmallProducts final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "small products"; }

  [[nodiscard]] Match match(const Ref& node, const BackendOptions&) const override {
    auto form = form_of(*node.node());
    if (auto* why = std::get_if<Reason>(&form)) return std::move(*why);
    return claim_of(node, std::get<MatmulForm>(std::move(form)));
  }

  [[nodiscard]] Match match_with(const Ref& node, const Epilogue& epilogue, const BackendOptions& options) const override {
    auto form = form_of(*node.node());
    if (auto* why = std::get_if<Reason>(&form)) return std::move(*why);
    if (epilogue.formula->nodes.size() > most_of_a_formula) return Reason{ReasonCode::too_long, fmt::format("{} atoms", epilogue.formula->nodes.size())};
    if (epilogue.operands.size() > most_operands) return Reason{ReasonCode::too_long, fmt::format("{} tensors", epilogue.operands.size())};
    Claim claim = claim_of(node, std::get<MatmulForm>(form));
    claim.inputs.insert(claim.inputs.end(), epilogue.operands.begin(), epilogue.operands.end());
    claim.results = {epilogue.result};
    claim.in_place = true;  // the whole product is in scratch memory before anything is stored
    claim.compile = [form = std::get<MatmulForm>(std::move(form)), spec = node->shared<SumSpec>(), formula = epilogue.formula,
                     set = options.target.instructions](std::span<const View> in, std::span<const View> out, int) {
      return Made{compile_small_product(form, *spec, in, out[0], *formula, set), {}};
    };
    return claim;
  }
};

}  // namespace

const Backend& small_products() {
  static const SmallProducts& backend = *new SmallProducts;
  return backend;
}

}  // namespace cotan::loops
