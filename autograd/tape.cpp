#include "autograd/tape.h"

#include <fmt/format.h>

#include <utility>

#include "graph/builder.h"
#include "ops/error.h"

namespace cotan {
namespace {

thread_local bool no_grad = false;

}  // namespace

NoGrad::NoGrad() : outer_(std::exchange(no_grad, true)) {}
NoGrad::~NoGrad() { no_grad = outer_; }
bool recording_without_gradients() { return no_grad; }

TensorState::TensorState(Ref r, std::shared_ptr<Tape> t, const SourceLine& l, bool without_gradient)
    : ref(std::move(r)), tape(std::move(t)), line(l), detached(without_gradient) {
  std::lock_guard lock(tape->mutex);
  next = tape->first;
  if (next != nullptr) next->previous = this;
  tape->first = this;
}

TensorState::~TensorState() {
  std::lock_guard lock(tape->mutex);
  (previous != nullptr ? previous->next : tape->first) = next;
  if (next != nullptr) next->previous = previous;
  if (requires_grad) {
    auto mark = tape->marked.find(ref.node());
    if (mark != tape->marked.end() && --mark->second == 0) {
      tape->marked.erase(mark);
      tape->leaf_gradients.erase(ref.node());
    }
  }
  if (value && value.use_count() == 1) tape->values.erase(ref.node());
}

StorageRef TensorState::storage() const {
  if (value) return value->storage;
  if (ref->kind != Kind::leaf || ref->as<LeafSpec>().role != LeafRole::data) return nullptr;
  return static_cast<const TensorData*>(ref->as<LeafSpec>().payload.get())->storage;
}

const std::shared_ptr<Tape>& Tape::current() {
  // What the tape holds may point back to it: emptied when the thread ends. Tensors that live on keep the empty tape.
  struct Owner {
    std::shared_ptr<Tape> tape = std::make_shared<Tape>();
    ~Owner() { tape->clear(); }
  };
  thread_local Owner owner;
  return owner.tape;
}

void Tape::clear() {
  gradients.clear();
  leaf_gradients.clear();
  pending.clear();
  leaves_.clear();
}

std::shared_ptr<Value> Tape::value_of(const Node* node) const {
  auto found = values.find(node);
  return found != values.end() ? found->second.lock() : nullptr;
}

Ref Tape::leaf_of(const std::shared_ptr<Cell>& cell) {
  std::uint64_t version = 0;
  {
    std::lock_guard lock(cell->mutex);
    version = cell->version;
  }
  auto [it, fresh] = leaves_.try_emplace(cell.get());
  if (fresh || it->second.version != version) {
    it->second = {version, graph::leaf(LeafRole::variable, cell->name, cell->dtype, cell->shape, std::make_shared<CellVersion>(CellVersion{cell, version}))};
    if (fresh && leaves_.size() > 64 && (leaves_.size() & (leaves_.size() - 1)) == 0) forget_dead_cells();
    return leaves_.at(cell.get()).ref;
  }
  return it->second.ref;
}

// Cells that only their own leaf here still refers to.
void Tape::forget_dead_cells() {
  std::erase_if(leaves_, [](const auto& entry) {
    const auto* version = static_cast<const CellVersion*>(entry.second.ref->template as<LeafSpec>().payload.get());
    return version->cell.use_count() == 1 && entry.second.ref->references.load() == 1;
  });
}

Ref Tape::read(const std::shared_ptr<Cell>& cell) {
  for (const Assignment& a : pending)
    if (a.cell == cell) return a.next;
  return leaf_of(cell);
}

void Tape::assign(const std::shared_ptr<Cell>& cell, Ref next, const SourceLine& line) {
  for (Assignment& a : pending) {
    if (a.cell != cell) continue;
    a.next = std::move(next);
    a.line = line;
    return;
  }
  pending.push_back({cell, std::move(next), line});
}

Ref data_leaf(StorageRef storage, DType dtype, const Shape& shape, std::shared_ptr<const Forgotten> forgotten) {
  return graph::leaf(LeafRole::data, "", dtype, shape, std::make_shared<TensorData>(TensorData{std::move(storage), std::move(forgotten)}));
}

Ref use(const std::shared_ptr<TensorState>& state) {
  if (!state) fail("an undefined tensor", "Give it a value first; a default-constructed Tensor is no tensor");
  const std::shared_ptr<Tape>& here = Tape::current();
  if (state->tape == here) return state->detached && is_floating(state->ref.dtype()) ? graph::stop_gradient(state->ref) : state->ref;
  std::lock_guard lock(state->tape->mutex);
  StorageRef storage = state->storage();
  if (!storage)
    fail(fmt::format("a tensor that another thread recorded at {} and that is not computed", state->line.text()),
         "Evaluate it in the thread that recorded it, then hand it over");
  return data_leaf(std::move(storage), state->ref.dtype(), state->ref.shape());
}

}  // namespace cotan
