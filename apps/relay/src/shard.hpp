// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "relay_ports.hpp"
#include "tenant_front.hpp"

#include <stile/drivers/loop.hpp>
#include <stile/drivers/udp_socket_set.hpp>
#include <stile/relay/relay.hpp>
#include <stile/turn/relay_directory.hpp>

#include <expected>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace stile::relay {

// What all shards of one relay share.
struct Common {
    turn::RelayDirectory directory;
    Relay::OnHttps on_https;
};

// One thread: its loop, its sockets and its cores. Made on the caller's thread; from run() on it
// belongs to its own, and others reach it by post() and ask().
class Shard final : ClientOutput {
public:
    Shard(Common& common, std::uint8_t number, const Settings& settings);
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;
    // Stops the thread.
    ~Shard();

    // Before run(). The address that it got.
    std::expected<SocketAddress, StartError> listen(const Listener& listener);
    void run();

    void post(drivers::Task task) { loop_.post(std::move(task)); }
    // Runs `question` on the shard's thread and waits for its result.
    template <class Question>
    auto ask(Question question) -> decltype(question(std::declval<Shard&>()));

    // On the shard's thread.
    void add_statistics(Statistics& sum) const;
    void add_sessions(std::vector<turn::Session>& list) const;
    void take_usage(std::vector<turn::Usage>& list);
    void drain(const std::optional<turn::Redirect>& redirect);

private:
    struct UdpListener {
        SocketAddress address;
        drivers::UdpSocketSet::Id socket;
        std::size_t tenant;
    };

    void handle_arrivals(std::uint64_t tag,
                         std::span<const drivers::UdpSocketSet::Arrival> arrivals);
    void handle_clients(const UdpListener& listener,
                        std::span<const drivers::UdpSocketSet::Arrival> arrivals);
    void send_to_client(const turn::ToClient& message) override;
    void send_answer(const turn::ClientFlow& flow, BytesView message) override;
    const UdpListener* listener_of(const SocketAddress& local) const;

    Common& common_;
    std::uint8_t number_;
    drivers::Loop loop_;
    drivers::UdpSocketSet sockets_;
    std::unique_ptr<RelayPorts> ports_;
    std::vector<UdpListener> udp_listeners_;
    std::vector<std::unique_ptr<TenantFront>> tenants_;
    drivers::Timer clock_timer_;
    std::thread thread_;
};

template <class Question>
auto Shard::ask(Question question) -> decltype(question(std::declval<Shard&>())) {
    using Answer = decltype(question(std::declval<Shard&>()));
    std::promise<Answer> promise;
    auto answer = promise.get_future();
    post([this, &promise, &question] {
        if constexpr (std::is_void_v<Answer>) {
            question(*this);
            promise.set_value();
        } else {
            promise.set_value(question(*this));
        }
    });
    return answer.get();
}

}  // namespace stile::relay
