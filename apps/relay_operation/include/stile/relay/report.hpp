// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/relay/relay.hpp>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace stile::relay {

// What to put beside the relay's own figures.
struct ProcessFacts {
    std::string version;
    std::uint64_t started = 0;  // seconds since 1970
    bool draining = false;
    std::uint64_t reloads = 0;
    std::uint64_t reloads_refused = 0;
    std::uint64_t certificate_not_after = 0;  // seconds since 1970; 0 without one
};

// Prometheus' text format, version 0.0.4. The series are the same whatever clients do: no label
// holds what a client sent.
std::string to_prometheus(const Statistics& statistics, const ProcessFacts& facts);

// Both clocks at one moment, to say when something was.
struct Clocks {
    Instant now;
    WallTime wall;
};

// Names a session in lists and traces: stable for as long as its 5-tuple is.
std::string session_name(const turn::ClientFlow& flow);

nlohmann::json to_json(const turn::Session& session, const Clocks& clocks);
// One line of the usage file.
nlohmann::json to_json(const turn::Usage& usage, const Clocks& clocks);
nlohmann::json to_json(const Statistics& statistics, const ProcessFacts& facts);

// A table for people, from what to_json made (of this process or of another).
std::string sessions_table(const nlohmann::json& sessions);

}  // namespace stile::relay
