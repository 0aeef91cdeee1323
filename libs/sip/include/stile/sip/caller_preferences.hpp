// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/feature_tags.hpp>
#include <stile/sip/message.hpp>

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stile::sip {

enum class Requirement : std::uint8_t { Preferred, Required };  // `require`
enum class Explicitness : std::uint8_t { Any, Explicit };       // `explicit`

// A value of Accept-Contact. RFC 3841 Section 9.2.
struct AcceptContact {
    FeatureSet features;
    Requirement requirement = Requirement::Preferred;
    Explicitness explicitness = Explicitness::Any;

    static std::expected<AcceptContact, ParseError> parse(std::string_view text);
};

// A value of Reject-Contact.
struct RejectContact {
    FeatureSet features;
    static std::expected<RejectContact, ParseError> parse(std::string_view text);
};

enum class PreferenceOrigin : std::uint8_t {
    Explicit,  // from Accept-Contact and Reject-Contact
    Implicit,  // from the method and the Event header field; RFC 3841 Section 7.2.2
};

struct CallerPreferences {
    PreferenceOrigin origin = PreferenceOrigin::Implicit;
    std::vector<AcceptContact> accept;
    std::vector<RejectContact> reject;

    // ParseError::TooManyValues beyond most_preferences. Requires: a request.
    static std::expected<CallerPreferences, ParseError> of(const Message& request);

    // Does the caller demand a capability that a contact must have stated itself? True if some
    // Accept-Contact value has features and both `require` and `explicit`.
    bool demand_stated_features() const;
};

// A candidate for the target set.
struct PreferenceTarget {
    FeatureSet features;  // empty: the contact states no capabilities
    QValue q;
};

// What becomes of targets without any feature parameter. RFC 3841 Section 7.2.3 calls them immune;
// the second value is a target set policy of RFC 3261 Section 16.5, applied before RFC 3841 is:
// docs/protocols/sip.md, "A fetch must not ring a telephone".
enum class FeaturelessTargets : std::uint8_t {
    Immune,           // never dropped
    OutsideOfDemand,  // not in the target set of a request that demand_stated_features()
};

struct RankedTarget {
    std::size_t index = 0;    // into the targets handed in
    QValue q;                 // what the callee registered
    double preference = 1.0;  // Qa, 0 to 1
};

// The targets that remain, best first: by q, then by Qa, then as handed in. RFC 3841 Section 7.2.4.
// Empty means 480 if the preferences are explicit; with implicit ones all are returned instead.
std::vector<RankedTarget> rank_targets(const CallerPreferences& preferences,
                                       std::span<const PreferenceTarget> targets,
                                       FeaturelessTargets featureless);

// The directives of Request-Disposition; what the caller does not say is absent. RFC 3841
// Section 9.1.
struct RequestDisposition {
    enum class Handling : std::uint8_t { Proxy, Redirect };
    enum class Cancelling : std::uint8_t { Cancel, NoCancel };
    enum class Forking : std::uint8_t { Fork, NoFork };
    enum class Recursion : std::uint8_t { Recurse, NoRecurse };
    enum class Order : std::uint8_t { Parallel, Sequential };
    enum class Queueing : std::uint8_t { Queue, NoQueue };
    std::optional<Handling> handling;
    std::optional<Cancelling> cancelling;
    std::optional<Forking> forking;
    std::optional<Recursion> recursion;
    std::optional<Order> order;
    std::optional<Queueing> queueing;

    // Unknown directives are skipped; two of one type are ParseError::Duplicate.
    static std::expected<RequestDisposition, ParseError> of(const Message& request);
    friend bool operator==(const RequestDisposition&, const RequestDisposition&) = default;
};

}  // namespace stile::sip
