// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Nanoseconds a message of the SIP parser, on an INVITE as a proxy sees it: what routing needs, and
// everything typed.
#include <stile/sip/message.hpp>
#include <stile/sip/message_edit.hpp>
#include <stile/sip/validation.hpp>

#include <benchmark/benchmark.h>
#include <string_view>

namespace stile::sip {
namespace {

constexpr std::string_view invite =
    "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
    "Via: SIP/2.0/TLS proxy.atlanta.example.com:5061;branch=z9hG4bK776asdhdsx;rport\r\n"
    "Via: SIP/2.0/TLS client.atlanta.example.com:5061;branch=z9hG4bKnashds7;received=192.0.2.1\r\n"
    "Max-Forwards: 69\r\n"
    "Record-Route: <sip:proxy.atlanta.example.com;lr>\r\n"
    "Route: <sip:edge.biloxi.example.com;lr>\r\n"
    "From: \"Alice\" <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
    "To: Bob <sip:bob@biloxi.example.com>\r\n"
    "Call-ID: 3848276298220188511@atlanta.example.com\r\n"
    "CSeq: 314159 INVITE\r\n"
    "Contact: <sip:alice@client.atlanta.example.com:5061;transport=tls>\r\n"
    "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, INFO, UPDATE\r\n"
    "Supported: outbound, path, replaces\r\n"
    "User-Agent: SomePhone/1.0\r\n"
    "Content-Type: application/sdp\r\n"
    "Content-Length: 151\r\n"
    "\r\n"
    "v=0\r\n"
    "o=alice 2890844526 2890844526 IN IP4 client.atlanta.example.com\r\n"
    "s=-\r\n"
    "c=IN IP4 192.0.2.101\r\n"
    "t=0 0\r\n"
    "m=audio 49172 RTP/AVP 0\r\n"
    "a=rtpmap:0 PCMU/8000\r\n";

// Each value of a list header field, typed.
template <class Values>
void each(const Values& values) {
    for (const auto& value : values) benchmark::DoNotOptimize(value);
}

void parse_alone(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(parse_message(as_bytes(invite)));
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(invite.size()));
}
BENCHMARK(parse_alone);

void parse_for_routing(benchmark::State& state) {
    for (auto _ : state) {
        const auto message = parse_message(as_bytes(invite));
        benchmark::DoNotOptimize(message->top_via());
        benchmark::DoNotOptimize(message->max_forwards());
        each(message->routes(HeaderName::Route));
        benchmark::DoNotOptimize(message->cseq());
        benchmark::DoNotOptimize(message->call_id());
        benchmark::DoNotOptimize(message->from_tag());
        benchmark::DoNotOptimize(message->to_tag());
    }
}
BENCHMARK(parse_for_routing);

void parse_all_typed(benchmark::State& state) {
    for (auto _ : state) {
        const auto message = parse_message(as_bytes(invite));
        benchmark::DoNotOptimize(message->request_uri());
        each(message->vias());
        benchmark::DoNotOptimize(message->max_forwards());
        each(message->routes(HeaderName::Route));
        each(message->routes(HeaderName::RecordRoute));
        benchmark::DoNotOptimize(message->from());
        benchmark::DoNotOptimize(message->to());
        benchmark::DoNotOptimize(message->call_id());
        benchmark::DoNotOptimize(message->cseq());
        benchmark::DoNotOptimize(message->contacts());
        each(message->tokens(HeaderName::Supported));
        benchmark::DoNotOptimize(message->content_type());
    }
}
BENCHMARK(parse_all_typed);

}  // namespace
}  // namespace stile::sip
