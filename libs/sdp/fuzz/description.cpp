// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/sdp/fragment.hpp>
#include <stile/sdp/grouping.hpp>
#include <stile/sdp/http_carriers.hpp>
#include <stile/sdp/ice_attributes.hpp>
#include <stile/sdp/offer_answer.hpp>
#include <stile/sdp/rtp_map.hpp>

namespace {

using namespace stile::sdp;

template <class A>
void read(const Attributes& attributes) {
    for (const A& each : attributes.all<A>()) {
        const auto text = each.value();
        STILE_ASSERT(A::parse(text ? std::string_view{*text} : std::string_view{}));
    }
}

void read_all(const Attributes& attributes) {
    read<Candidate>(attributes);
    read<RemoteCandidates>(attributes);
    read<IceOptions>(attributes);
    read<Fingerprint>(attributes);
    read<Setup>(attributes);
    read<Group>(attributes);
    read<RtpMap>(attributes);
    read<Fmtp>(attributes);
    read<SctpPort>(attributes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    if (const auto parsed = Description::parse(text)) {
        const std::string written = parsed->serialize();
        const auto again = Description::parse(written);
        STILE_ASSERT(again || again.error().problem == Problem::TooLong);
        STILE_ASSERT(!again || again->serialize() == written);
        read_all(parsed->attributes);
        for (std::size_t i = 0; i < parsed->media.size(); ++i) {
            read_all(parsed->media[i].attributes);
            (void)read_carrier(*parsed, i);
        }
        const Description answer = make_answer(*parsed, Origin{});
        STILE_ASSERT(!check_answer(*parsed, answer));
        (void)check_answer(*parsed, *parsed);
    }
    if (const auto fragment = IceFragment::parse(text)) {
        const auto again = IceFragment::parse(fragment->serialize());
        STILE_ASSERT(again || again.error().problem == Problem::TooLong);
    }
    return 0;
}
