#include "backends/loops/tile_program.h"

#include <algorithm>
#include <array>

namespace cotan::loops {
namespace {

// An operation before places are known: it reads nodes and makes one.
struct Operation {
  TileOp op;
  int node = -1;
  int operands = 0;
  std::array<int, 4> in{};
};

bool is_comparison(Atom atom) { return atom == Atom::lt || atom == Atom::le || atom == Atom::eq; }

class Maker {
 public:
  Maker(const Cluster& cluster, const std::vector<bool>& writable, const std::vector<std::vector<bool>>& aliases)
      : writable_(writable), aliases_(aliases), nodes_(cluster.nodes), stores_(cluster.stores) {
    program_.loads = static_cast<int>(cluster.loads.size());
    program_.outputs = cluster.outputs();
  }

  TileProgram make() {
    separate_stored_loads();
    list_operations();
    find_last_uses();
    choose_outputs();
    assign_places();
    return std::move(program_);
  }

 private:
  FormulaNode& node(int i) { return nodes_[static_cast<std::size_t>(i)]; }

  [[nodiscard]] bool computed(int i) const {
    const Atom a = nodes_[static_cast<std::size_t>(i)].atom;
    return a != Atom::operand && a != Atom::constant;
  }

  // With several outputs, one of them may overwrite an input that is to be copied to another: such inputs are read first.
  void separate_stored_loads() {
    copies_ = nodes_.size();
    if (stores_.size() < 2) return;
    for (ClusterStore& s : stores_) {
      if (node(s.node).atom != Atom::operand) continue;
      nodes_.push_back({Atom::cast, s.dtype, s.node, -1, -1, 0});
      s.node = static_cast<int>(nodes_.size()) - 1;
    }
  }

  // What a node reads, a comparison inside a `where` of its own type being part of it.
  Operation operation(int i) {
    const FormulaNode& n = node(i);
    Operation o;
    o.node = i;
    o.op = {n.atom, node(n.atom == Atom::where ? n.b : n.a).dtype, n.dtype, Atom::where};
    o.operands = arity_of(n.atom);
    o.in = {n.a, n.b, n.c, 0};
    if (n.atom == Atom::where && is_comparison(node(n.a).atom) && is_floating(n.dtype) && node(node(n.a).a).dtype == n.dtype) {
      o.op.compare = node(n.a).atom;
      o.operands = 4;
      o.in = {node(n.a).a, node(n.a).b, n.b, n.c};
    }
    return o;
  }

  void list_operations() {
    std::vector<char> live(nodes_.size(), 0);
    for (const ClusterStore& s : stores_) live[static_cast<std::size_t>(s.node)] = 1;
    std::vector<Operation> backwards;
    auto visit = [&](std::size_t i) {
      if (live[i] == 0 || !computed(static_cast<int>(i))) return;
      backwards.push_back(operation(static_cast<int>(i)));
      const Operation& o = backwards.back();
      for (int k = 0; k < o.operands; ++k) live[static_cast<std::size_t>(o.in[static_cast<std::size_t>(k)])] = 1;
    };
    for (std::size_t i = copies_; i-- > 0;) visit(i);
    for (std::size_t i = nodes_.size(); i-- > copies_;) visit(i);  // the copies, which come first
    operations_.assign(backwards.rbegin(), backwards.rend());
    place_.assign(nodes_.size(), -1);
    program_.reads.assign(static_cast<std::size_t>(program_.loads), false);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const FormulaNode& n = nodes_[i];
      if (live[i] == 0) continue;
      if (n.atom == Atom::operand) {
        place_[i] = n.a;
        program_.reads[static_cast<std::size_t>(n.a)] = true;
      }
      if (n.atom == Atom::constant) {
        place_[i] = program_.loads + static_cast<int>(program_.constants.size());
        program_.constants.push_back(n);
      }
      program_.element_size = std::max(program_.element_size, size_of(n.dtype));
    }
  }

  void find_last_uses() {
    last_use_.assign(nodes_.size(), -1);
    load_last_use_.assign(static_cast<std::size_t>(program_.loads), -1);
    for (std::size_t k = 0; k < operations_.size(); ++k)
      for (int i = 0; i < operations_[k].operands; ++i) {
        const int read = operations_[k].in[static_cast<std::size_t>(i)];
        last_use_[static_cast<std::size_t>(read)] = static_cast<int>(k);
        if (node(read).atom == Atom::operand) load_last_use_[static_cast<std::size_t>(node(read).a)] = static_cast<int>(k);
      }
  }

  // An operation writes an output directly unless that would destroy an input that a later one reads.
  void choose_outputs() {
    output_of_.assign(nodes_.size(), -1);
    for (const ClusterStore& s : stores_) {
      const auto o = static_cast<std::size_t>(s.output), v = static_cast<std::size_t>(s.node);
      if (!writable_[o] || !computed(s.node) || output_of_[v] >= 0) continue;
      const auto at = std::find_if(operations_.begin(), operations_.end(), [&](const Operation& x) { return x.node == s.node; }) - operations_.begin();
      bool safe = true;
      for (std::size_t l = 0; l < load_last_use_.size(); ++l) safe = safe && !(aliases_[o][l] && load_last_use_[l] > at);
      if (safe) output_of_[v] = s.output;
    }
  }

  void assign_places() {
    // Temporaries are numbered from 0 here and moved behind the constants at the end, as are outputs behind them.
    std::vector<int> free_list;
    std::vector<char> stored(nodes_.size(), 0);
    for (const ClusterStore& s : stores_) stored[static_cast<std::size_t>(s.node)] = 1;
    std::vector<int> temporary(nodes_.size(), -1);
    int temporaries = 0;
    for (std::size_t k = 0; k < operations_.size(); ++k) {
      const Operation& o = operations_[k];
      bool same_size = true;
      auto release = [&] {
        for (int i = 0; i < o.operands; ++i) {
          const auto read = static_cast<std::size_t>(o.in[static_cast<std::size_t>(i)]);
          if (temporary[read] < 0 || last_use_[read] != static_cast<int>(k) || stored[read] != 0) continue;
          if (std::find(free_list.begin(), free_list.end(), temporary[read]) == free_list.end()) free_list.push_back(temporary[read]);
        }
      };
      for (int i = 0; i < o.operands; ++i) same_size = same_size && size_of(node(o.in[static_cast<std::size_t>(i)]).dtype) == size_of(node(o.node).dtype);
      if (same_size) release();
      const auto v = static_cast<std::size_t>(o.node);
      if (output_of_[v] < 0) {
        if (free_list.empty()) free_list.push_back(temporaries++);
        temporary[v] = free_list.back();
        free_list.pop_back();
      }
      if (!same_size) release();
    }
    program_.temporaries = temporaries;
    for (std::size_t v = 0; v < nodes_.size(); ++v) {
      if (temporary[v] >= 0) place_[v] = program_.first_temporary() + temporary[v];
      if (output_of_[v] >= 0) place_[v] = program_.first_output() + output_of_[v];
    }
    for (const Operation& o : operations_) {
      TileInstruction x;
      x.function = tile_function(o.op);
      x.out = place_[static_cast<std::size_t>(o.node)];
      for (int i = 0; i < o.operands; ++i) x.in[i] = place_[static_cast<std::size_t>(o.in[static_cast<std::size_t>(i)])];
      program_.instructions.push_back(x);
      if (o.op.atom != Atom::cast) program_.operations += o.op.compare == Atom::where ? 1 : 2;
    }
    for (const ClusterStore& s : stores_)
      if (output_of_[static_cast<std::size_t>(s.node)] != s.output) program_.stores.push_back({place_[static_cast<std::size_t>(s.node)], s.output});
  }

  const std::vector<bool>& writable_;
  const std::vector<std::vector<bool>>& aliases_;
  std::vector<FormulaNode> nodes_;
  std::vector<ClusterStore> stores_;
  std::size_t copies_ = 0;  // nodes from here on are copies of loads
  std::vector<Operation> operations_;
  std::vector<int> last_use_;       // of each node: the last operation that reads it
  std::vector<int> load_last_use_;  // of each load
  std::vector<int> output_of_;      // of each node: the output that its operation writes, or -1
  std::vector<int> place_;          // of each node
  TileProgram program_;
};

}  // namespace

TileProgram make_tile_program(const Cluster& cluster, const std::vector<bool>& writable, const std::vector<std::vector<bool>>& aliases) {
  return Maker(cluster, writable, aliases).make();
}

}  // namespace cotan::loops
