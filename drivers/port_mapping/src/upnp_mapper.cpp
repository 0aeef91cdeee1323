// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "upnp_mapper.hpp"

#include "upnp_router.hpp"

#include <stile/drivers/random.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace stile::drivers {
namespace {

// What a program that was killed leaves behind is gone within an hour.
constexpr std::chrono::seconds lease{3600};
constexpr auto renewal_interval = std::chrono::minutes{20};
// For the outside when our own port's number is taken there.
constexpr unsigned most_ports_tried = 4;

struct Map {
    LocalPort port;
};
struct Unmap {
    LocalPort port;
};
struct ForgetRouter {};
using Job = std::variant<Map, Unmap, ForgetRouter>;

}  // namespace

// What the thread and the loop's side have in common, under the mutex.
struct UpnpMapper::Shared {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> jobs;
    std::set<LocalPort> asked;  // for which a router has, or may have, a mapping
    // Absent: nobody listens any more, and the thread ends.
    Loop* loop = nullptr;
    UpnpMapper* owner = nullptr;  // used on the loop's thread alone

    void submit(Job job) {
        const std::lock_guard lock{mutex};
        submit_locked(std::move(job));
    }
    void submit_locked(Job job) {
        jobs.push_back(std::move(job));
        wake.notify_one();
    }
};

// The thread's own things.
struct UpnpMapper::Thread {
    using Clock = std::chrono::steady_clock;
    struct Kept {
        Port external;
        std::chrono::seconds lifetime;
        std::string pinhole;  // the router's name for it, for IPv6
        SocketAddress told;
    };
    enum class Search : std::uint8_t { Due, Done };
    enum class Asked : std::uint8_t { No, Yes };

    void run();
    std::optional<Job> next_job();
    void map(const LocalPort& port);
    void unmap(const LocalPort& port);
    void renew();
    // Where the port is reachable by now; empty where it is not.
    std::optional<SocketAddress> renewed(const LocalPort& port, Kept& entry);
    void note_asked(const LocalPort& port, Asked asked);
    UpnpRouter* router();
    std::optional<Kept> add(UpnpRouter& at, const LocalPort& port);
    std::optional<Kept> add_mapping(UpnpRouter& at, const LocalPort& port);
    std::optional<Kept> open_pinhole(UpnpRouter& at, const LocalPort& port);
    void tell(std::move_only_function<void(UpnpMapper&)> news);

    std::shared_ptr<Shared> shared;
    Place place;
    Search search = Search::Due;
    std::optional<UpnpRouter> found{};  // after the search: none, there was none
    std::map<LocalPort, Kept> kept{};
    Clock::time_point renewal{};
    crypto::RandomStream random{random_seed()};
};

void UpnpMapper::Thread::run() {
    renewal = Clock::now() + renewal_interval;
    for (;;) {
        const auto job = next_job();
        {
            const std::lock_guard lock{shared->mutex};
            if (shared->loop == nullptr) return;
        }
        if (!job) {
            renew();
        } else if (const auto* const wanted = std::get_if<Map>(&*job)) {
            map(wanted->port);
        } else if (const auto* const unwanted = std::get_if<Unmap>(&*job)) {
            unmap(unwanted->port);
        } else {
            found.reset();
            search = Search::Due;
        }
    }
}

// Empty when it is time to renew, or to end.
std::optional<Job> UpnpMapper::Thread::next_job() {
    std::unique_lock lock{shared->mutex};
    shared->wake.wait_until(lock, renewal,
                            [&] { return !shared->jobs.empty() || shared->loop == nullptr; });
    if (shared->jobs.empty() || shared->loop == nullptr) return std::nullopt;
    Job job = shared->jobs.front();
    shared->jobs.pop_front();
    return job;
}

void UpnpMapper::Thread::tell(std::move_only_function<void(UpnpMapper&)> news) {
    const std::lock_guard lock{shared->mutex};
    if (shared->loop == nullptr) return;
    shared->loop->post([kept_shared = shared, news = std::move(news)]() mutable {
        if (kept_shared->owner != nullptr) news(*kept_shared->owner);
    });
}

void UpnpMapper::Thread::note_asked(const LocalPort& port, Asked asked) {
    const std::lock_guard lock{shared->mutex};
    if (asked == Asked::Yes) {
        shared->asked.insert(port);
    } else {
        shared->asked.erase(port);
    }
}

UpnpRouter* UpnpMapper::Thread::router() {
    if (std::exchange(search, Search::Done) == Search::Due) {
        found = UpnpRouter::discover(place.local, place.interface_index);
    }
    return found ? &*found : nullptr;
}

std::optional<UpnpMapper::Thread::Kept> UpnpMapper::Thread::add(UpnpRouter& at,
                                                                const LocalPort& port) {
    return place.local.is_v4() ? add_mapping(at, port) : open_pinhole(at, port);
}

std::optional<UpnpMapper::Thread::Kept> UpnpMapper::Thread::add_mapping(UpnpRouter& at,
                                                                        const LocalPort& port) {
    const auto address = at.external_address();
    if (!address) return std::nullopt;
    note_asked(port, Asked::Yes);
    Kept entry{.external = port.socket.port, .lifetime = lease, .pinhole = {}, .told = {}};
    for (unsigned tried = 0; tried < most_ports_tried; ++tried) {
        const auto added = at.add(port.protocol, entry.external, port.socket.port, entry.lifetime);
        if (added) {
            entry.told = {*address, entry.external};
            return entry;
        }
        if (added.error() == UpnpRouter::Refusal::NoLeases && entry.lifetime == lease) {
            entry.lifetime = {};
        } else if (added.error() == UpnpRouter::Refusal::PortTaken) {
            // RFC 6335 Section 6: the dynamic ports.
            entry.external.value = static_cast<std::uint16_t>(49'152U + (random.u64() & 0x3FFFU));
        } else {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

std::optional<UpnpMapper::Thread::Kept> UpnpMapper::Thread::open_pinhole(UpnpRouter& at,
                                                                         const LocalPort& port) {
    note_asked(port, Asked::Yes);
    const auto pinhole = at.open_pinhole(port.protocol, port.socket.port, lease);
    if (!pinhole) return std::nullopt;
    return Kept{
        .external = port.socket.port, .lifetime = lease, .pinhole = *pinhole, .told = port.socket};
}

void UpnpMapper::Thread::map(const LocalPort& port) {
    UpnpRouter* const at = router();
    if (at == nullptr) return;
    const auto entry = add(*at, port);
    if (!entry) return note_asked(port, Asked::No);
    kept.insert_or_assign(port, *entry);
    tell([mapped = Mapped{port, entry->told}](UpnpMapper& owner) { owner.handle_mapped(mapped); });
}

void UpnpMapper::Thread::unmap(const LocalPort& port) {
    UpnpRouter* const at = kept.contains(port) ? router() : nullptr;
    const auto entry = kept.extract(port);
    if (at != nullptr && place.local.is_v4()) {
        at->remove(port.protocol, entry.mapped().external);
    } else if (at != nullptr) {
        at->close_pinhole(entry.mapped().pinhole);
    }
    note_asked(port, Asked::No);
    tell([port](UpnpMapper& owner) { owner.handle_removed(port); });
}

std::optional<SocketAddress> UpnpMapper::Thread::renewed(const LocalPort& port, Kept& entry) {
    UpnpRouter* const at = router();
    if (at == nullptr) return std::nullopt;
    if (place.local.is_v6()) {
        if (at->renew_pinhole(entry.pinhole, lease)) return port.socket;
        // The router may have begun anew.
        const auto again = open_pinhole(*at, port);
        if (!again) return std::nullopt;
        entry = *again;
        return port.socket;
    }
    const auto address = at->external_address();
    if (!address || !at->add(port.protocol, entry.external, port.socket.port, entry.lifetime)) {
        return std::nullopt;
    }
    return SocketAddress{*address, entry.external};
}

void UpnpMapper::Thread::renew() {
    renewal = Clock::now() + renewal_interval;
    std::vector<LocalPort> lost;
    for (auto& [port, entry] : kept) {
        const auto external = renewed(port, entry);
        if (!external) {
            lost.push_back(port);
            continue;
        }
        if (std::exchange(entry.told, *external) == *external) continue;
        tell(
            [mapped = Mapped{port, *external}](UpnpMapper& owner) { owner.handle_mapped(mapped); });
    }
    for (const LocalPort& port : lost) {
        kept.erase(port);
        note_asked(port, Asked::No);
        tell([port](UpnpMapper& owner) { owner.handle_lost(port); });
    }
}

UpnpMapper::UpnpMapper(Loop& loop, const Place& place, Handlers handlers)
    : handlers_(std::move(handlers)), shared_(std::make_shared<Shared>()) {
    shared_->loop = &loop;
    shared_->owner = this;
    std::thread([shared = shared_, place] {
        Thread{.shared = shared, .place = place}.run();
    }).detach();
}

UpnpMapper::~UpnpMapper() {
    const std::lock_guard lock{shared_->mutex};
    shared_->owner = nullptr;
    shared_->loop = nullptr;
    shared_->jobs.clear();
    shared_->wake.notify_one();
}

void UpnpMapper::map(const LocalPort& port) {
    if (wanted_.insert(port).second) shared_->submit(Map{port});
}

void UpnpMapper::unmap(const LocalPort& port) {
    if (wanted_.erase(port) == 0) return;
    const std::lock_guard lock{shared_->mutex};
    if (shared_->asked.contains(port)) removing_.insert(port);
    shared_->submit_locked(Unmap{port});
}

void UpnpMapper::forget_router() { shared_->submit(ForgetRouter{}); }

void UpnpMapper::handle_mapped(const Mapped& mapped) {
    if (wanted_.contains(mapped.port)) handlers_.on_mapped(mapped);
}

void UpnpMapper::handle_lost(const LocalPort& port) {
    if (wanted_.erase(port) != 0) handlers_.on_lost(port);
}

void UpnpMapper::handle_removed(const LocalPort& port) {
    removing_.erase(port);
    if (idle()) handlers_.on_idle();
}

}  // namespace stile::drivers
