// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sip/auth.hpp>
#include <stile/sip/caller_preferences.hpp>
#include <stile/sip/message_edit.hpp>
#include <stile/sip/stream_framer.hpp>
#include <stile/sip/validation.hpp>

using namespace stile;
using namespace stile::sip;

namespace {

void read_everything(const Message& message) {
    for (std::size_t i = 0; i < message.header_count(); ++i) {
        const HeaderName name = message.header(i).name;
        for (const std::string_view value : message.values(name)) (void)value.size();
        if (name != HeaderName::Other) (void)message.tokens(name).all();
    }
    (void)message.vias().all();
    (void)message.contacts();
    (void)message.date();
    (void)message.retry_after();
    (void)message.reasons();
    (void)message.content_type();
    (void)challenges(message, HeaderName::WwwAuthenticate);
    (void)credentials_for(message, HeaderName::Authorization, "example.org");
    if (message.is_response()) {
        (void)validate_response(message);
        return;
    }
    (void)validate_request(message);
    (void)CallerPreferences::of(message);
    (void)RequestDisposition::of(message);
    if (is_answerable(message)) {
        STILE_ASSERT(
            make_response(message, status::BadRequest, {.to_tag = "t"}).build().is_response());
    }
}

// What an edit writes is a message of the same header fields.
void edit_and_read_again(const Message& message) {
    MessageEdit edit{message};
    edit.prepend(HeaderName::Via, "SIP/2.0/UDP h;branch=z9hG4bKx")
        .remove_first_value(HeaderName::Via)
        .remove_last_value(HeaderName::Route)
        .remove_first_value(HeaderName::Route)
        .mark_source({IpAddress::v4({192, 0, 2, 1}), {5060}})
        .remove("X-Smuggled");
    const Message changed = edit.build();
    STILE_ASSERT(!changed.find("X-Smuggled"));
    STILE_ASSERT(equal(changed.body(), message.body()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView input = std::as_bytes(std::span{data, size});
    if (const auto message = parse_message(input)) {
        read_everything(*message);
        edit_and_read_again(*message);
    } else if (message.error().head) {
        read_everything(*message.error().head);
    }
    StreamFramer framer{FlowSide::Accepted};
    for (BytesView rest = input; !rest.empty();) {
        const std::size_t taken = framer.feed(rest.first(std::min<std::size_t>(rest.size(), 7)));
        rest = rest.subspan(taken);
        const bool had_event = framer.poll_event().has_value();
        STILE_ASSERT(taken > 0 || had_event);
    }
    return 0;
}
