// Reading NumPy's notation of einsum.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "graph/composites/einsum_equation.h"
#include "ops/error.h"

namespace cotan::graph {
namespace {

constexpr char ellipsis = '.';

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

struct Label {
  char letter = 0;  // or `ellipsis`
  std::size_t at = 0;
};
struct Term {
  std::vector<Label> labels;
  std::size_t at = 0;

  [[nodiscard]] bool has_ellipsis() const {
    return std::any_of(labels.begin(), labels.end(), [](const Label& l) { return l.letter == ellipsis; });
  }
  [[nodiscard]] std::size_t letters() const { return labels.size() - (has_ellipsis() ? 1 : 0); }
};

class LettersReader {
 public:
  LettersReader(std::string_view equation, std::span<const Ref> operands) : text_(equation), operands_(operands) {}

  SumDef read() {
    read_terms();
    if (terms_.size() != operands_.size())
      cotan::fail(fmt::format("{} terms for {} operands in \"{}\"", terms_.size(), operands_.size(), text_), "Separate terms by commas, one for each operand");
    SumDef def;
    size_ellipsis(def);
    for (std::size_t k = 0; k < terms_.size(); ++k) size_letters(def, k);
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      def.factors.push_back(static_cast<int>(k));
      def.spec.factors.push_back(access_of(def, k));
    }
    write_result(def);
    return def;
  }

 private:
  [[noreturn]] static void fail(std::size_t at, const std::string& problem, std::string remedy) {
    cotan::fail(fmt::format("equation:1:{}: {}", at + 1, problem), std::move(remedy));
  }

  void read_terms() {
    terms_.push_back({{}, 0});
    bool arrow = false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      Term& term = arrow ? result_ : terms_.back();
      if (c == ' ' || c == '\t' || c == '\n') continue;
      if (term.labels.empty()) term.at = i;
      if (is_letter(c)) {
        term.labels.push_back({c, i});
      } else if (text_.substr(i, 3) == "...") {
        if (term.has_ellipsis()) fail(i, "... twice in one term", "It stands for all dimensions without a letter");
        term.labels.push_back({ellipsis, i});
        i += 2;
      } else if (text_.substr(i, 2) == "->" && !arrow) {
        arrow = has_result_ = true;
        result_.at = ++i;
      } else if (c == ',' && !arrow) {
        terms_.push_back({{}, i + 1});
      } else {
        fail(i, fmt::format("'{}' has no meaning here", c), "Terms are letters and ..., separated by commas, then -> and the result's letters");
      }
    }
  }

  // The dimensions that ... stands for, aligned at the last one.
  void size_ellipsis(SumDef& def) {
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      const std::size_t rank = operands_[k].shape().rank(), letters = terms_[k].letters();
      if (terms_[k].has_ellipsis() ? letters > rank : letters != rank)
        fail(terms_[k].at, fmt::format("{} indices for operand {} of shape {}", letters, k, operands_[k].shape().text()),
             "Give one for each dimension, or ... for the rest");
      if (terms_[k].has_ellipsis()) wide_.resize(std::max(wide_.size(), rank - letters), 1);
    }
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      std::size_t d = 0;
      for (const Label& label : terms_[k].labels) {
        if (label.letter != ellipsis) {
          ++d;
          continue;
        }
        const std::size_t own = operands_[k].shape().rank() - terms_[k].letters();
        for (std::size_t e = wide_.size() - own; e < wide_.size(); ++e, ++d) {
          const std::int64_t size = operands_[k].shape()[d];
          if (wide_[e] == 1) wide_[e] = size;
          if (size != 1 && size != wide_[e])
            fail(label.at, fmt::format("the dimensions of ... are ({}) here, which do not broadcast with ({})", size, wide_[e]),
                 "Sizes, aligned at the last dimension, must be equal or 1");
        }
      }
    }
    def.spec.domain.assign(wide_.begin(), wide_.end());
  }

  Access access_of(SumDef& def, std::size_t k) {
    const Shape& shape = operands_[k].shape();
    Access access;
    for (const Label& label : terms_[k].labels) {
      if (label.letter == ellipsis) {
        const std::size_t own = shape.rank() - terms_[k].letters();
        for (std::size_t e = wide_.size() - own; e < wide_.size(); ++e)
          access.push_back(shape[access.size()] == 1 ? IndexExpr(0) : index_of(static_cast<int>(e)));
        continue;
      }
      const int index = index_[static_cast<unsigned char>(label.letter)] - 1;
      const bool repeated = shape[access.size()] == 1 && def.spec.domain[static_cast<std::size_t>(index)] != 1;
      access.push_back(repeated ? IndexExpr(0) : index_of(index));
    }
    return access;
  }

  // A size of one broadcasts, to the size that the letter has in another term: within one term it is a diagonal's, and all agree.
  void size_letters(SumDef& def, std::size_t k) {
    std::array<std::int64_t, 256> own;
    own.fill(-1);
    std::size_t d = 0;
    for (const Label& label : terms_[k].labels) {
      if (label.letter == ellipsis) {
        d += operands_[k].shape().rank() - terms_[k].letters();
        continue;
      }
      const auto letter = static_cast<unsigned char>(label.letter);
      const std::int64_t size = operands_[k].shape()[d++];
      int& index = index_[letter];
      if (index == 0) {
        def.spec.domain.push_back(size);
        index = static_cast<int>(def.spec.domain.size());
      }
      std::int64_t& agreed = def.spec.domain[static_cast<std::size_t>(index) - 1];
      const std::int64_t before = own[letter] >= 0 ? own[letter] : agreed;
      const bool broadcasts = own[letter] < 0 && (size == 1 || agreed == 1);
      if (before != size && !broadcasts)
        fail(label.at, fmt::format("the index {} is {} here and {} before", label.letter, size, before),
             "Dimensions of one index have one size; in another term it may be 1 as well");
      if (agreed == 1) agreed = size;
      own[letter] = size;
    }
  }

  void write_result(SumDef& def) {
    if (!has_result_) {
      if (!wide_.empty()) result_.labels.push_back({ellipsis, 0});
      for (int c = 'A'; c <= 'z'; ++c)
        if (is_letter(static_cast<char>(c)) && uses(static_cast<char>(c)) == 1) result_.labels.push_back({static_cast<char>(c), 0});
    }
    std::string seen;
    for (const Label& label : result_.labels) {
      if (label.letter == ellipsis) {
        for (std::size_t e = 0; e < wide_.size(); ++e) append(def, static_cast<int>(e));
        continue;
      }
      if (seen.find(label.letter) != std::string::npos) fail(label.at, fmt::format("the index {} stands twice in the result", label.letter), "Name each once");
      seen += label.letter;
      const int index = index_[static_cast<unsigned char>(label.letter)];
      if (index == 0) fail(label.at, fmt::format("the index {} stands in no operand", label.letter), "The result's letters are among the operands'");
      append(def, index - 1);
    }
  }

  static void append(SumDef& def, int index) {
    def.spec.output.push_back(index_of(index));
    def.shape.push_back(def.spec.domain[static_cast<std::size_t>(index)]);
  }

  [[nodiscard]] int uses(char letter) const {
    int count = 0;
    for (const Term& term : terms_)
      count += static_cast<int>(std::count_if(term.labels.begin(), term.labels.end(), [&](const Label& l) { return l.letter == letter; }));
    return count;
  }

  std::string_view text_;
  std::span<const Ref> operands_;
  std::vector<Term> terms_;
  Term result_;
  bool has_result_ = false;
  std::vector<std::int64_t> wide_;  // sizes of the dimensions of ..., which are the first indices
  std::array<int, 256> index_{};    // of each letter, plus one; 0: none yet
};

}  // namespace

SumDef read_letters(std::string_view equation, std::span<const Ref> operands) { return LettersReader(equation, operands).read(); }

}  // namespace cotan::graph
