// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn_link/resolve.hpp>

#include <stile/drivers/random.hpp>

#include <utility>

namespace stile::turn_link {
namespace {

struct Run : std::enable_shared_from_this<Run> {
    using Kind = turn::ServerResolution::Question::Kind;
    using Done = std::move_only_function<void(std::vector<turn::ServerAddress>)>;

    Run(drivers::Loop& loop, drivers::NameService& service, turn::ServerResolution machine,
        Done callback)
        : names(service),
          resolution(std::move(machine)),
          done(std::move(callback)),
          timer(loop, [this] {
              const auto self = shared_from_this();
              auto told = std::exchange(done, nullptr);
              told(resolution.servers());
          }) {}

    void go_on() {
        if (!done) return;
        const auto& question = resolution.poll_question();
        if (!question) return timer.arm_after(Duration{0});
        switch (question->kind) {
            case Kind::Naptr:
                return names.naptr(question->name, on_answer(&Run::take_naptr));
            case Kind::Srv:
                return names.srv(question->name, on_answer(&Run::take_srv));
            case Kind::Addresses:
                return names.addresses(question->name, on_answer(&Run::take_addresses));
        }
    }
    template <class Record>
    drivers::OnDnsAnswer<Record> on_answer(void (Run::*take)(const std::vector<Record>&)) {
        return [weak = weak_from_this(), take](drivers::DnsAnswer<Record> answer) {
            const auto self = weak.lock();
            if (!self || !self->done) return;
            if (answer) {
                ((*self).*take)(*answer);
            } else {
                self->resolution.handle_nothing();
            }
            self->go_on();
        };
    }
    void take_naptr(const std::vector<drivers::NaptrRecord>& records) {
        std::vector<turn::NaptrAnswer> answers;
        for (const auto& each : records) {
            answers.push_back({.order = each.order,
                               .preference = each.preference,
                               .flags = each.flags,
                               .service = each.service,
                               .regexp = each.regexp,
                               .replacement = each.replacement});
        }
        resolution.handle_naptr(std::move(answers));
    }
    void take_srv(const std::vector<drivers::SrvRecord>& records) {
        std::vector<turn::SrvAnswer> answers;
        for (const auto& each : records) {
            answers.push_back({.priority = each.priority,
                               .weight = each.weight,
                               .port = each.port,
                               .target = each.target});
        }
        resolution.handle_srv(std::move(answers));
    }
    void take_addresses(const std::vector<IpAddress>& addresses) {
        resolution.handle_addresses(addresses);
    }
    drivers::NameService& names;
    turn::ServerResolution resolution;
    Done done;
    drivers::Timer timer;
};

}  // namespace

std::shared_ptr<void> resolve_servers(
    drivers::Loop& loop, drivers::NameService& names, const turn::TurnUri& uri,
    std::span<const turn::ClientTransport> supported, Duration deadline,
    std::move_only_function<void(std::vector<turn::ServerAddress>)> done) {
    const auto run = std::make_shared<Run>(
        loop, names,
        turn::ServerResolution{uri, supported, crypto::RandomStream{drivers::random_seed()}},
        std::move(done));
    run->timer.arm_after(deadline);
    run->go_on();
    return run;
}

}  // namespace stile::turn_link
