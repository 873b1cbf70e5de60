#include "autograd/dependence.h"

#include <algorithm>

namespace cotan {
namespace {

bool carries_gradient(const Node& n) {
  if (n.kind == Kind::stop_gradient) return false;
  for (std::uint32_t r = 0; r < n.result_count(); ++r)
    if (is_floating(n.dtype_of(r))) return true;
  return false;
}

const TensorData* data_of(const Node& n) {
  if (n.kind != Kind::leaf || n.as<LeafSpec>().role != LeafRole::data) return nullptr;
  return static_cast<const TensorData*>(n.as<LeafSpec>().payload.get());
}

}  // namespace

Dependence::Dependence(Tape& tape, std::vector<Node*> order) : tape_(tape), order_(std::move(order)) {
  at_.reserve(order_.size());
  flags_.resize(order_.size());
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const Node& n = *order_[i];
    at_.emplace(&n, i);
    unsigned char flags = 0;
    const CellVersion* version = version_of(n);
    if (version != nullptr && tape_.pending_of(version->cell.get()) != nullptr && !tape_.is_current(*version, n)) flags |= overwritten;
    for (const Edge& e : n.operands()) flags |= flags_of(e.node) & overwritten;
    if (carries_gradient(n)) {
      flags |= carries;
      if (version != nullptr || tape_.is_marked(&n) || (n.kind != Kind::leaf && tape_.value_of(&n) != nullptr)) flags |= history;
      for (const Edge& e : n.operands()) flags |= flags_of(e.node) & history;
    }
    flags_[i] = flags;
  }
}

std::vector<std::shared_ptr<const Forgotten>> Dependence::forgotten(std::span<const Node* const> nodes, const SourceLine& line) const {
  // Sets of sources as bits, 64 sources at a time.
  std::vector<std::size_t> sources;
  std::size_t leaves = 0;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    if ((flags_[i] & carries) == 0 || order_[i]->kind != Kind::leaf) continue;
    const bool cell = version_of(*order_[i]) != nullptr;
    const TensorData* data = data_of(*order_[i]);
    if (!cell && (data == nullptr || (!data->forgotten && leaves++ >= Forgotten::most_leaves))) continue;
    sources.push_back(i);
  }
  std::vector<std::shared_ptr<Forgotten>> made(nodes.size());
  for (auto& f : made) {
    f = std::make_shared<Forgotten>();
    f->line = line;
  }
  auto add_leaf = [](Forgotten& f, std::uint64_t id) {
    if (f.leaves.size() < Forgotten::most_leaves && std::find(f.leaves.begin(), f.leaves.end(), id) == f.leaves.end()) f.leaves.push_back(id);
  };
  auto add_cell = [](Forgotten& f, const Forgotten::Through& through) {
    if (std::none_of(f.cells.begin(), f.cells.end(), [&](const auto& c) { return c.id == through.id; })) f.cells.push_back(through);
  };
  auto add_source = [&](Forgotten& f, const Node& n) {
    if (const CellVersion* version = version_of(n)) {
      const bool by_step = (flags_of(&n) & overwritten) != 0;
      add_cell(f, {version->cell->id, by_step ? tape_.overwritten_at(*version->cell) : line, by_step});
      return;
    }
    add_leaf(f, n.as<LeafSpec>().identity);
    if (const Forgotten* before = data_of(n)->forgotten.get()) {
      for (std::uint64_t id : before->leaves) add_leaf(f, id);
      for (const auto& through : before->cells) add_cell(f, through);
    }
  };
  std::vector<std::uint64_t> bits(order_.size());
  for (std::size_t first = 0; first < sources.size(); first += 64) {
    const std::size_t count = std::min<std::size_t>(64, sources.size() - first);
    std::fill(bits.begin(), bits.end(), 0);
    for (std::size_t k = 0; k < count; ++k) bits[sources[first + k]] = std::uint64_t{1} << k;
    for (std::size_t i = 0; i < order_.size(); ++i)
      if ((flags_[i] & carries) != 0)
        for (const Edge& e : order_[i]->operands())
          if (auto from = at_.find(e.node); from != at_.end()) bits[i] |= bits[from->second];
    for (std::size_t j = 0; j < nodes.size(); ++j) {
      auto found = at_.find(nodes[j]);
      const std::uint64_t set = found != at_.end() ? bits[found->second] : 0;
      for (std::size_t k = 0; k < count; ++k)
        if ((set >> k & 1) != 0) add_source(*made[j], *order_[sources[first + k]]);
    }
  }
  return {made.begin(), made.end()};
}

}  // namespace cotan
