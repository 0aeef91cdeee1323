// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/message.hpp>
#include <stile/sip/message_builder.hpp>

#include <compare>
#include <optional>
#include <string>
#include <vector>

namespace stile::sip {

// RFC 3261 Section 12. The tag of an RFC 2543 peer may be empty.
struct DialogId {
    std::string call_id;
    std::string local_tag;
    std::string remote_tag;
    friend auto operator<=>(const DialogId&, const DialogId&) = default;
};

enum class DialogState : std::uint8_t { Early, Confirmed };

// Whether a request's CSeq follows what was seen before. RFC 3261 Section 12.2.2.
enum class SequenceOrder : std::uint8_t { InOrder, OutOfOrder };

// A peer-to-peer relationship between two user agents: whom to send the next request to, by which
// way, with which number. Knows nothing of what the dialog is for.
class Dialog {
public:
    // What a UAC learns from the first response with a To tag. RFC 3261 Section 12.1.2. Fails where
    // From, To, Call-ID, CSeq, Contact or Record-Route do not parse or a needed one is absent.
    static std::expected<Dialog, ParseError> of_uac(const Message& request,
                                                    const Message& response);
    // What a UAS learns from the request. RFC 3261 Section 12.1.1. Starts Early.
    static std::expected<Dialog, ParseError> of_uas(const Message& request,
                                                    std::string_view local_tag);

    const DialogId& id() const { return id_; }
    DialogState state() const { return state_; }
    const NameAddr& local() const { return local_; }
    const NameAddr& remote() const { return remote_; }
    const Uri& remote_target() const { return remote_target_; }
    const std::vector<NameAddr>& route_set() const { return route_set_; }
    std::uint32_t local_sequence() const { return local_sequence_; }

    // Is this message of the dialog? From and To change sides between requests that come in and
    // responses that come in.
    bool owns_request(const Message& request) const;
    bool owns_response(const Message& response) const;

    // UAC: the 2xx. Its Record-Route replaces the early dialog's. RFC 3261 Section 13.2.2.4.
    std::expected<void, ParseError> confirm(const Message& response);
    // UAS: the 2xx was sent.
    void confirm() { state_ = DialogState::Confirmed; }

    // Starts the next request: Request-URI, Via, Max-Forwards, Route, From, To, Call-ID and a CSeq
    // one higher than the last. RFC 3261 Section 12.2.1.1.
    MessageBuilder request(Method method, const Via& via);
    MessageBuilder request(std::string_view method, const Via& via);
    // The ACK of a 2xx to the INVITE with this number. RFC 3261 Section 13.2.2.4.
    MessageBuilder ack(std::uint32_t invite_sequence, const Via& via) const;
    // A request of ours was sent again with a new number outside of request(), as after a
    // challenge.
    void note_local_sequence(std::uint32_t number);

    // Looks at the CSeq of a request of the peer. Out of order is answered with 500. Requires:
    // owns_request(); not for ACK and CANCEL.
    SequenceOrder handle_request(const Message& request);
    // A target refresh (INVITE or UPDATE) of the peer's, or the 2xx to one of ours: its Contact is
    // where requests go from now. RFC 3261 Sections 12.2.1.2 and 12.2.2.
    void refresh_target(const Message& message);

private:
    Dialog() = default;
    MessageBuilder start(std::string_view method, std::uint32_t number, const Via& via) const;

    DialogId id_;
    DialogState state_ = DialogState::Early;
    NameAddr local_;
    NameAddr remote_;
    Uri remote_target_;
    std::vector<NameAddr> route_set_;
    std::uint32_t local_sequence_ = 0;
    std::optional<std::uint32_t> remote_sequence_;
};

}  // namespace stile::sip
