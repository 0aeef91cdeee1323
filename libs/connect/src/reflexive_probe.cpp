// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/machine.hpp>
#include <stile/connect/reflexive_probe.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>

namespace stile::connect {

static_assert(Machine<ReflexiveProbe>);

namespace {

Bytes binding_request(crypto::RandomStream& random) {
    stun::MessageBuilder builder{stun::Class::Request, stun::Method::Binding,
                                 stun::TransactionId::random(random)};
    builder.add_fingerprint();
    return builder.finish();
}

// A server of RFC 3489 knows MAPPED-ADDRESS alone.
std::optional<SocketAddress> mapped_address(const stun::MessageView& response) {
    if (const auto mapped = response.get<stun::XorMappedAddress>()) return mapped->address;
    if (const auto mapped = response.get<stun::MappedAddress>()) return mapped->address;
    return std::nullopt;
}

}  // namespace

ReflexiveProbe::ReflexiveProbe(Instant now, Path path, stun::RetransmitSchedule schedule,
                               crypto::RandomStream& random)
    : path_(path), transaction_(now, binding_request(random), schedule) {}

bool ReflexiveProbe::handle_message(Instant now, const Path& path,
                                    const stun::MessageView& message) {
    if (path != path_) return false;
    return transaction_.handle_message(now, message, stun::Integrity::Passed) !=
           stun::Verdict::NotMine;
}

void ReflexiveProbe::handle_timeout(Instant now) { transaction_.handle_timeout(now); }

std::optional<Transmit> ReflexiveProbe::poll_transmit() {
    const auto request = transaction_.poll_transmit();
    if (!request) return std::nullopt;
    return Transmit{path_, *request};
}

std::optional<ReflexiveProbe::Event> ReflexiveProbe::poll_event() {
    const auto event = transaction_.poll_event();
    if (!event) return std::nullopt;
    const auto* answered = std::get_if<stun::ClientTransaction::Answered>(&*event);
    if (answered == nullptr) return NothingFound{};
    const auto response = stun::MessageView::parse(BytesView{answered->response});
    if (!response || response->message_class() != stun::Class::SuccessResponse) {
        return NothingFound{};
    }
    const auto mapped = mapped_address(*response);
    if (!mapped) return NothingFound{};
    return Found{*mapped};
}

std::optional<Instant> ReflexiveProbe::poll_timeout() const { return transaction_.poll_timeout(); }

}  // namespace stile::connect
