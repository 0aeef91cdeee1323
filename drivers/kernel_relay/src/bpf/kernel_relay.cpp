// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/kernel_relay.hpp>

#include "attachment.hpp"
#include "channel_table.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <mutex>
#include <set>

#include <ifaddrs.h>
#include <netinet/in.h>

#include <stile/drivers/native_address.hpp>

namespace stile::drivers {

using namespace kernel;

namespace {

Instant monotonic_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return Instant{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

// Names of the interfaces that the options mean.
std::set<std::string> wanted_interfaces(const KernelRelayOptions& options) {
    std::set<std::string> names(options.interfaces.begin(), options.interfaces.end());
    const auto wants = [&](const IpAddress& ip) {
        return std::ranges::any_of(options.addresses, [&](const IpAddress& wanted) {
            return wanted == ip || wanted.is_unspecified();
        });
    };
    // All of 127.0.0.0/8 is there, though only one address is listed.
    for (const auto& ip : options.addresses) {
        if (ip.is_loopback()) names.insert("lo");
    }
    ifaddrs* list = nullptr;
    if (getifaddrs(&list) != 0) return names;
    for (const auto* at = list; at != nullptr; at = at->ifa_next) {
        if (at->ifa_addr == nullptr) continue;
        const int family = at->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6) continue;
        const auto size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        sockaddr_storage storage{};
        std::memcpy(&storage, at->ifa_addr, size);
        if (wants(from_native(storage).ip)) names.insert(at->ifa_name);
    }
    freeifaddrs(list);
    return names;
}

}  // namespace

struct KernelRelay::Impl {
    Impl(Programs loaded, KernelRelayOptions wanted)
        : options(std::move(wanted)),
          programs(std::move(loaded)),
          hops(programs.hops()),
          channels(programs, hops) {
        programs.settings().bindings = to_rate(options.bindings);
        programs.settings().octets = to_rate(options.binding_octets);
        renew_lease();
    }

    // Empty where at least one interface works.
    std::string attach();
    void renew_lease() {
        const auto end = monotonic_now() + kernel_lease_time;
        std::atomic_ref{programs.settings().lease}.store(
            static_cast<std::uint64_t>(end.time_since_epoch().count()));
    }

    std::mutex mutex;
    const KernelRelayOptions options;
    Programs programs;
    HopTable hops;
    ChannelTable channels;
    std::vector<Attachment> attachments;
    std::string failed;  // interfaces without a program, and why
};

std::string KernelRelay::Impl::attach() {
    failed.clear();
    const auto links = hops.netlink().links();
    std::vector<int> takes_xdp;
    for (const auto& name : wanted_interfaces(options)) {
        const auto link = std::ranges::find(links, name, &Link::name);
        std::string why = link == links.end() ? "there is no such interface" : "";
        if (link != links.end()) {
            auto attachment =
                Attachment::attach(programs, hops.netlink(), links, *link, options.mode);
            if (attachment) {
                if (attachment->mode() == KernelMode::XdpNative) {
                    takes_xdp.push_back(link->index);
                }
                attachments.push_back(*std::move(attachment));
                continue;
            }
            why = attachment.error();
        }
        if (!failed.empty()) failed += "; ";
        failed += name + ": " + why;
    }
    hops.set_xdp_interfaces(std::move(takes_xdp));
    if (!attachments.empty()) return {};
    return failed.empty() ? "no interface carries the addresses" : failed;
}

KernelRelay::KernelRelay(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KernelRelay::~KernelRelay() = default;

std::expected<std::unique_ptr<KernelRelay>, KernelRelayError> KernelRelay::open(
    const KernelRelayOptions& options) {
    auto programs =
        Programs::load(std::clamp<std::size_t>(options.most_channels, 1, most_kernel_channels));
    if (!programs) return std::unexpected(KernelRelayError{programs.error()});
    auto impl = std::make_unique<Impl>(*std::move(programs), options);
    if (auto error = impl->attach(); !error.empty()) {
        return std::unexpected(KernelRelayError{std::move(error)});
    }
    return std::unique_ptr<KernelRelay>(new KernelRelay(std::move(impl)));
}

void KernelRelay::detach() {
    const std::lock_guard lock{impl_->mutex};
    impl_->attachments.clear();
}

std::expected<void, KernelRelayError> KernelRelay::attach() {
    const std::lock_guard lock{impl_->mutex};
    if (auto error = impl_->attach(); !error.empty()) {
        return std::unexpected(KernelRelayError{std::move(error)});
    }
    return {};
}

std::string KernelRelay::describe() const {
    const std::lock_guard lock{impl_->mutex};
    std::string text;
    for (const auto& attachment : impl_->attachments) {
        if (!text.empty()) text += ", ";
        text += to_text(attachment.mode()) + " on " + attachment.name();
        if (!attachment.refused().empty()) text += " (" + attachment.refused() + ")";
    }
    if (!impl_->failed.empty()) text += "; not " + impl_->failed;
    return text;
}

std::vector<KernelRelay::Attached> KernelRelay::attached() const {
    const std::lock_guard lock{impl_->mutex};
    std::vector<Attached> attached;
    for (const auto& attachment : impl_->attachments) {
        attached.push_back({attachment.name(), attachment.mode()});
    }
    return attached;
}

KernelRelay::Installed KernelRelay::install(const Channel& channel) {
    const std::lock_guard lock{impl_->mutex};
    return impl_->channels.install(channel);
}

void KernelRelay::remove(const Key& key) {
    const std::lock_guard lock{impl_->mutex};
    impl_->channels.remove(key);
}

void KernelRelay::add_relay(const SocketAddress& relayed) {
    const std::lock_guard lock{impl_->mutex};
    impl_->channels.add_relay(relayed);
}

void KernelRelay::remove_relay(const SocketAddress& relayed) {
    const std::lock_guard lock{impl_->mutex};
    impl_->channels.remove_relay(relayed);
}

void KernelRelay::limit(std::uint32_t owner, const OwnerLimit& limit) {
    const std::lock_guard lock{impl_->mutex};
    if (owner == 0) return;
    auto& shared = impl_->programs.owners()[std::min<std::size_t>(owner, most_kernel_owners - 1)];
    const auto octets = to_rate(limit.octets);
    const auto packets = to_rate(limit.packets);
    // The clocks stay: a changed limit is no new burst.
    std::atomic_ref{shared.octets.burst}.store(octets.burst);
    std::atomic_ref{shared.octets.cost}.store(octets.cost);
    std::atomic_ref{shared.packets.burst}.store(packets.burst);
    std::atomic_ref{shared.packets.cost}.store(packets.cost);
}

void KernelRelay::bindings(const SocketAddress& server, Bindings what) {
    const std::lock_guard lock{impl_->mutex};
    if (what == Bindings::Answer) {
        impl_->programs.add_server(to_server(server));
    } else {
        impl_->programs.remove_server(to_server(server));
    }
}

void KernelRelay::tend() {
    const std::lock_guard lock{impl_->mutex};
    impl_->renew_lease();
    impl_->hops.tend(monotonic_now());
}

std::vector<KernelRelay::ChannelTraffic> KernelRelay::take_traffic() {
    const std::lock_guard lock{impl_->mutex};
    return impl_->channels.take_traffic();
}

KernelRelay::Statistics KernelRelay::statistics() const {
    const auto counts = impl_->programs.counts();
    return {
        .to_peer = counts[RELAY_TO_PEER],
        .to_client = counts[RELAY_TO_CLIENT],
        .bindings = counts[RELAY_BINDINGS],
        .expired = counts[RELAY_EXPIRED],
        .over_rate = counts[RELAY_OVER_RATE],
        .no_way_out = counts[RELAY_NO_WAY_OUT],
        .odd = counts[RELAY_ODD],
    };
}

}  // namespace stile::drivers
