#include "autograd/must_fuse.h"

#include <fmt/format.h>

namespace cotan {
namespace {

Marks marks_of(const MustFuseOptions& options, const SourceLine& where) {
  const Marks& outer = RecordingMarks::current();
  const std::string name = options.name.empty() ? "the piece" : fmt::format("the piece '{}'", options.name);
  auto piece = std::make_shared<Piece>(Piece{name, where, nullptr, outer.piece});
  const std::shared_ptr<const Piece> around = outer.piece ? outer.piece->gradient : nullptr;
  piece->gradient = options.gradient ? std::make_shared<const Piece>(Piece{fmt::format("the gradient of {}", name), where, nullptr, around}) : around;
  return {std::move(piece), outer.gradient};
}

}  // namespace

MustFuse::MustFuse(const MustFuseOptions& options, const SourceLine& where) : marks_(marks_of(options, where)) {}

}  // namespace cotan
