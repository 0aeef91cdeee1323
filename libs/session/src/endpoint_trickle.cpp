// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Later candidates by INFO. RFC 8840; the packages of RFC 6086.
#include <stile/sdp/fragment.hpp>
#include <stile/session/endpoint.hpp>

namespace stile::session {
namespace {

// The option tag and the info package have the same name. RFC 8840 Sections 10.4, 10.6.
constexpr std::string_view package = "trickle-ice";

bool is_fragment(const sip::Message& info) {
    const auto type = info.content_type();
    return type && type->type == "application" && type->subtype == "trickle-ice-sdpfrag";
}

}  // namespace

// A UA must not send INFO of a package that its peer has not named. RFC 6086.
Fragments Endpoint::fragments_of(const sip::Message& description) {
    return sip::takes_info(description, package) ? Fragments::Taken : Fragments::NotTaken;
}

void Endpoint::trickle(Instant now, Entry& entry) {
    if (entry.generation != entry.session->generation()) {
        // A refusal was said of the candidates of before.
        entry.generation = entry.session->generation();
        entry.telling = Telling::Open;
    }
    if (!entry.call || entry.info || entry.telling != Telling::Open) return;
    const auto fragment = entry.session->poll_fragment();
    if (!fragment) return;
    const auto sent =
        agent_.request(now, *entry.call, "INFO",
                       {.headers = {{"Info-Package", std::string{package}},
                                    {"Content-Disposition", "Info-Package"}},
                        .body = sip::Body{.type = std::string{sdp::IceFragment::media_type},
                                          .octets = to_bytes(*fragment)}});
    if (sent) {
        entry.info = Info{*sent, entry.generation};
    } else {
        entry.session->handle_fragment_lost();
        entry.telling = Telling::Held;
    }
}

void Endpoint::release_held() {
    for (auto& [id, entry] : entries_) {
        if (entry.telling == Telling::Held) entry.telling = Telling::Open;
    }
}

void Endpoint::take_info_response(Entry& entry, const sip::Call::RequestAnswered& answered) {
    if (!entry.info || entry.info->request != answered.request) return;
    const bool is_old = entry.info->generation != entry.session->generation();
    entry.info.reset();
    const sip::Status status = answered.response.status();
    if (status.is_success() || is_old) return;
    if (status == sip::status::CallOrTransactionDoesNotExist) {
        // It has overtaken the answer; the peer's ACK says that the dialog is there.
        const sip::Call* const call = agent_.find(*entry.call);
        const bool acknowledged = call == nullptr || call->state() != sip::Call::State::Accepted;
        entry.telling = acknowledged ? Telling::Open : Telling::Held;
        entry.session->handle_fragment_lost();
    } else {
        entry.telling = Telling::Refused;
    }
}

void Endpoint::take_info_failure(Entry& entry, const sip::Call::RequestFailed& failed) {
    if (!entry.info || entry.info->request != failed.request) return;
    const bool is_old = entry.info->generation != entry.session->generation();
    entry.info.reset();
    if (is_old) return;
    entry.session->handle_fragment_lost();
    entry.telling = flow_ ? Telling::Open : Telling::Held;
}

void Endpoint::take_request(Instant now, Entry& entry, const sip::Call::RequestReceived& received) {
    const sip::Message& request = received.request;
    const auto respond = [&](sip::Status status, sip::ResponseParts parts = {}) {
        agent_.respond(now, received.transaction, status, parts);
    };
    if (request.method() != sip::Method::Info || !entry.session) {
        return respond(sip::status::MethodNotAllowed);
    }
    if (!is_fragment(request)) {
        return respond(sip::status::UnsupportedMediaType,
                       {.headers = {{"Accept", std::string{sdp::IceFragment::media_type}}}});
    }
    const auto taken = entry.session->handle_fragment(now, request.body_text());
    // What is of another generation is discarded, and was delivered all the same.
    const bool malformed = !taken && taken.error() == FragmentFault::Malformed;
    respond(malformed ? sip::status::BadRequest : sip::status::Ok);
}

// A request in the dialog that nobody answers, or 481, ends the dialog (RFC 3261 Section 12.2.1.2).
// That says nothing of the path: where it works, the peer's consent decides how long; where it is
// lost, restart_if_due() ends the session.
bool Endpoint::outlives_call(const Entry& entry, const sip::Call::Ended& ended) {
    if (ended.reason != sip::Call::EndReason::PeerGone || !entry.session) return false;
    return entry.session->route() || entry.session->generation() > 0 ||
           entry.session->restart_due();
}

bool Endpoint::fall_back(Instant now, Entry& entry, const sip::Call::Ended& ended) {
    if (entry.trickling != Trickling::Full || !entry.session || !ended.message) return false;
    const sip::Message& response = *ended.message;
    if (!response.is_response() || response.status() != sip::status::BadExtension) return false;
    if (!response.lists(sip::HeaderName::Unsupported, package)) return false;
    entry.trickling = Trickling::Half;
    entry.session->wait_for_candidates(now);
    return true;
}

}  // namespace stile::session
