#include "backends/onednn/backend.h"

#include "backends/onednn/claims.h"
#include "backends/onednn/one_thread.h"
#include "backends/onednn/primitive_cache.h"

namespace cotan {
namespace {

class OneDnnBackend final : public Backend {
 public:
  [[nodiscard]] std::string_view name() const override { return "oneDNN"; }

  [[nodiscard]] Match match(const Ref& node, const BackendOptions& options) const override {
    if (node->kind != Kind::sum && node->kind != Kind::call && node->kind != Kind::reduce)
      return Reason{ReasonCode::not_recognised, std::string(name_of(node->kind))};
    if (const std::string reason = unusable(); !reason.empty()) return Reason{ReasonCode::primitive_refused, reason};
    if (node->kind == Kind::sum) return onednn::match_sum(node, options);
    if (node->kind == Kind::reduce) return onednn::match_max(node, options);
    if (auto match = onednn::match_norm(node, options)) return *std::move(match);
    return onednn::match_softmax(node, options);
  }

  [[nodiscard]] Match match_with(const Ref& node, const Epilogue& epilogue, const BackendOptions& options) const override {
    if (node->kind != Kind::sum) return Reason{ReasonCode::not_recognised, std::string(name_of(node->kind))};
    if (const std::string reason = unusable(); !reason.empty()) return Reason{ReasonCode::primitive_refused, reason};
    return onednn::match_sum_with(node, epilogue, options);
  }

  [[nodiscard]] std::vector<Blocking> blockings(const Ref& node, const BackendOptions& options) const override {
    if (node->kind != Kind::sum || !unusable().empty()) return {};
    return onednn::blockings_of(node, options);
  }

 private:
  // Why no primitive can be made; empty where they can.
  [[nodiscard]] static std::string unusable() { return onednn::is_closing() ? "the process ends, and the library has closed" : onednn::unheld_reason(); }
};

}  // namespace

const Backend& onednn_backend() {
  static const OneDnnBackend& backend = *new OneDnnBackend;
  return backend;
}

}  // namespace cotan
