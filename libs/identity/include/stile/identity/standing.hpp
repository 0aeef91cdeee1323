// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/identity/pin.hpp>

namespace stile::identity {

// What the decision and the proof of this meeting come to.
Standing standing_of(Decision decision, Proof proof);
std::string_view to_text(Decision decision);

}  // namespace stile::identity
