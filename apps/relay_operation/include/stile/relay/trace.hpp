// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace stile::relay {

// What happened to a session between two looks at it (as report.hpp's to_json shows it), a line
// each: permissions and channels that came, were refreshed or ended, what was relayed, a move to
// another address. The first look is compared with null.
std::vector<std::string> trace_lines(const nlohmann::json& before, const nlohmann::json& after);

}  // namespace stile::relay
