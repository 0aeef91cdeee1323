// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "scan.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/try.hpp>
#include <stile/sip/caller_preferences.hpp>
#include <stile/sip/limits.hpp>

#include <algorithm>

namespace stile::sip {
namespace {

// "*" *(SEMI ac-params)
std::expected<Parameters, ParseError> parse_rule(std::string_view text) {
    text = scan::trimmed(text);
    if (!text.starts_with('*')) return std::unexpected(ParseError::BadFeature);
    return Parameters::parse(text.substr(1), ParameterSyntax::Header);
}

// RFC 3841 Section 7.2.2.
AcceptContact implied_by(const Message& request) {
    AcceptContact implied{
        .features = {}, .requirement = Requirement::Required, .explicitness = Explicitness::Any};
    implied.features.add(
        {.tag = "sip.methods", .values = {{.text = to_lower(request.method_text())}}});
    if (request.method() == Method::Subscribe) {
        if (const auto text = request.find(HeaderName::Event)) {
            if (const auto event = TokenWithParameters::parse(*text)) {
                implied.features.add(
                    {.tag = "sip.events", .values = {{.text = to_lower(event->token)}}});
            }
        }
    }
    return implied;
}

// A rule counts only against contacts that say something about each of its tags. RFC 3841 7.2.4.
bool is_rejected(const FeatureSet& contact, const std::vector<RejectContact>& rules) {
    return std::ranges::any_of(rules, [&contact](const RejectContact& rule) {
        const bool applies = std::ranges::all_of(
            rule.features.terms(),
            [&contact](const FeatureTerm& term) { return contact.find(term.tag) != nullptr; });
        return applies && matches(rule.features, contact);
    });
}

// The share of the rule's tags that the contact says anything about.
double share_stated(const FeatureSet& contact, const FeatureSet& rule) {
    if (rule.empty()) return 1.0;  // "*" alone wishes nothing that could be missing
    std::size_t stated = 0;
    for (const FeatureTerm& term : rule.terms()) stated += contact.find(term.tag) != nullptr;
    return static_cast<double>(stated) / static_cast<double>(rule.terms().size());
}

// Qa of one contact; empty if it is dropped. RFC 3841 Section 7.2.4 with its figure 1.
std::optional<double> preference_for(const FeatureSet& contact,
                                     const std::vector<AcceptContact>& rules) {
    if (rules.empty()) return 1.0;
    double sum = 0;
    std::size_t matching = 0;
    for (const AcceptContact& rule : rules) {
        const bool required = rule.requirement == Requirement::Required;
        if (!matches(rule.features, contact)) {
            if (required) return std::nullopt;
            continue;
        }
        double score = share_stated(contact, rule.features);
        if (score < 1.0 && rule.explicitness == Explicitness::Explicit) {
            if (required) return std::nullopt;
            score = 0;
        }
        sum += score;
        ++matching;
    }
    return matching == 0 ? 0.0 : sum / static_cast<double>(matching);
}

}  // namespace

std::expected<AcceptContact, ParseError> AcceptContact::parse(std::string_view text) {
    const Parameters parameters = STILE_TRY(parse_rule(text));
    AcceptContact rule;
    rule.features = STILE_TRY(FeatureSet::from_parameters(parameters));
    if (parameters.contains("require")) rule.requirement = Requirement::Required;
    if (parameters.contains("explicit")) rule.explicitness = Explicitness::Explicit;
    return rule;
}

std::expected<RejectContact, ParseError> RejectContact::parse(std::string_view text) {
    const Parameters parameters = STILE_TRY(parse_rule(text));
    return RejectContact{.features = STILE_TRY(FeatureSet::from_parameters(parameters))};
}

std::expected<CallerPreferences, ParseError> CallerPreferences::of(const Message& request) {
    STILE_ASSERT(request.is_request());
    CallerPreferences preferences;
    const auto is_full = [&preferences] {
        return preferences.accept.size() + preferences.reject.size() == most_preferences;
    };
    for (const std::string_view text : request.values(HeaderName::AcceptContact)) {
        if (is_full()) return std::unexpected(ParseError::TooManyValues);
        preferences.accept.push_back(STILE_TRY(AcceptContact::parse(text)));
    }
    for (const std::string_view text : request.values(HeaderName::RejectContact)) {
        if (is_full()) return std::unexpected(ParseError::TooManyValues);
        preferences.reject.push_back(STILE_TRY(RejectContact::parse(text)));
    }
    if (!preferences.accept.empty() || !preferences.reject.empty()) {
        preferences.origin = PreferenceOrigin::Explicit;
    } else {
        preferences.accept.push_back(implied_by(request));
    }
    return preferences;
}

bool CallerPreferences::demand_stated_features() const {
    return std::ranges::any_of(accept, [](const AcceptContact& rule) {
        return !rule.features.empty() && rule.requirement == Requirement::Required &&
               rule.explicitness == Explicitness::Explicit;
    });
}

std::vector<RankedTarget> rank_targets(const CallerPreferences& preferences,
                                       std::span<const PreferenceTarget> targets,
                                       FeaturelessTargets featureless) {
    const bool keep_featureless =
        featureless == FeaturelessTargets::Immune || !preferences.demand_stated_features();
    std::vector<RankedTarget> ranked;
    for (std::size_t i = 0; i < targets.size(); ++i) {
        const PreferenceTarget& target = targets[i];
        if (target.features.empty()) {
            if (keep_featureless) ranked.push_back({.index = i, .q = target.q});
            continue;
        }
        if (is_rejected(target.features, preferences.reject)) continue;
        if (const auto preference = preference_for(target.features, preferences.accept)) {
            ranked.push_back({.index = i, .q = target.q, .preference = *preference});
        }
    }
    if (ranked.empty() && preferences.origin == PreferenceOrigin::Implicit) {
        for (std::size_t i = 0; i < targets.size(); ++i) {
            ranked.push_back({.index = i, .q = targets[i].q});
        }
    }
    std::ranges::stable_sort(ranked, [](const RankedTarget& left, const RankedTarget& right) {
        if (left.q != right.q) return left.q > right.q;
        return left.preference > right.preference;
    });
    return ranked;
}

namespace {

template <class Value>
bool set_once(std::optional<Value>& place, Value value) {
    if (place) return false;
    place = value;
    return true;
}

// False if a directive of that type has been given already. Unknown ones are nothing to obey.
bool take_directive(RequestDisposition& disposition, std::string_view text) {
    using R = RequestDisposition;
    const auto is = [text](std::string_view name) { return iequals(text, name); };
    if (is("proxy")) return set_once(disposition.handling, R::Handling::Proxy);
    if (is("redirect")) return set_once(disposition.handling, R::Handling::Redirect);
    if (is("cancel")) return set_once(disposition.cancelling, R::Cancelling::Cancel);
    if (is("no-cancel")) return set_once(disposition.cancelling, R::Cancelling::NoCancel);
    if (is("fork")) return set_once(disposition.forking, R::Forking::Fork);
    if (is("no-fork")) return set_once(disposition.forking, R::Forking::NoFork);
    if (is("recurse")) return set_once(disposition.recursion, R::Recursion::Recurse);
    if (is("no-recurse")) return set_once(disposition.recursion, R::Recursion::NoRecurse);
    if (is("parallel")) return set_once(disposition.order, R::Order::Parallel);
    if (is("sequential")) return set_once(disposition.order, R::Order::Sequential);
    if (is("queue")) return set_once(disposition.queueing, R::Queueing::Queue);
    if (is("no-queue")) return set_once(disposition.queueing, R::Queueing::NoQueue);
    return true;
}

}  // namespace

std::expected<RequestDisposition, ParseError> RequestDisposition::of(const Message& request) {
    RequestDisposition disposition;
    for (const std::string_view text : request.values(HeaderName::RequestDisposition)) {
        if (!scan::is_token(text)) return std::unexpected(ParseError::BadToken);
        if (!take_directive(disposition, text)) return std::unexpected(ParseError::Duplicate);
    }
    return disposition;
}

}  // namespace stile::sip
