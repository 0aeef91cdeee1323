// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "selection.hpp"

#include <stile/crypto/random_stream.hpp>
#include <stile/drivers/random.hpp>

#include <utility>

namespace stile::drivers {

Selection::Selection(Loop& loop, NameService& names, Duration deadline, Done done)
    : loop_(loop), names_(names), done_(std::move(done)), deadline_(loop, [this] {
          const auto self = self_;
          if (!last_error_) last_error_ = DnsError{DnsFailure::TimedOut, "no answer in time"};
          finish();
      }) {
    deadline_.arm_after(deadline);
}

void Selection::hold() { self_ = shared_from_this(); }

void Selection::start(std::vector<Source> sources, std::vector<Source> fallback) {
    fallback_ = std::move(fallback);
    ask(sources);
}

void Selection::ask(const std::vector<Source>& sources) {
    ++round_;
    slots_.clear();
    slots_.resize(sources.size());
    pending_ = 1;  // this function itself
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const Source& source = sources[i];
        slots_[i].transport = source.transport;
        if (source.port) {
            slots_[i].hosts.push_back({source.name, *source.port, {}});
            ask_addresses(i, 0);
            continue;
        }
        ++pending_;
        names_.srv(source.name,
                   [self = shared_from_this(), i, round = round_](DnsAnswer<SrvRecord> answer) {
                       if (self->finished() || round != self->round_) return;
                       if (answer) {
                           crypto::RandomStream random{random_seed()};
                           auto records = order_srv(*std::move(answer), [&](std::uint64_t most) {
                               return random.below(most + 1);
                           });
                           if (records.size() > most_records) records.resize(most_records);
                           for (SrvRecord& record : records) {
                               // RFC 2782: a target of "." says that there is decidedly no such
                               // service.
                               if (record.target.empty() || record.target == ".") continue;
                               auto& hosts = self->slots_[i].hosts;
                               hosts.push_back({std::move(record.target), record.port, {}});
                               self->ask_addresses(i, hosts.size() - 1);
                           }
                       } else {
                           self->last_error_ = std::move(answer).error();
                       }
                       self->answered();
                   });
    }
    answered();
}

void Selection::ask_addresses(std::size_t slot, std::size_t host) {
    ++pending_;
    names_.addresses(slots_[slot].hosts[host].name, [self = shared_from_this(), slot, host,
                                                     round = round_](DnsAnswer<IpAddress> answer) {
        if (self->finished() || round != self->round_) return;
        if (answer) {
            self->slots_[slot].hosts[host].addresses = *std::move(answer);
        } else {
            self->last_error_ = std::move(answer).error();
        }
        self->answered();
    });
}

void Selection::answered() {
    if (--pending_ > 0) return;
    bool any = false;
    for (const Slot& slot : slots_) any |= !slot.hosts.empty();
    if (!any && !fallback_.empty()) {
        ask(std::exchange(fallback_, {}));
        return;
    }
    finish();
}

void Selection::finish() {
    std::vector<Found> found;
    for (const Slot& slot : slots_) {
        for (const Host& host : slot.hosts) {
            for (const IpAddress& ip : host.addresses) {
                found.push_back({slot.transport, {ip, host.port}, host.name});
            }
        }
    }
    if (found.empty()) {
        finish_with(
            last_error_.value_or(DnsError{DnsFailure::NotFound, "no server is published there"}));
        return;
    }
    const auto self = std::exchange(self_, nullptr);
    deadline_.disarm();
    done_(std::move(found));
}

void Selection::finish_with(DnsError error) {
    const auto self = std::exchange(self_, nullptr);
    deadline_.disarm();
    done_(std::unexpected(std::move(error)));
}

}  // namespace stile::drivers
