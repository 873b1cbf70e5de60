#include "graph/node.h"

#include <fmt/format.h>

#include <deque>
#include <mutex>
#include <new>
#include <set>

#include "ops/error.h"
#include "ops/hash.h"
#include "ops/per_thread.h"

namespace cotan {
namespace {

struct OriginEntry {
  Origin origin;
  std::uint32_t next = 0;
};

thread_local std::string_view recording_scope;

thread_local const Marks* recording_marks = nullptr;  // null: what no differentiation made and no piece has

}  // namespace

// Everything of a table is guarded by its mutex, since a node may die on any thread; the owner's lock is uncontended.
struct NodeTable::State {
  mutable std::mutex mutex;
  std::vector<Node*> buckets = std::vector<Node*>(1024);
  std::size_t size = 0;
  std::deque<OriginEntry> origins = std::deque<OriginEntry>(1);  // entry 0 means none
  std::vector<std::uint32_t> free_origins;
  std::size_t in_pieces = 0;          // origins that are in a piece
  std::atomic<std::size_t> users{1};  // the owning thread, and every live node

  void set_piece(OriginEntry& entry, std::shared_ptr<const Piece> piece) {
    std::shared_ptr<const Piece>& now = entry.origin.marks.piece;
    in_pieces += (piece ? 1U : 0U) - (now ? 1U : 0U);
    now = std::move(piece);
  }

  void free_origin_list(std::uint32_t head) {
    while (head != 0) {
      set_piece(origins[head], nullptr);
      free_origins.push_back(head);
      head = origins[head].next;
    }
  }
};

// The thread's hold on its table; nodes that outlive the thread keep the table alive.
struct TableOwner {
  TableOwner() = default;
  ~TableOwner() { table->drop(); }
  TableOwner(const TableOwner&) = delete;
  TableOwner& operator=(const TableOwner&) = delete;
  NodeTable* const table = new NodeTable;
};

NodeTable::NodeTable() : state_(std::make_unique<State>()) {}
NodeTable::~NodeTable() = default;

NodeTable& NodeTable::current() {
  return *per_thread<TableOwner>([] {}).table;
}

void NodeTable::retain() { state_->users.fetch_add(1, std::memory_order_relaxed); }

void NodeTable::drop() {
  if (state_->users.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

namespace {

bool same_content(const Node& n, Kind kind, const ResultType& type, const std::shared_ptr<const void>& spec, std::span<const Ref> operands) {
  if (n.kind != kind || n.dtype != type.dtype || n.operand_count != operands.size()) return false;
  for (std::size_t i = 0; i < operands.size(); ++i)
    if (n.operands()[i] != operands[i].edge()) return false;
  if (n.shape != type.shape) return false;
  if (n.spec == spec) return true;
  return kind == Kind::call && n.as<CallSpec>() == *static_cast<const CallSpec*>(spec.get());  // bodies belong to the thread, so calls are compared by content
}

}  // namespace

Ref NodeTable::make(Kind kind, const ResultType& type, std::uint64_t spec_hash, std::shared_ptr<const void> spec, std::span<const Ref> operands,
                    std::uint64_t identity) {
  std::uint64_t structure =
      mix(mix(static_cast<std::uint64_t>(kind) * 64 + static_cast<std::uint64_t>(type.dtype), spec_hash), hash_of(std::span<const std::int64_t>(type.shape)));
  for (const Ref& r : operands) {
    if (r->table != this) throw InternalError("an operand of another thread's graph");
    structure = mix(structure, r->structure + r.result());
  }
  std::uint64_t key = mix(structure, identity);
  for (const Ref& r : operands) key = mix(key, reinterpret_cast<std::uintptr_t>(r.node()));

  State& s = *state_;
  std::lock_guard lock(s.mutex);
  for (Node* n = s.buckets[key & (s.buckets.size() - 1)]; n != nullptr; n = n->next) {
    if (n->key != key || !same_content(*n, kind, type, spec, operands)) continue;
    // A node whose count has reached zero is dying on another thread and no longer counts as found.
    std::int32_t count = n->references.load(std::memory_order_relaxed);
    while (count > 0 && !n->references.compare_exchange_weak(count, count + 1)) {
    }
    if (count > 0) return Ref::adopt(n);
  }
  if (s.size >= s.buckets.size()) {
    std::vector<Node*> larger(s.buckets.size() * 2);
    for (Node* n : s.buckets) {
      while (n != nullptr) {
        Node* next = n->next;
        Node*& slot = larger[n->key & (larger.size() - 1)];
        n->next = slot;
        slot = n;
        n = next;
      }
    }
    s.buckets.swap(larger);
  }
  void* memory = ::operator new(sizeof(Node) + operands.size() * sizeof(Edge));
  Node* n = new (memory) Node;
  n->kind = kind;
  n->dtype = type.dtype;
  n->shape = type.shape;
  n->operand_count = static_cast<std::uint32_t>(operands.size());
  n->structure = structure;
  n->key = key;
  n->table = this;
  n->spec = std::move(spec);
  Edge* edges = reinterpret_cast<Edge*>(n + 1);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    new (edges + i) Edge(operands[i].edge());
    operands[i]->references.fetch_add(1, std::memory_order_relaxed);
  }
  Node*& slot = s.buckets[key & (s.buckets.size() - 1)];
  n->next = slot;
  slot = n;
  ++s.size;
  retain();
  return Ref::adopt(n);
}

void NodeTable::unlink(Node* node) {
  State& s = *state_;
  std::lock_guard lock(s.mutex);
  for (Node** p = &s.buckets[node->key & (s.buckets.size() - 1)]; *p != nullptr; p = &(*p)->next) {
    if (*p != node) continue;
    *p = node->next;
    --s.size;
    break;
  }
  s.free_origin_list(node->origins);
}

std::size_t NodeTable::live_nodes() const {
  std::lock_guard lock(state_->mutex);
  return state_->size;
}

std::vector<Origin> NodeTable::origins_of(const Node& node) const {
  std::lock_guard lock(state_->mutex);
  std::vector<Origin> list;
  for (std::uint32_t i = node.origins; i != 0; i = state_->origins[i].next) list.push_back(state_->origins[i].origin);
  return {list.rbegin(), list.rend()};
}

void NodeTable::add_origin(Node& node, const Origin& origin) {
  State& s = *state_;
  std::lock_guard lock(s.mutex);
  for (std::uint32_t i = node.origins; i != 0; i = s.origins[i].next) {
    const Origin& known = s.origins[i].origin;
    if (known.line != origin.line || known.scope != origin.scope || known.marks.gradient != origin.marks.gradient) continue;
    if (origin.marks.piece) s.set_piece(s.origins[i], origin.marks.piece);
    return;
  }
  std::uint32_t at = 0;
  if (s.free_origins.empty()) {
    at = static_cast<std::uint32_t>(s.origins.size());
    s.origins.emplace_back();
  } else {
    at = s.free_origins.back();
    s.free_origins.pop_back();
  }
  s.origins[at] = {{origin.line, origin.scope, {nullptr, origin.marks.gradient}}, node.origins};
  s.set_piece(s.origins[at], origin.marks.piece);
  node.origins = at;
}

bool NodeTable::has_pieces() const {
  std::lock_guard lock(state_->mutex);
  return state_->in_pieces > 0;
}

std::shared_ptr<const Piece> NodeTable::piece_of(const Node& node) const {
  std::lock_guard lock(state_->mutex);
  if (state_->in_pieces == 0) return nullptr;
  for (std::uint32_t i = node.origins; i != 0; i = state_->origins[i].next)
    if (state_->origins[i].origin.marks.piece) return state_->origins[i].origin.marks.piece;
  return nullptr;
}

void release(Node* node) {
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  // The list runs through the nodes' own links, which are free once a node is out of its table: plain data that outlives every other thread-local object.
  thread_local Node* dying = nullptr;
  thread_local bool draining = false;
  auto push = [](Node* n) {
    n->table->unlink(n);
    n->next = dying;
    dying = n;
  };
  push(node);
  if (draining) return;  // a call's body, released below, joins the list
  draining = true;
  while (dying != nullptr) {
    Node* d = dying;
    dying = d->next;
    for (const Edge& e : d->operands())
      if (e.node->references.fetch_sub(1, std::memory_order_acq_rel) == 1) push(e.node);
    NodeTable* table = d->table;
    d->~Node();
    ::operator delete(d);
    table->drop();
  }
  draining = false;
}

std::string_view name_of(Kind kind) {
  constexpr std::string_view names[] = {"leaf", "map", "sum", "reduce", "scan", "order", "call", "cast", "stop_gradient", "check", "barrier"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view name_of(LeafRole role) {
  constexpr std::string_view names[] = {"parameter", "iota", "data", "variable", "scalar", "random"};
  return names[static_cast<std::size_t>(role)];
}

std::uint32_t Node::result_count() const { return kind == Kind::call ? static_cast<std::uint32_t>(as<CallSpec>().results.size()) : 1; }

const ResultType& Node::extra_result(std::uint32_t r) const {
  if (kind != Kind::call || r >= as<CallSpec>().results.size()) throw InternalError(fmt::format("result {} of a {} node", r, name_of(kind)));
  return as<CallSpec>().results[r];
}

std::uint64_t LeafSpec::hash() const { return mix(mix(static_cast<std::uint64_t>(role), identity == 0 ? hash_of(name) : 0), static_cast<std::uint64_t>(axis)); }

std::uint64_t CallSpec::hash() const {
  std::uint64_t h = mix(hash_of(name), attributes.hash());
  for (const Ref& r : body->results) h = mix(h, r->structure + r.result());
  return h;
}

bool CallSpec::operator==(const CallSpec& o) const {
  return name == o.name && attributes == o.attributes && (body == o.body || (body->results == o.body->results && body->parameters == o.body->parameters));
}

RecordingScope::RecordingScope(std::string_view name) : outer_(recording_scope) {
  static std::mutex mutex;
  static auto* names = new std::set<std::string, std::less<>>;  // scopes are few and outlive their nodes
  std::string full = outer_.empty() ? std::string(name) : fmt::format("{}.{}", outer_, name);
  std::lock_guard lock(mutex);
  recording_scope = *names->insert(std::move(full)).first;
}

RecordingScope::~RecordingScope() { recording_scope = outer_; }

std::string_view RecordingScope::current() { return recording_scope; }

const Marks& RecordingMarks::current() {
  static const Marks& unmarked = *new Marks;
  return recording_marks != nullptr ? *recording_marks : unmarked;
}
void RecordingMarks::set(const Marks* marks) { recording_marks = marks; }

}  // namespace cotan
