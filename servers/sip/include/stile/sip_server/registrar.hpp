// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message_builder.hpp>
#include <stile/sip_server/location.hpp>

#include <optional>
#include <string>
#include <vector>

namespace stile::sip_server {

struct RegistrarConfig {
    std::uint32_t default_expires_seconds = 3600;
    std::uint32_t least_expires_seconds = 60;
    std::uint32_t most_expires_seconds = 24 * 3600;
    // What Flow-Timer says to clients with outbound; absent leaves it out. RFC 5626 Section 5.4.
    std::optional<std::uint32_t> flow_timer_seconds;
};

// What a REGISTER asks of the table, worked out before anything is changed.
struct RegisterPlan {
    std::vector<Binding> puts;
    std::vector<std::string> removals;  // keys
    enum class Outbound : std::uint8_t { Unused, Used } outbound = Outbound::Unused;
};

struct RegisterRefusal {
    sip::Status status;
    std::string reason = {};
    std::optional<std::uint32_t> min_expires_seconds = {};
    std::string unsupported = {};
};

struct RegisterInput {
    const sip::Message& request;
    std::string_view user;  // the authenticated owner of the address of record
    sip::FlowId flow;
    Instant now;
    WallTime wall_now;
};

// RFC 3261 Section 10.3 steps 2 and 6 to 8, RFC 3327 Section 5.3, RFC 5626 Section 6. Who may
// register is settled before.
std::expected<RegisterPlan, RegisterRefusal> plan_registration(const RegisterInput& input,
                                                               const LocationTable& table,
                                                               const RegistrarConfig& config);

// Carries a plan out; the changes are for the store.
std::vector<BindingChange> apply(const RegisterPlan& plan, std::string_view user,
                                 LocationTable& table);

// The 200 with all bindings of the user.
sip::Message registration_answer(const RegisterInput& input, const RegisterPlan& plan,
                                 const LocationTable& table, const RegistrarConfig& config,
                                 std::string_view to_tag);

BindingRecord to_record(std::string_view user, const Binding& binding);
// Absent where the record does not parse, or its time is over.
std::optional<Binding> from_record(const BindingRecord& record, Instant now, WallTime wall_now);

}  // namespace stile::sip_server
