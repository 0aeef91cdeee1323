// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "session_report.hpp"

#include <stile/connect/explanation.hpp>
#include <stile/nat_probe/diagnosis.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace stile::peer {

// A diagnosis and an explanation as people read them, with a final line break, and as programs do.
// The objects are described in stile(1).
std::string to_text(const nat_probe::Diagnosis& diagnosis);
nlohmann::ordered_json to_json(const nat_probe::Diagnosis& diagnosis,
                               const nat_probe::NetworkFindings& found);

std::string to_text(const connect::Explanation& explanation, const connect::PathReport& report,
                    const std::string& peer);
nlohmann::ordered_json to_json(const connect::Explanation& explanation,
                               const connect::PathReport& report, const std::string& peer);

// "server 12 ms, checks 30 ms: 60 ms in all", and a list.
std::string to_text(const std::vector<Phase>& phases);
nlohmann::ordered_json to_json(const std::vector<Phase>& phases);

nlohmann::ordered_json to_json(const app::Problem& problem);
nlohmann::ordered_json to_json(const connect::NatKnowledge& nat);

// With a line break at the end; what a peer said may be no UTF-8.
std::string dump(const nlohmann::ordered_json& json);

}  // namespace stile::peer
