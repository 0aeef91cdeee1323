// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Nanoseconds a message of the STUN codec, on the messages that ICE and TURN send most.
#include <stile/stun/attributes.hpp>
#include <stile/stun/binding_responder.hpp>
#include <stile/stun/integrity.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/stun/message_view.hpp>

#include <benchmark/benchmark.h>

namespace stile::stun {
namespace {

const SocketAddress source{IpAddress::v4({192, 0, 2, 1}), Port{32853}};

const IntegrityKey& key() {
    static const IntegrityKey prepared = IntegrityKey::short_term("VOkJxbRl1RmTxUk/WvJxBt");
    return prepared;
}

// An ICE connectivity check.
Bytes check() {
    MessageBuilder builder{Class::Request, Method::Binding, TransactionId{}};
    builder.add(Username{"evtj:h6vY"}).add(Priority{0x6E0001FF}).add(UseCandidate{});
    builder.add_integrity(key(), IntegrityKind::Sha1).add_fingerprint();
    return builder.finish();
}

void parse_check(benchmark::State& state) {
    const Bytes wire = check();
    for (auto _ : state) {
        const auto message = MessageView::parse(BytesView{wire});
        benchmark::DoNotOptimize(message->get<Username>());
        benchmark::DoNotOptimize(message->get<Priority>());
    }
}
BENCHMARK(parse_check);

void verify_check(benchmark::State& state) {
    const Bytes wire = check();
    const auto message = MessageView::parse(BytesView{wire});
    for (auto _ : state) {
        benchmark::DoNotOptimize(check_fingerprint(*message));
        benchmark::DoNotOptimize(check_integrity(*message, key(), IntegrityKind::Sha1));
    }
}
BENCHMARK(verify_check);

void build_check(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(check());
}
BENCHMARK(build_check);

void answer_plain_binding(benchmark::State& state) {
    MessageBuilder builder{Class::Request, Method::Binding, TransactionId{}};
    const Bytes wire = builder.finish();
    for (auto _ : state) {
        const auto message = MessageView::parse(BytesView{wire});
        benchmark::DoNotOptimize(respond_to_binding(*message, source));
    }
}
BENCHMARK(answer_plain_binding);

}  // namespace
}  // namespace stile::stun
