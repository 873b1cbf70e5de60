// Nodes: the one representation for recording, gradients, passes and execution.
//
// A node is immutable and hash-consed in its thread's table: same kind, specification, operands, dtype and shape give the same node. Equality is full, never
// by hash alone. The table holds no reference: a node unlinks itself when it dies, and the last release runs a worklist, so a chain of any length is freed
// without recursion. What a node computes lies in its specification (`spec`), one C++ type for each kind:
//
//     map     Formula          one scalar formula over operands of the node's own shape
//     sum     SumSpec          an indexed sum of products; operands: the factors, then the tables
//     reduce  ReduceSpec       max, min, argmax, argmin, amax, amin over an indexed domain
//     scan    ScanSpec         s[i] = a[i] * s[i-1] + b[i] along an axis; operands a, b
//     order   OrderSpec        argsort along an axis
//     call    CallSpec         a named composite with a body and possibly several results
//     cast, stop_gradient      (none)
//     barrier                  (none) operand 0, which nothing sees through and whose readers wait for operand 1
//     check   CheckSpec        an integer tensor, unchanged; running it proves that its entries are in range
//     leaf    LeafSpec         input, parameter, variable, scalar operand, constant, iota, random
//
// A reader names (node, result); a `Ref` is such a pair and keeps the node alive. Source lines and scopes are a side table that keeps every origin of a node.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ops/attributes.h"
#include "ops/dtype.h"
#include "ops/formula.h"
#include "ops/shape.h"
#include "ops/sum_spec.h"

namespace cotan {

enum class Kind : std::uint8_t { leaf, map, sum, reduce, scan, order, call, cast, stop_gradient, check, barrier };
[[nodiscard]] std::string_view name_of(Kind kind);

struct Node;
class NodeTable;

// A node's result number `result`, without ownership: how nodes hold their operands.
struct Edge {
  Node* node = nullptr;
  std::uint32_t result = 0;
  bool operator==(const Edge&) const = default;
};

// A result of a node, kept alive.
class Ref {
 public:
  Ref() = default;
  explicit Ref(Node* node, std::uint32_t result = 0);  // takes a reference of its own
  explicit Ref(Edge edge) : Ref(edge.node, edge.result) {}
  [[nodiscard]] static Ref adopt(Node* node, std::uint32_t result = 0) {
    Ref r;
    r.node_ = node;
    r.result_ = result;
    return r;
  }
  Ref(const Ref& o) : Ref(o.node_, o.result_) {}
  Ref(Ref&& o) noexcept : node_(std::exchange(o.node_, nullptr)), result_(o.result_) {}
  Ref& operator=(Ref o) noexcept {
    std::swap(node_, o.node_);
    std::swap(result_, o.result_);
    return *this;
  }
  ~Ref();

  [[nodiscard]] Node* node() const { return node_; }
  [[nodiscard]] std::uint32_t result() const { return result_; }
  [[nodiscard]] Edge edge() const { return {node_, result_}; }
  Node* operator->() const { return node_; }
  explicit operator bool() const { return node_ != nullptr; }
  bool operator==(const Ref& o) const { return node_ == o.node_ && result_ == o.result_; }

  [[nodiscard]] const Shape& shape() const;
  [[nodiscard]] DType dtype() const;

 private:
  Node* node_ = nullptr;
  std::uint32_t result_ = 0;
};

struct RefHash {
  std::size_t operator()(const Edge& e) const { return std::hash<const void*>{}(e.node) * 31 + e.result; }
  std::size_t operator()(const Ref& r) const { return (*this)(r.edge()); }
};

struct ResultType {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const ResultType&) const = default;
};

struct Node {
  std::atomic<std::int32_t> references{1};
  Kind kind = Kind::leaf;
  DType dtype = DType::f32;  // of result 0
  std::uint32_t operand_count = 0;
  std::uint32_t origins = 0;    // first entry in the table's origins; 0: none
  std::uint64_t structure = 0;  // hash without addresses, creation order or identity of leaves
  std::uint64_t key = 0;        // hash with the operands' identity: the table's key
  Node* next = nullptr;         // in the table's bucket
  NodeTable* table = nullptr;
  Shape shape;  // of result 0
  std::shared_ptr<const void> spec;

  [[nodiscard]] std::span<const Edge> operands() const { return {reinterpret_cast<const Edge*>(this + 1), operand_count}; }
  [[nodiscard]] Ref operand(std::size_t i) const { return Ref(operands()[i]); }
  template <class Spec>
  [[nodiscard]] const Spec& as() const {
    return *static_cast<const Spec*>(spec.get());
  }
  template <class Spec>
  [[nodiscard]] std::shared_ptr<const Spec> shared() const {
    return std::static_pointer_cast<const Spec>(spec);
  }
  [[nodiscard]] const Formula& formula() const { return as<Formula>(); }

  [[nodiscard]] std::uint32_t result_count() const;
  [[nodiscard]] const ResultType& extra_result(std::uint32_t r) const;  // r >= 1
  [[nodiscard]] const Shape& shape_of(std::uint32_t result) const { return result == 0 ? shape : extra_result(result).shape; }
  [[nodiscard]] DType dtype_of(std::uint32_t result) const { return result == 0 ? dtype : extra_result(result).dtype; }
};

enum class LeafRole : std::uint8_t {
  parameter,  // of a function: named, equal where name, dtype and shape are equal
  iota,       // 0, 1, 2, ... along `axis`; equal where axis, dtype and shape are equal
  data,       // a tensor with a value (`payload`); each its own
  variable,   // a version of a cell (`payload`); each its own
  scalar,     // a C++ number used as an operand, read at run time; each its own; rank 0
  random,     // uniform numbers in [0, 1) from Philox 4x32-10 by `key` and `counter`, read at run time; each its own
};
[[nodiscard]] std::string_view name_of(LeafRole role);

struct LeafSpec {
  LeafRole role = LeafRole::data;
  std::string name;
  std::uint64_t identity = 0;  // 0: told apart by role, name and axis only
  int axis = 0;
  double scalar = 0;
  std::uint64_t key = 0, counter = 0;
  std::shared_ptr<void> payload;

  [[nodiscard]] std::uint64_t hash() const;  // of role, name and axis
  bool operator==(const LeafSpec& o) const { return role == o.role && name == o.name && identity == o.identity && axis == o.axis; }
};

// Parameters and results of a body or of a whole program. Names are for text; results may be unnamed.
struct Function {
  std::string name;
  std::vector<Ref> parameters;
  std::vector<Ref> results;
  std::vector<std::string> result_names;
};

struct CallSpec {
  std::string name;
  Attributes attributes;
  std::shared_ptr<const Function> body;
  std::vector<ResultType> results;

  [[nodiscard]] std::uint64_t hash() const;
  bool operator==(const CallSpec& o) const;
};

// A piece of the user's program whose values have to become one kernel (autograd/must_fuse.h).
struct Piece {
  std::string name;
  SourceLine line;                        // that asks for it
  std::shared_ptr<const Piece> gradient;  // that the gradient of the piece's nodes is; null where it may be as it comes
  std::shared_ptr<const Piece> outer;     // that this one lies in, or null
};

// What was going on when a node was recorded.
struct Marks {
  std::shared_ptr<const Piece> piece;  // that the node is of, or null
  bool gradient = false;               // differentiation made the node
};

// One place in the user's program that recorded a node: the line of the outermost call, and the module path at that moment.
struct Origin {
  SourceLine line;
  std::string_view scope = {};  // "encoder.0.linear1"; lives as long as the process
  Marks marks = {};
};

// A thread's table of nodes. Nodes may be released from any thread; they are made only by their own.
class NodeTable {
 public:
  [[nodiscard]] static NodeTable& current();

  // The node with this content, made if it is new. Operands belong to this table.
  [[nodiscard]] Ref make(Kind kind, const ResultType& type, std::uint64_t spec_hash, std::shared_ptr<const void> spec, std::span<const Ref> operands,
                         std::uint64_t identity = 0);

  [[nodiscard]] std::size_t live_nodes() const;
  [[nodiscard]] std::vector<Origin> origins_of(const Node& node) const;
  // One entry for each line and scope, of a gradient and not. Where the line records the node again, in another piece, the node is of that one.
  void add_origin(Node& node, const Origin& origin);
  // Whether a node that lives is of a piece: if not, nobody needs to ask each of them.
  [[nodiscard]] bool has_pieces() const;
  // The piece that the line which recorded the node last was in, or null.
  [[nodiscard]] std::shared_ptr<const Piece> piece_of(const Node& node) const;

 private:
  friend void release(Node* node);
  NodeTable();
  ~NodeTable();
  struct State;
  void unlink(Node* node);
  void retain();
  void drop();
  std::unique_ptr<State> state_;
  friend struct TableOwner;
};

// Names the scope that nodes recorded on this thread get, for as long as the object lives.
class RecordingScope {
 public:
  explicit RecordingScope(std::string_view name);
  ~RecordingScope();
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;
  [[nodiscard]] static std::string_view current();  // "a.b"

 private:
  std::string_view outer_;
};

// Marks what is recorded on this thread, for as long as the object lives.
class RecordingMarks {
 public:
  explicit RecordingMarks(Marks marks) : marks_(std::move(marks)), outer_(&current()) { set(&marks_); }
  ~RecordingMarks() { set(outer_); }
  RecordingMarks(const RecordingMarks&) = delete;
  RecordingMarks& operator=(const RecordingMarks&) = delete;
  [[nodiscard]] static const Marks& current();

 private:
  static void set(const Marks* marks);
  Marks marks_;
  const Marks* outer_;
};

void release(Node* node);

inline Ref::Ref(Node* node, std::uint32_t result) : node_(node), result_(result) {
  if (node != nullptr) node->references.fetch_add(1, std::memory_order_relaxed);
}
inline Ref::~Ref() {
  if (node_ != nullptr) release(node_);
}
inline const Shape& Ref::shape() const { return node_->shape_of(result_); }
inline DType Ref::dtype() const { return node_->dtype_of(result_); }

// The nodes that `roots` need, operands before readers; `stop(node)` keeps a node but not its operands. Never recurses.
[[nodiscard]] std::vector<Node*> topological(std::span<const Ref> roots);
template <class Stop>
[[nodiscard]] std::vector<Node*> topological(std::span<const Ref> roots, Stop&& stop);
// The same where more than operands has to come before a node: `count(node)` says how many nodes, `before(node, k)` which. Nothing may, by whatever way, come
// before itself.
template <class Count, class Before>
[[nodiscard]] std::vector<Node*> in_order(std::span<const Ref> roots, Count&& count, Before&& before);

}  // namespace cotan

#include "graph/topological.inl"
