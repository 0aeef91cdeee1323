// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip_server/registrar.hpp>

#include <stile/base/text.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip_server {

using sip::Contact;
using sip::ContactView;
using sip::HeaderName;
using sip::Message;
namespace status = sip::status;

namespace {

using Refusal = std::unexpected<RegisterRefusal>;

// Is the sender the client itself? RFC 5626 Section 6: seen by the Via.
bool is_first_hop(const Message& request) {
    const auto vias = request.vias().all();
    return vias && vias->size() == 1;
}

std::string unknown_requirements(const Message& request) {
    std::string unknown;
    const auto required = request.tokens(HeaderName::Require).all();
    if (!required) return unknown;
    for (const std::string_view tag : *required) {
        if (iequals(tag, "path") || iequals(tag, "outbound")) continue;
        unknown.append(unknown.empty() ? "" : ", ").append(tag);
    }
    return unknown;
}

// RFC 3261 Section 10.3 step 7: a request that was overtaken by a later one of the same client.
bool is_overtaken(const Binding& known, std::string_view call_id, std::uint32_t sequence) {
    return known.call_id == call_id && sequence <= known.sequence;
}

struct Terms {
    std::string call_id;
    std::uint32_t sequence = 0;
    std::optional<std::uint32_t> expires_header;
    std::vector<sip::NameAddr> path;
    bool asks_outbound = false;
    bool is_direct = false;
};

std::expected<Terms, RegisterRefusal> read_terms(const Message& request) {
    Terms terms;
    const auto cseq = request.cseq();
    auto path = request.routes(HeaderName::Path).copies();
    if (!cseq || !path || path->size() > most_path_values) {
        return Refusal{{.status = status::BadRequest, .reason = "Bad Path"}};
    }
    terms.call_id = std::string{request.call_id().value_or("")};
    terms.sequence = cseq->number;
    if (const auto header = request.expires_seconds()) terms.expires_header = *header;
    terms.path = *std::move(path);
    terms.asks_outbound = request.lists(HeaderName::Supported, "outbound") ||
                          request.lists(HeaderName::Require, "outbound");
    terms.is_direct = is_first_hop(request);
    return terms;
}

std::expected<RegisterPlan, RegisterRefusal> plan_wildcard(const RegisterInput& input,
                                                           const Terms& terms,
                                                           const LocationTable& table) {
    if (terms.expires_header != 0U) {
        return Refusal{{.status = status::BadRequest, .reason = "Wildcard without Expires: 0"}};
    }
    RegisterPlan plan;
    for (const Binding* known : table.find(input.user, input.now)) {
        if (is_overtaken(*known, terms.call_id, terms.sequence)) {
            return Refusal{{.status = status::ServerInternalError, .reason = "Out Of Order"}};
        }
        plan.removals.push_back(known->key);
    }
    return plan;
}

// The reg-id that counts, if any. RFC 5626 Section 6.
std::expected<std::optional<std::uint32_t>, RegisterRefusal> effective_reg_id(
    const ContactView& contact, const Terms& terms) {
    const auto reg_id = contact.reg_id();
    if (!reg_id || !contact.instance()) return std::nullopt;
    if (terms.is_direct) return reg_id;
    if (!terms.path.empty() && terms.path.front().uri.parameters.contains("ob")) return reg_id;
    if (terms.asks_outbound) return Refusal{{.status = status::FirstHopLacksOutboundSupport}};
    return std::nullopt;
}

std::expected<std::uint32_t, RegisterRefusal> granted_seconds(const ContactView& contact,
                                                              const Terms& terms,
                                                              const RegistrarConfig& config) {
    const std::uint32_t asked = contact.expires_seconds().value_or(
        terms.expires_header.value_or(config.default_expires_seconds));
    if (asked == 0) return 0U;
    if (asked < config.least_expires_seconds) {
        return Refusal{{.status = status::IntervalTooBrief,
                        .min_expires_seconds = config.least_expires_seconds}};
    }
    return std::min(asked, config.most_expires_seconds);
}

}  // namespace

std::expected<RegisterPlan, RegisterRefusal> plan_registration(const RegisterInput& input,
                                                               const LocationTable& table,
                                                               const RegistrarConfig& config) {
    const Message& request = input.request;
    if (std::string unknown = unknown_requirements(request); !unknown.empty()) {
        return Refusal{{.status = status::BadExtension, .unsupported = std::move(unknown)}};
    }
    const auto terms = read_terms(request);
    if (!terms) return Refusal{terms.error()};
    const auto contacts = request.contacts();
    if (!contacts || contacts->values.size() > most_contacts_per_request) {
        return Refusal{{.status = status::BadRequest, .reason = "Bad Contact"}};
    }
    if (contacts->form == sip::ContactForm::Wildcard) return plan_wildcard(input, *terms, table);

    RegisterPlan plan;
    std::size_t lasting = 0;
    bool has_reg_id = false;
    for (const ContactView& contact : contacts->values) {
        const auto reg_id = effective_reg_id(contact, *terms);
        if (!reg_id) return Refusal{reg_id.error()};
        const auto seconds = granted_seconds(contact, *terms, config);
        if (!seconds) return Refusal{seconds.error()};
        std::string key = binding_key(contact, *reg_id);
        const Binding* known = table.find(input.user, key);
        if (known && is_overtaken(*known, terms->call_id, terms->sequence)) {
            return Refusal{{.status = status::ServerInternalError, .reason = "Out Of Order"}};
        }
        if (*seconds == 0) {
            if (known) plan.removals.push_back(std::move(key));
            continue;
        }
        ++lasting;
        has_reg_id = has_reg_id || reg_id->has_value();
        Contact kept = contact.copy();
        kept.address.parameters.remove("expires");
        const std::chrono::seconds lifetime{*seconds};
        Binding binding{.key = std::move(key),
                        .contact = std::move(kept),
                        .path = terms->path,
                        .call_id = terms->call_id,
                        .sequence = terms->sequence,
                        .expires_at = input.now + lifetime,
                        .expires_at_wall = input.wall_now + lifetime,
                        .flow = std::nullopt,
                        .reg_id = *reg_id};
        if (terms->is_direct) binding.flow = input.flow;
        plan.puts.push_back(std::move(binding));
    }
    if (has_reg_id && lasting > 1) {
        return Refusal{{.status = status::BadRequest, .reason = "More Than One Contact"}};
    }
    if (has_reg_id && terms->asks_outbound) plan.outbound = RegisterPlan::Outbound::Used;
    std::size_t added = 0;
    for (const Binding& binding : plan.puts) added += table.find(input.user, binding.key) ? 0U : 1U;
    if (table.count(input.user) + added > most_bindings_per_user + plan.removals.size()) {
        return Refusal{{.status = status::Forbidden, .reason = "Too Many Contacts"}};
    }
    if (!table.has_room_for(added)) return Refusal{{.status = status::ServiceUnavailable}};
    return plan;
}

std::vector<BindingChange> apply(const RegisterPlan& plan, std::string_view user,
                                 LocationTable& table) {
    std::vector<BindingChange> changes;
    for (const std::string& key : plan.removals) {
        table.remove(user, key);
        changes.emplace_back(BindingRemoved{.user = std::string{user}, .key = key});
    }
    for (const Binding& binding : plan.puts) {
        if (table.put(user, binding)) changes.emplace_back(to_record(user, binding));
    }
    return changes;
}

Message registration_answer(const RegisterInput& input, const RegisterPlan& plan,
                            const LocationTable& table, const RegistrarConfig& config,
                            std::string_view to_tag) {
    sip::MessageBuilder builder = sip::make_response(input.request, status::Ok, {.to_tag = to_tag});
    for (const Binding* binding : table.find(input.user, input.now)) {
        Contact contact = binding->contact;
        const auto left =
            std::chrono::ceil<std::chrono::seconds>(binding->expires_at - input.now).count();
        contact.address.parameters.set("expires", std::to_string(left));
        builder.add(contact);
    }
    // RFC 3327 Section 5.3: only a client that knows Path is told it.
    if (input.request.lists(HeaderName::Supported, "path")) {
        builder.copy(input.request, HeaderName::Path);
    }
    if (plan.outbound == RegisterPlan::Outbound::Used) {
        builder.add(HeaderName::Require, "outbound");
        if (config.flow_timer_seconds) {
            builder.add_number(HeaderName::FlowTimer, *config.flow_timer_seconds);
        }
    }
    builder.add(HeaderName::Supported, "path, outbound");
    builder.add(HeaderName::Date, sip::date_text(input.wall_now));
    return builder.build();
}

BindingRecord to_record(std::string_view user, const Binding& binding) {
    BindingRecord record{.user = std::string{user},
                         .key = binding.key,
                         .contact = binding.contact.to_string(),
                         .path = {},
                         .call_id = binding.call_id,
                         .sequence = binding.sequence,
                         .expires_at = binding.expires_at_wall};
    for (const sip::NameAddr& hop : binding.path) record.path.push_back(hop.to_string());
    return record;
}

std::optional<Binding> from_record(const BindingRecord& record, Instant now, WallTime wall_now) {
    if (record.expires_at <= wall_now) return std::nullopt;
    auto contact = Contact::parse(record.contact);
    if (!contact) return std::nullopt;
    Binding binding{.key = record.key,
                    .contact = *std::move(contact),
                    .path = {},
                    .call_id = record.call_id,
                    .sequence = record.sequence,
                    .expires_at = now + (record.expires_at - wall_now),
                    .expires_at_wall = record.expires_at,
                    .flow = std::nullopt,
                    .reg_id = std::nullopt};
    for (const std::string& text : record.path) {
        auto hop = sip::NameAddr::parse(text, sip::AddressForm::NameAddr);
        if (!hop) return std::nullopt;
        binding.path.push_back(*std::move(hop));
    }
    if (record.key.starts_with("i:")) binding.reg_id = binding.contact.reg_id();
    return binding;
}

}  // namespace stile::sip_server
