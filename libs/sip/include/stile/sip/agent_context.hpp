// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/digest_client.hpp>
#include <stile/sip/transaction_layer.hpp>

#include <optional>
#include <string>
#include <vector>

namespace stile::sip {

// A header field that the application adds to a message.
struct HeaderLine {
    std::string name;
    std::string value;
};

// A message's payload, opaque to this library.
struct Body {
    std::string type;  // "application/sdp"
    Bytes octets;
};

// Whether a 401 to a request other than REGISTER is answered. It comes from the peer or from what
// calls itself so, not from the proxy that we registered with; an answer would let it try
// passwords.
enum class PeerChallenges : std::uint8_t { Ignore, Answer };

// Why a command was not carried out.
enum class CommandError : std::uint8_t {
    WrongState,  // not now, or not by this side
    NoFlow,      // the flow that it would use is closed
    TooMany,     // a table is full
    Unknown,     // there is no such call, registration or request
};

struct UserAgentConfig {
    NameAddr address;                // whose user agent it is: "Alice" <sip:alice@example.org>
    std::optional<Account> account;  // for challenges of its domain
    Md5Policy md5 = Md5Policy::Allow;
    PeerChallenges peer_challenges = PeerChallenges::Ignore;
    std::string software;  // User-Agent and Server; empty sends neither
    // The instance's name, "urn:uuid:...": the same at every start. RFC 5626 Section 4.1.
    std::string instance;
    // Feature parameters of the Contact: what this user agent can do. RFC 3840.
    Parameters features;
    // Option tags for Supported beside "outbound".
    std::vector<std::string> supported;
    // Info packages that the application takes: Recv-Info. INFO of another package is answered with
    // 469. RFC 6086.
    std::vector<std::string> info_packages;
    // Methods that the application answers, beside those that the user agent itself knows.
    std::vector<std::string> methods;
    std::vector<std::string> accepted_types;  // Accept in answers to OPTIONS
    TransactionTimers timers;
};

// What the machines of one user agent share. They hold no reference to it: it is handed in.
struct AgentContext {
    TransactionLayer& layer;
    crypto::RandomStream& random;
    const UserAgentConfig& config;
};

enum class ContactUse : std::uint8_t {
    Registration,
    Dialog,  // with "ob": requests of the dialog are to come by this flow. RFC 5626 Section 4.3
};

// Where this user agent can be reached by a flow, without header parameters. Requires: open flow.
Uri contact_uri(const AgentContext& context, FlowId flow, ContactUse use);
// With the feature parameters and the instance.
Contact contact(const AgentContext& context, FlowId flow, ContactUse use);

// A new tag or Call-ID.
std::string random_token(crypto::RandomStream& random);

// Supported, Allow and, where there are info packages, Recv-Info.
void add_capabilities(const AgentContext& context, MessageBuilder& builder);
void add_software(const AgentContext& context, MessageBuilder& builder, HeaderName name);
std::string allowed_methods(const UserAgentConfig& config);
void add_info_packages(const UserAgentConfig& config, MessageBuilder& builder);
// Has the sender of this request or response said that it takes INFO of this package? RFC 6086.
bool takes_info(const Message& message, std::string_view package);
void add_lines(MessageBuilder& builder, const std::vector<HeaderLine>& headers,
               const std::optional<Body>& body);
void add_credentials(MessageBuilder& builder, DigestClient* digest, std::string_view method,
                     std::string_view request_uri, const std::optional<Body>& body);

}  // namespace stile::sip
