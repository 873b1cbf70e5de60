#include "autograd/tape.h"

#include <fmt/format.h>

#include <utility>

#include "autograd/cells.h"
#include "autograd/recorder.h"
#include "graph/builder.h"
#include "ops/error.h"
#include "ops/per_thread.h"

namespace cotan {
namespace {

thread_local bool no_grad = false;

}  // namespace

NoGrad::NoGrad() : outer_(std::exchange(no_grad, true)) {}
NoGrad::~NoGrad() { no_grad = outer_; }
bool recording_without_gradients() { return no_grad; }

TensorState::TensorState(Ref r, std::shared_ptr<Tape> t, const SourceLine& l, bool without_gradient)
    : dtype(r.dtype()), shape(r.shape()), ref(std::move(r)), tape(std::move(t)), line(l), detached(without_gradient) {
  std::lock_guard lock(tape->mutex);
  number = tape->states++;
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

std::uint64_t Cell::next_id() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

CellVersion* version_of(const Node& node) {
  if (node.kind != Kind::leaf || node.as<LeafSpec>().role != LeafRole::variable) return nullptr;
  return static_cast<CellVersion*>(node.as<LeafSpec>().payload.get());
}

StorageRef TensorState::storage() const {
  std::unique_lock<std::recursive_mutex> lock;
  if (tape != Tape::current()) lock = std::unique_lock(tape->mutex);
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
  return per_thread<Owner>([] {}).tape;
}

void Tape::clear() {
  gradients.clear();
  leaf_gradients.clear();
  pending.clear();
  assigned_.clear();
  leaves_.clear();
}

Tape::Gradient* Tape::gradient_of(const Cell& cell) {
  auto found = gradients.find(cell.id);
  return found != gradients.end() && found->second.consumed.line == 0 ? &found->second : nullptr;
}

void Tape::accumulate(const std::shared_ptr<Cell>& cell, const Ref& gradient, const SourceLine& line) {
  if (recorder != nullptr) recorder->graded.push_back(cell);
  const Gradient* before = gradient_of(*cell);
  gradients[cell->id] = {Tensor::wrap(before != nullptr ? graph::add(use(before->tensor.state()), gradient) : gradient, line), {}};
}

std::vector<std::shared_ptr<TensorState>> Tape::held(const std::function<bool(const TensorState&)>& wanted) {
  std::vector<std::shared_ptr<TensorState>> found;
  std::lock_guard lock(mutex);
  for (TensorState* s = first; s != nullptr; s = s->next) {
    if (!wanted(*s)) continue;
    std::shared_ptr<TensorState> state = s->weak_from_this().lock();  // null where another thread is just releasing it
    if (state) found.push_back(std::move(state));
  }
  return found;
}

std::shared_ptr<Value> Tape::value_of(const Node* node) {
  std::lock_guard lock(mutex);
  auto found = values.find(node);
  return found != values.end() ? found->second.lock() : nullptr;
}

bool Tape::is_marked(const Node* node) {
  std::lock_guard lock(mutex);
  return marked.contains(node);
}

Ref Tape::leaf_of(const std::shared_ptr<Cell>& cell) {
  std::uint64_t version = 0;
  {
    const auto lock = lock_cell(*cell);
    version = cell->version;
  }
  auto [it, fresh] = leaves_.try_emplace(cell.get());
  if (fresh || it->second.version != version) {
    it->second = {version, graph::leaf(LeafRole::variable, cell->name, cell->dtype, cell->shape, std::make_shared<CellVersion>(CellVersion{cell, version}))};
    const Ref leaf = it->second.ref;
    if (fresh && leaves_.size() > 64 && (leaves_.size() & (leaves_.size() - 1)) == 0) forget_dead_cells();
    return leaf;
  }
  return it->second.ref;
}

// Cells that only their own leaf here still refers to.
void Tape::forget_dead_cells() {
  std::erase_if(leaves_, [&](const auto& entry) {
    const CellVersion* version = version_of(*entry.second.ref.node());
    if (version->cell.use_count() > 1 || entry.second.ref->references.load() > 1) return false;
    gradients.erase(version->cell->id);
    return true;
  });
}

void Tape::tidy() {
  if (++evaluations_ * 16 < leaves_.size()) return;  // looking at each costs less than an evaluation does
  evaluations_ = 0;
  forget_dead_cells();
}

const Tape::Assignment* Tape::pending_of(const Cell* cell) const {
  if (assigned_.empty()) return nullptr;
  auto found = assigned_.find(cell);
  return found != assigned_.end() ? &pending[found->second] : nullptr;
}

Ref Tape::read(const std::shared_ptr<Cell>& cell) {
  auto found = assigned_.find(cell.get());
  if (found == assigned_.end()) return leaf_of(cell);
  Assignment& a = pending[found->second];
  if (!a.leaf)
    a.leaf = graph::leaf(LeafRole::variable, cell->name, cell->dtype, cell->shape, std::make_shared<CellVersion>(CellVersion{cell, CellVersion::to_come}));
  return a.leaf;
}

void Tape::assign(const std::shared_ptr<Cell>& cell, Ref next, const SourceLine& line) {
  if (const Assignment* before = pending_of(cell.get())) {
    pending[static_cast<std::size_t>(before - pending.data())].superseded = true;
    if (pending.size() > 64 && (pending.size() & (pending.size() - 1)) == 0) forget_unread_assignments();
  }
  assigned_[cell.get()] = pending.size();
  pending.push_back({cell, std::move(next), line, {}, false});
}

void Tape::forget_unread_assignments() {
  std::erase_if(pending, [](const Assignment& a) { return a.superseded && !a.leaf; });
  for (std::size_t i = 0; i < pending.size(); ++i)
    if (!pending[i].superseded) assigned_[pending[i].cell.get()] = i;
}

bool Tape::is_current(const CellVersion& version, const Node& leaf) const {
  if (const Assignment* a = pending_of(version.cell.get())) return a->leaf && a->leaf.node() == &leaf;
  const auto lock = lock_cell(*version.cell);
  return version.version == version.cell->version;
}

SourceLine Tape::overwritten_at(const Cell& cell) const {
  if (const Assignment* a = pending_of(&cell)) return a->line;
  const auto lock = lock_cell(cell);
  return cell.last_write;
}

void Tape::assignments_done() {
  for (Assignment& a : pending) {
    if (!a.leaf || a.superseded) continue;
    version_of(*a.leaf.node())->version = a.cell->version;
    leaves_[a.cell.get()] = {a.cell->version, a.leaf};
  }
  assigned_.clear();
  pending.clear();
}

void Tape::discard_assignments() {
  for (Assignment& a : pending)
    if (a.leaf) version_of(*a.leaf.node())->version = CellVersion::never_came;
  assigned_.clear();
  pending.clear();
}

std::vector<Tape::Assignment> Tape::exchange_assignments(std::vector<Assignment> others) {
  others.swap(pending);
  assigned_.clear();
  for (std::size_t i = 0; i < pending.size(); ++i)
    if (!pending[i].superseded) assigned_[pending[i].cell.get()] = i;
  return others;
}

Ref data_leaf(StorageRef storage, DType dtype, const Shape& shape, std::shared_ptr<const Forgotten> forgotten) {
  return graph::leaf(LeafRole::data, "", dtype, shape, std::make_shared<TensorData>(TensorData{std::move(storage), std::move(forgotten)}));
}

void require_not_captured(const TensorState& state) {
  const Recorder* recorder = Tape::current()->recorder;
  if (recorder == nullptr || !recorder->is_captured(state)) return;
  fail(fmt::format("the tensor {} {} recorded at {} is captured by a compiled function", name_of(state.dtype), state.shape.text(), state.line.text()),
       "Pass it as an argument, hold it in a Variable, or capture constant(x) if it never changes");
}

Ref use_as_operand(const std::shared_ptr<TensorState>& state) {
  if (no_grad && state && state->tape == Tape::current()) {
    require_not_captured(*state);
    return state->ref;  // the result is detached as a whole
  }
  return use(state);
}

Ref use(const std::shared_ptr<TensorState>& state) {
  if (!state) fail("an undefined tensor", "Give it a value first; a default-constructed Tensor is no tensor");
  const std::shared_ptr<Tape>& here = Tape::current();
  require_not_captured(*state);
  if (state->tape == here) {
    Ref r = state->detached && is_floating(state->dtype) ? graph::stop_gradient(state->ref) : state->ref;
    if (here->captured != nullptr && state->number < here->captured->first_state) here->captured->refs.push_back(r);
    return r;
  }
  StorageRef storage = state->storage();
  if (!storage)
    fail(fmt::format("a tensor that another thread recorded at {} and that is not computed", state->line.text()),
         "Evaluate it in the thread that recorded it, then hand it over");
  return data_leaf(std::move(storage), state->dtype, state->shape);
}

}  // namespace cotan
