// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/explanation.hpp>

namespace stile::connect {

// What a reason means, for the person on this side.
std::string words_of(Reason reason, const Explanation& explanation);

}  // namespace stile::connect
