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
    SocketAddress socket;
};
struct Unmap {
    SocketAddress socket;
};
struct ForgetRouters {};
using Job = std::variant<Map, Unmap, ForgetRouters>;

}  // namespace

// What the thread and the loop's side have in common, under the mutex.
struct UpnpMapper::Shared {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> jobs;
    std::set<SocketAddress> asked;  // for which a router has, or may have, a mapping
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
        SocketAddress told;
    };

    void run();
    std::optional<Job> next_job();
    void map(const SocketAddress& socket);
    void unmap(const SocketAddress& socket);
    void renew();
    enum class Asked : std::uint8_t { No, Yes };
    void note_asked(const SocketAddress& socket, Asked asked);
    UpnpRouter* router_at(const IpAddress& local);
    std::optional<Kept> add(UpnpRouter& router, Port internal);
    void tell(std::move_only_function<void(UpnpMapper&)> news);

    std::shared_ptr<Shared> shared;
    std::map<IpAddress, std::optional<UpnpRouter>> routers{};  // none: there was none
    std::map<SocketAddress, Kept> kept{};
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
            map(wanted->socket);
        } else if (const auto* const unwanted = std::get_if<Unmap>(&*job)) {
            unmap(unwanted->socket);
        } else {
            routers.clear();
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

void UpnpMapper::Thread::note_asked(const SocketAddress& socket, Asked asked) {
    const std::lock_guard lock{shared->mutex};
    if (asked == Asked::Yes) {
        shared->asked.insert(socket);
    } else {
        shared->asked.erase(socket);
    }
}

UpnpRouter* UpnpMapper::Thread::router_at(const IpAddress& local) {
    auto known = routers.find(local);
    if (known == routers.end()) {
        known = routers.emplace(local, UpnpRouter::discover(local)).first;
    }
    return known->second ? &*known->second : nullptr;
}

std::optional<UpnpMapper::Thread::Kept> UpnpMapper::Thread::add(UpnpRouter& router, Port internal) {
    Kept entry{.external = internal, .lifetime = lease, .told = {}};
    for (unsigned tried = 0; tried < most_ports_tried; ++tried) {
        const auto added = router.add(entry.external, internal, entry.lifetime);
        if (added) return entry;
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

void UpnpMapper::Thread::map(const SocketAddress& socket) {
    UpnpRouter* const router = router_at(socket.ip);
    if (router == nullptr) return;
    const auto address = router->external_address();
    if (!address) return;
    note_asked(socket, Asked::Yes);
    auto entry = add(*router, socket.port);
    if (!entry) return note_asked(socket, Asked::No);
    entry->told = {*address, entry->external};
    kept.insert_or_assign(socket, *entry);
    tell(
        [mapped = Mapped{socket, entry->told}](UpnpMapper& owner) { owner.handle_mapped(mapped); });
}

void UpnpMapper::Thread::unmap(const SocketAddress& socket) {
    if (const auto entry = kept.extract(socket)) {
        if (UpnpRouter* const router = router_at(socket.ip)) {
            router->remove(entry.mapped().external);
        }
    }
    note_asked(socket, Asked::No);
    tell([socket](UpnpMapper& owner) { owner.handle_removed(socket); });
}

void UpnpMapper::Thread::renew() {
    renewal = Clock::now() + renewal_interval;
    std::vector<SocketAddress> lost;
    for (auto& [socket, entry] : kept) {
        UpnpRouter* const router = router_at(socket.ip);
        const auto address = router == nullptr ? std::nullopt : router->external_address();
        if (!address || !router->add(entry.external, socket.port, entry.lifetime)) {
            lost.push_back(socket);
            continue;
        }
        const SocketAddress external{*address, entry.external};
        if (std::exchange(entry.told, external) == external) continue;
        tell([mapped = Mapped{socket, external}](UpnpMapper& owner) {
            owner.handle_mapped(mapped);
        });
    }
    for (const SocketAddress& socket : lost) {
        kept.erase(socket);
        note_asked(socket, Asked::No);
        tell([socket](UpnpMapper& owner) { owner.handle_lost(socket); });
    }
}

UpnpMapper::UpnpMapper(Loop& loop, Handlers handlers)
    : handlers_(std::move(handlers)), shared_(std::make_shared<Shared>()) {
    shared_->loop = &loop;
    shared_->owner = this;
    std::thread([shared = shared_] { Thread{.shared = shared}.run(); }).detach();
}

UpnpMapper::~UpnpMapper() {
    const std::lock_guard lock{shared_->mutex};
    shared_->owner = nullptr;
    shared_->loop = nullptr;
    shared_->jobs.clear();
    shared_->wake.notify_one();
}

void UpnpMapper::map(const SocketAddress& socket) {
    if (wanted_.insert(socket).second) shared_->submit(Map{socket});
}

void UpnpMapper::unmap(const SocketAddress& socket) {
    if (wanted_.erase(socket) == 0) return;
    const std::lock_guard lock{shared_->mutex};
    if (shared_->asked.contains(socket)) removing_.insert(socket);
    shared_->submit_locked(Unmap{socket});
}

void UpnpMapper::forget_routers() { shared_->submit(ForgetRouters{}); }

void UpnpMapper::handle_mapped(const Mapped& mapped) {
    if (wanted_.contains(mapped.socket)) handlers_.on_mapped(mapped);
}

void UpnpMapper::handle_lost(const SocketAddress& socket) {
    if (wanted_.erase(socket) != 0) handlers_.on_lost(socket);
}

void UpnpMapper::handle_removed(const SocketAddress& socket) {
    removing_.erase(socket);
    if (idle()) handlers_.on_idle();
}

}  // namespace stile::drivers
