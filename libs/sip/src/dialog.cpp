// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip/dialog.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/try.hpp>

#include <algorithm>
#include <utility>

namespace stile::sip {

namespace {

std::expected<Uri, ParseError> contact_of(const Message& message) {
    const auto contacts = STILE_TRY(message.contacts());
    if (contacts.form == ContactForm::Wildcard) return std::unexpected(ParseError::BadNameAddr);
    if (contacts.values.empty()) return std::unexpected(ParseError::Missing);
    return contacts.values.front().uri().copy();
}

template <class Address>
std::string tag_of(const Address& address) {
    return std::string{address.tag().value_or("")};
}

}  // namespace

std::expected<Dialog, ParseError> Dialog::of_uac(const Message& request, const Message& response) {
    Dialog dialog;
    dialog.local_ = STILE_TRY(request.from()).copy();
    dialog.remote_ = STILE_TRY(response.to()).copy();
    dialog.id_ = DialogId{.call_id = std::string{STILE_TRY(request.call_id())},
                          .local_tag = tag_of(dialog.local_),
                          .remote_tag = tag_of(dialog.remote_)};
    dialog.local_sequence_ = STILE_TRY(request.cseq()).number;
    dialog.remote_target_ = STILE_TRY(contact_of(response));
    dialog.route_set_ = STILE_TRY(response.routes(HeaderName::RecordRoute).copies());
    std::ranges::reverse(dialog.route_set_);
    if (response.status().is_success()) dialog.state_ = DialogState::Confirmed;
    return dialog;
}

std::expected<Dialog, ParseError> Dialog::of_uas(const Message& request,
                                                 std::string_view local_tag) {
    Dialog dialog;
    dialog.local_ = STILE_TRY(request.to()).copy();
    dialog.local_.set_tag(local_tag);
    dialog.remote_ = STILE_TRY(request.from()).copy();
    dialog.id_ = DialogId{.call_id = std::string{STILE_TRY(request.call_id())},
                          .local_tag = std::string{local_tag},
                          .remote_tag = tag_of(dialog.remote_)};
    dialog.remote_sequence_ = STILE_TRY(request.cseq()).number;
    dialog.remote_target_ = STILE_TRY(contact_of(request));
    dialog.route_set_ = STILE_TRY(request.routes(HeaderName::RecordRoute).copies());
    return dialog;
}

bool Dialog::owns_request(const Message& request) const {
    const auto to = request.to();
    const auto from = request.from();
    return to && from && request.call_id().value_or("") == id_.call_id &&
           tag_of(*to) == id_.local_tag && tag_of(*from) == id_.remote_tag;
}

bool Dialog::owns_response(const Message& response) const {
    const auto to = response.to();
    const auto from = response.from();
    return to && from && response.call_id().value_or("") == id_.call_id &&
           tag_of(*from) == id_.local_tag && tag_of(*to) == id_.remote_tag;
}

std::expected<void, ParseError> Dialog::confirm(const Message& response) {
    auto target = STILE_TRY(contact_of(response));
    auto routes = STILE_TRY(response.routes(HeaderName::RecordRoute).copies());
    std::ranges::reverse(routes);
    remote_target_ = std::move(target);
    route_set_ = std::move(routes);
    state_ = DialogState::Confirmed;
    return {};
}

MessageBuilder Dialog::request(Method method, const Via& via) {
    return request(method_text(method), via);
}

MessageBuilder Dialog::request(std::string_view method, const Via& via) {
    STILE_ASSERT(local_sequence_ < most_cseq);
    return start(method, ++local_sequence_, via);
}

MessageBuilder Dialog::ack(std::uint32_t invite_sequence, const Via& via) const {
    return start(method_text(Method::Ack), invite_sequence, via);
}

MessageBuilder Dialog::start(std::string_view method, std::uint32_t number, const Via& via) const {
    // A first hop without lr is a strict router: it wants its own URI as the Request-URI and the
    // target at the end of the Route. RFC 3261 Section 12.2.1.1.
    const bool strict = !route_set_.empty() && !route_set_.front().uri.is_loose_route();
    const Uri& target = strict ? route_set_.front().uri : remote_target_;
    MessageBuilder builder = MessageBuilder::request(method, target.to_string());
    builder.add(via).add(HeaderName::MaxForwards, "70");
    for (std::size_t i = strict ? 1 : 0; i < route_set_.size(); ++i) {
        builder.add(HeaderName::Route, route_set_[i]);
    }
    if (strict) builder.add(HeaderName::Route, NameAddr{.uri = remote_target_});
    builder.add(HeaderName::From, local_)
        .add(HeaderName::To, remote_)
        .add(HeaderName::CallId, id_.call_id)
        .add(CSeq{.number = number,
                  .method = method_of(method),
                  .extension = method_of(method) == Method::Other ? std::string{method} : ""});
    return builder;
}

void Dialog::note_local_sequence(std::uint32_t number) {
    local_sequence_ = std::max(local_sequence_, number);
}

SequenceOrder Dialog::handle_request(const Message& request) {
    const auto cseq = request.cseq();
    if (!cseq) return SequenceOrder::OutOfOrder;
    if (remote_sequence_ && cseq->number < *remote_sequence_) return SequenceOrder::OutOfOrder;
    remote_sequence_ = cseq->number;
    return SequenceOrder::InOrder;
}

void Dialog::refresh_target(const Message& message) {
    if (auto target = contact_of(message)) remote_target_ = *std::move(target);
}

}  // namespace stile::sip
