// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/turn_link/turn_link.hpp>

#include <string_view>

namespace stile::probe {

// Who asked for the relay, and when by this machine's clock.
struct Asker {
    std::string_view username;
    WallTime now;
};

// What a link that came to nothing most likely means, and what to do.
app::Problem problem_of(const turn_link::LinkFailure& failure, std::string_view uri,
                        const Asker& asker);
// The same of one step that the server refused.
app::Problem problem_of(std::string_view step, const turn::Failure& failure);

}  // namespace stile::probe
