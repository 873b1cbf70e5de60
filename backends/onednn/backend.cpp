#include "backends/onednn/backend.h"

#include "backends/onednn/claims.h"
#include "backends/onednn/one_thread.h"
#include "backends/onednn/primitive_cache.h"

namespace cotan {
namespace {

// Whether a node reads or gives a tensor without elements: no primitive is made for such, and sizes that are divided by are not 0.
bool is_empty(const Ref& node) {
  for (const Edge& e : node->operands())
    if (e.node->shape_of(e.result).elements() == 0) return true;
  for (std::uint32_t r = 0; r < node->result_count(); ++r)
    if (node->shape_of(r).elements() == 0) return true;
  return false;
}

// What speaks against any primitive for a node.
std::optional<Reason> refused(const Ref& node) {
  if (onednn::is_closing()) return Reason{ReasonCode::primitive_refused, "the process ends, and the library has closed"};
  if (!onednn::unheld_reason().empty()) return Reason{ReasonCode::primitive_refused, onednn::unheld_reason()};
  if (is_empty(node)) return Reason{ReasonCode::not_profitable, "a tensor without elements"};
  return std::nullopt;
}

class OneDnnBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "oneDNN"; }

  [[nodiscard]] Match match(const Ref& node, const BackendOptions& options) const override {
    if (node->kind != Kind::sum && node->kind != Kind::call && node->kind != Kind::reduce)
      return Reason{ReasonCode::not_recognised, std::string(name_of(node->kind))};
    if (auto reason = refused(node)) return *std::move(reason);
    if (node->kind == Kind::sum) return onednn::match_sum(node, options);
    if (node->kind == Kind::reduce) return onednn::match_max(node);
    if (auto match = onednn::match_norm(node, options)) return *std::move(match);
    return onednn::match_softmax(node);
  }

  [[nodiscard]] Match match_with(const Ref& node, const Epilogue& epilogue, const BackendOptions& options) const override {
    if (node->kind != Kind::sum) return Reason{ReasonCode::not_recognised, std::string(name_of(node->kind))};
    if (auto reason = refused(node)) return *std::move(reason);
    return onednn::match_sum_with(node, epilogue, options);
  }

  [[nodiscard]] std::vector<Blocking> blockings(const Ref& node, const BackendOptions& options) const override {
    if (node->kind != Kind::sum || refused(node)) return {};
    return onednn::blockings_of(node, options);
  }
};

}  // namespace

const Backend& onednn_backend() {
  static const OneDnnBackend& backend = *new OneDnnBackend;
  return backend;
}

}  // namespace cotan
