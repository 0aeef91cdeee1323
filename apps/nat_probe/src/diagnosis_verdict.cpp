// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What a diagnosis comes to.
#include "doctor.hpp"

namespace stile::nat_probe {

using app::ExitCode;

void Doctor::conclude() {
    const NetworkFindings::Udp* const udp = answered_udp();
    const bool reaches_server = !found_.server || found_.server->sips.took;
    const bool direct = udp != nullptr;
    diagnosis_.calls = calls_word(udp);
    diagnosis_.verdict = verdict_text();
    if (!found_.server) {
        diagnosis_.code = direct || found_.udp.empty() ? ExitCode::Done : ExitCode::NoPath;
        if (found_.addresses.empty()) diagnosis_.code = ExitCode::NoPath;
        return;
    }
    const auto not_trusted = [](const Reach& reach) {
        using drivers::CloseReason;
        return reach.failure && (reach.failure->reason == CloseReason::Expired ||
                                 reach.failure->reason == CloseReason::Untrusted ||
                                 reach.failure->reason == CloseReason::WrongName ||
                                 reach.failure->reason == CloseReason::RejectedByPeer);
    };
    const Server& server = *found_.server;
    const bool login_refused =
        server.no_credentials && server.no_credentials->code == ExitCode::NotAuthorised;
    if (server.not_found) {
        diagnosis_.code = server.not_found->code;
        diagnosis_.verdict = "the server is not found: nobody is reached";
    } else if (not_trusted(server.sips) || not_trusted(server.https)) {
        diagnosis_.code = ExitCode::NotAuthorised;
        diagnosis_.verdict = judged_expired_
                                 ? "the server's certificate is not valid at this machine's "
                                   "time: nobody is reached until that agrees"
                                 : "the server and this login do not recognise each other";
    } else if (!reaches_server) {
        diagnosis_.code = ExitCode::NoPath;
        diagnosis_.verdict = "the server cannot be reached: nobody is found";
    } else if (!direct && !relay_works()) {
        diagnosis_.code = ExitCode::NoPath;
    } else if (login_refused || refused_) {
        diagnosis_.code = ExitCode::NotAuthorised;
    }
}

std::string Doctor::calls_word(const NetworkFindings::Udp* udp) const {
    if (udp == nullptr) {
        if (found_.udp.empty()) return "unknown";
        return relay_works() ? "relay-always" : "none";
    }
    const auto mapping = found_.nat.mapping();
    const auto filtering = found_.nat.filtering();
    if (found_.nat.maps_per_destination()) return "relay-often";
    if (!filtering && !mapping) return "unknown";
    return filtering == stun::FilteringBehavior::EndpointIndependent ? "direct" : "direct-mostly";
}

std::string Doctor::verdict_text() const {
    const std::string relay = !found_.server  ? ""
                              : relay_works() ? "; the relay covers the rest"
                                              : "; there is no relay for the rest";
    if (diagnosis_.calls == "direct") return "direct with everybody who can send UDP";
    if (diagnosis_.calls == "direct-mostly") return "direct with most networks" + relay;
    if (diagnosis_.calls == "relay-often") {
        return "direct only with networks that let in strangers' ports" + relay;
    }
    if (diagnosis_.calls == "relay-always" && !relay_works_over_udp()) {
        return "works, slower: everybody is reached by the relay over " +
               std::string{stream_word()};
    }
    if (diagnosis_.calls == "relay-always") return "everybody is reached by the relay alone";
    if (diagnosis_.calls == "none") return "no UDP, and so nobody is reached";
    return found_.udp.empty() ? "there is no server to ask: name one with --stun"
                              : "UDP works; what the NAT does is not known" + relay;
}

}  // namespace stile::nat_probe
