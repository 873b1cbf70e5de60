// Loops that end in sums as generated code: it runs over lines where they lie, and adds what it computes to accumulators.
#include <fmt/format.h>

#include <algorithm>

#include "backends/loops/closed_lines.h"
#include "backends/loops/jit/code_cache.h"
#include "backends/loops/jit/jit.h"
#include "backends/loops/measure.h"
#include "backends/loops/tile_program.h"

namespace cotan::loops::jit {
namespace {

// Rows that are added up by one call, each with accumulators of its own.
constexpr std::int64_t most_rows = 32;

// How a sum's accumulators go with the lines.
enum class Accumulators : std::uint8_t {
  of_line,   // each line is a row with accumulators of its own
  of_block,  // all lines of a block have the same ones
};

class ClosedCode final : public Kernel {
 public:
  ClosedCode(const Cluster& cluster, std::span<const View> inputs, std::span<const View> outputs, std::vector<ClosingSum> sums, DomainLines lines,
             std::shared_ptr<const CompiledCode> code)
      : sums_(std::move(sums)), lines_(std::move(lines)), code_(std::move(code)) {
    name_ = fmt::format("jit {} and {}", cluster.name, sums_.size() == 1 ? "a sum" : fmt::format("{} sums", sums_.size()));
    chunks_ = lines_.chunks();
    for (const ClusterLoad& l : cluster.loads) add_operand(static_cast<std::size_t>(l.input), size_of(l.dtype));
    for (const ClusterStore& s : cluster.stores) add_operand(inputs.size() + static_cast<std::size_t>(s.output), size_of(s.dtype));
    const std::size_t operands = operands_.size() + sums_.size();
    scratch_bytes_ = (operands * sizeof(void*) + 63) / 64 * 64;
    for (const ClosingSum& s : sums_) {
      const bool own = kind(s, lines_.length()) == Accumulators::of_line;
      state_at_.push_back(scratch_bytes_);
      of_line_.push_back(own);
      row_bytes_.push_back(own ? s.parts() * 8 : 0);
      scratch_bytes_ += (s.state_bytes() * static_cast<std::size_t>(own ? most_rows : 1) + 63) / 64 * 64;
    }
    first_result_ = inputs.size() + static_cast<std::size_t>(cluster.outputs());

    const std::vector<bool> writable(static_cast<std::size_t>(cluster.outputs()), false);
    const std::vector<std::vector<bool>> aliases(writable.size(), std::vector<bool>(cluster.loads.size(), false));
    flops_ = static_cast<double>(lines_.elements()) * (make_tile_program(cluster, writable, aliases).operations + static_cast<double>(sums_.size()));
    for (const View& v : inputs) bytes_ += bytes_of(v);
    for (const View& v : outputs) bytes_ += bytes_of(v);
  }

  static Accumulators kind(const ClosingSum& sum, std::int64_t line) {
    return sum.form().columns == 1 && sum.form().rows == line ? Accumulators::of_line : Accumulators::of_block;
  }

  [[nodiscard]] std::string name() const override { return name_; }

  void run(std::int64_t chunk, std::span<void* const> buffers, void* scratch) const override {
    auto** pointers = static_cast<void**>(scratch);
    const std::int64_t length = lines_.length();
    const auto [first, last] = lines_.chunk(chunk);
    for (std::int64_t line = first; line < last;) {
      std::int64_t lines = std::min(last - line, lines_.run_from(line));
      for (std::size_t k = 0; k < sums_.size(); ++k) lines = std::min(lines, of_line_[k] ? most_rows : lines_left(k, line));
      for (std::size_t k = 0; k < operands_.size(); ++k) {
        const Operand& o = operands_[k];
        pointers[k] = static_cast<std::byte*>(buffers[o.view]) + lines_.offset(o.view, line, 0) * o.element;
      }
      for (std::size_t k = 0; k < sums_.size(); ++k) {
        void* const state = static_cast<std::byte*>(scratch) + state_at_[k];
        pointers[operands_.size() + k] = state;
        if (of_line_[k])
          sums_[k].clear(state, lines);
        else if (line * length % sums_[k].form().block() == 0)
          sums_[k].clear(state, 1);
      }
      code_->entry()(pointers, row_bytes_.data(), lines, length);
      for (std::size_t k = 0; k < sums_.size(); ++k) {
        void* const state = static_cast<std::byte*>(scratch) + state_at_[k];
        void* const result = buffers[first_result_ + k];
        if (of_line_[k])
          sums_[k].store(state, lines, line, result);
        else if (lines == lines_left(k, line))
          sums_[k].store(state, 1, line * length / sums_[k].form().block(), result);
      }
      line += lines;
    }
  }

 private:
  struct Operand {
    std::size_t view = 0;  // and buffer
    std::int64_t element = 1;
  };

  void add_operand(std::size_t view, std::size_t element) {
    operands_.push_back({view, static_cast<std::int64_t>(element)});
    row_bytes_.push_back(lines_.line_step(view) * static_cast<std::int64_t>(element));
  }

  // To the end of the block.
  [[nodiscard]] std::int64_t lines_left(std::size_t sum, std::int64_t line) const {
    const std::int64_t lines = sums_[sum].form().block() / lines_.length();
    return lines - line % lines;
  }

  std::vector<ClosingSum> sums_;
  DomainLines lines_;
  std::shared_ptr<const CompiledCode> code_;
  std::string name_;
  std::vector<Operand> operands_;        // loads, then stores
  std::vector<std::int64_t> row_bytes_;  // of the operands, then of the sums
  std::vector<bool> of_line_;            // of each sum
  std::vector<std::size_t> state_at_;    // of each sum, in the scratch memory
  std::size_t first_result_ = 0;         // the buffer of the first sum's result
};

// How code adds a sum up over lines of that length; nothing where it cannot.
std::optional<Way> way_of(const ClosingSum& sum, std::int64_t line) {
  const BlockSum& form = sum.form();
  if (sum.dtype() != f32) return std::nullopt;
  if (form.columns > 1) return form.columns == line ? std::optional(Way::add_columns) : std::nullopt;
  if (form.rows == line) return sum.parts() == 32 ? std::optional(Way::add_many) : sum.parts() == 8 ? std::optional(Way::add_few) : std::nullopt;
  // Every line of a row begins with the first part.
  return form.rows % line == 0 && line % 32 == 0 ? std::optional(Way::add_many) : std::nullopt;
}

// Whether vectors are mostly full, and elements side by side.
bool suits_vectors(const DomainLines& lines, std::size_t views, InstructionSet set) {
  for (std::size_t v = 0; v < views; ++v)
    if (lines.step(v) != 0 && lines.step(v) != 1) return false;
  const std::int64_t lanes = set == InstructionSet::avx512 ? 16 : 8, length = lines.length();
  return length >= lanes && 5 * length >= 4 * ((length + lanes - 1) / lanes) * lanes;
}

}  // namespace

KernelRef compile_closed(const Cluster& cluster, std::span<const LoopSum> sums, std::span<const View> inputs, std::span<const View> outputs,
                         InstructionSet set) {
  if (set == InstructionSet::none) return nullptr;
  const auto own = static_cast<std::size_t>(cluster.outputs());
  std::vector<ClosingSum> closing = closing_sums(cluster, sums, domain_of(cluster, inputs, outputs), outputs.subspan(own));
  DomainLines lines(cluster, inputs, outputs, closing);
  if (!suits_vectors(lines, inputs.size() + own, set)) return nullptr;
  Cluster all = cluster;
  std::vector<Way> ways(cluster.stores.size(), Way::write);
  for (std::size_t k = 0; k < sums.size(); ++k) {
    const std::optional<Way> way = way_of(closing[k], lines.length());
    if (!way) return nullptr;
    ways.push_back(*way);
    all.stores.push_back({sums[k].value, static_cast<int>(own + k), f32});
  }
  std::vector<Level> levels;
  for (const ClusterLoad& l : cluster.loads) {
    const auto view = static_cast<std::size_t>(l.input);
    levels.push_back(lines.step(view) != 0 ? Level::column : lines.is_one(view) ? Level::call : Level::row);
  }
  std::shared_ptr<const CompiledCode> code = code_for(all, levels, set, ways);
  if (code == nullptr) return nullptr;
  return std::make_shared<const ClosedCode>(cluster, inputs, outputs, std::move(closing), std::move(lines), std::move(code));
}

}  // namespace cotan::loops::jit
