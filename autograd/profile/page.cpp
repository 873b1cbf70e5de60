#include "autograd/profile/report.h"

namespace cotan {

std::string page(const Profile& profile) { return json(profile, true); }

}  // namespace cotan
