// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message_edit.hpp>
#include <stile/sip/transaction_layer.hpp>
#include <stile/sip_server/flow_successors.hpp>
#include <stile/sip_server/flow_token.hpp>

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace stile::sip_server {

// Which names and addresses mean this server.
struct OwnNames {
    std::vector<std::string> domains;    // whose users are here; in lower case
    std::vector<sip::SentBy> addresses;  // what our Via, Route and Record-Route say

    bool is_own_domain(const sip::UriView& uri) const;
    // A domain of ours, or an address of ours with its port.
    bool is_own(const sip::UriView& uri) const;
    bool is_own_address(const sip::SentByView& sent_by) const;
};

// What is left of a request's route after this server took out its own part. RFC 3261 Section 16.4,
// RFC 5626 Section 5.3.
struct RoutePreprocessed {
    sip::Message request;
    // The flow that a Record-Route or Path of ours names and that is not the one it came by.
    std::optional<sip::FlowId> flow;
    bool has_own_token = false;  // a token named the flow that it came by
    // The flow that was passed over: the sender's of before, by its own account.
    std::optional<sip::FlowId> left;
};

enum class RouteError : std::uint8_t {
    Tampered,  // 403
    FlowGone,  // 430 or 480
    TooMany,   // more than most_own_routes
};

struct RouteKnowledge {
    const OwnNames& own;
    const FlowTokens& tokens;
    const FlowSuccessors& successors;
    const sip::TransactionLayer& layer;  // which flows are open
};

// The first of two tokens is passed over when it is of another flow than the request's, gone or not
// yet known to be: its owner has come back by this flow and still sends along the old route.
std::expected<RoutePreprocessed, RouteError> preprocess_route(const sip::Message& request,
                                                              sip::FlowId source,
                                                              const RouteKnowledge& knowledge);

// What stands at the end of our branches: equal for a request that has come back unchanged in what
// routing depends on. RFC 3261 Section 16.6 step 8, RFC 5393 Section 4.2.
std::string loop_value(const sip::Message& request);
// RFC 3261 Section 16.3 step 4.
bool is_looping(const sip::Message& request, const OwnNames& own);

// Option tags of Proxy-Require that this proxy does not know, as a list; empty if there are none.
std::string unknown_proxy_requirements(const sip::Message& request);

// Keeps the lines of an authentication header field that are for other realms than ours.
void strip_realm(sip::MessageEdit& edit, const sip::Message& message, sip::HeaderName name,
                 std::string_view realm);

}  // namespace stile::sip_server
