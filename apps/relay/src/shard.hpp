// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "client_output.hpp"
#include "dtls_front.hpp"
#include "foreign_flows.hpp"
#include "kernel_path.hpp"
#include "relay_ports.hpp"
#include "stream_front.hpp"
#include "tenant_front.hpp"

#include <stile/drivers/loop.hpp>
#include <stile/drivers/tcp.hpp>
#include <stile/drivers/udp_socket_set.hpp>
#include <stile/relay/relay.hpp>
#include <stile/turn/relay_directory.hpp>

#include <atomic>
#include <expected>
#include <future>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace stile::relay {

class Shard;

constexpr bool is_datagram(ListenerKind kind) {
    return kind == ListenerKind::Udp || kind == ListenerKind::Dtls;
}

// TLS and DTLS with the same certificate.
struct Contexts {
    std::optional<drivers::TlsContext> tls;
    std::optional<drivers::TlsContext> dtls;
};

// What all shards of one relay share. Nothing of it changes while they run.
struct Common {
    turn::RelayDirectory directory;
    Relay::OnHttps on_https;
    HashSeed seed;  // for who goes to which shard
    std::vector<Shard*> shards;
    std::unique_ptr<KernelOffload> kernel;  // null where the settings want none
};

// Tells every shard what the kernel has carried for it. The kernel is asked once for all shards.
void account_for_kernel(Common& common);

// One thread: its loop, its sockets and its cores. Made on the caller's thread; from run() on it
// belongs to its own, and others reach it by post(), ask() and mail().
class Shard final : ClientOutput {
public:
    Shard(Common& common, std::uint8_t number, const Settings& settings, const Contexts& contexts);
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;
    ~Shard();

    // Before run(), or on the shard's thread. The address that it got.
    std::expected<SocketAddress, StartError> listen(const Listener& listener,
                                                    const Contexts& contexts);
    void run();
    bool is_running() const { return thread_.joinable(); }
    // Ends the thread; nothing is called back any more.
    void stop();

    void post(drivers::Task task) { loop_.post(std::move(task)); }
    // As post(), for what the network causes: dropped where too much waits already.
    void mail(drivers::Task task);
    // Runs `question` on the shard's thread and waits for its result.
    template <class Question>
    auto ask(Question question) -> decltype(question(std::declval<Shard&>()));

    // On the shard's thread.
    void add_statistics(Statistics& sum) const;
    void add_sessions(std::vector<turn::Session>& list) const;
    void take_usage(std::vector<turn::Usage>& list);
    void drain(const std::optional<turn::Redirect>& redirect);
    void handle_offloaded(const KernelOffload::Carried& carried);
    // Stops listening there; connections that were accepted go on.
    void stop_listening(const SocketAddress& address, ListenerKind kind);
    // Everything but the listeners.
    void reconfigure(const Settings& before, const Settings& settings, const Contexts& contexts);
    // Datagram and plain TCP clients with all that is theirs, and the listeners, for another
    // process. Here everything stays as it is, and must until the next of these calls.
    HandedShard copy();
    // The other process has them: gone from here, but for clients over TLS and DTLS.
    void leave();
    // Before run(). The addresses of the listeners that came with it are filled in.
    void resume(HandedShard handed, const Settings& settings);
    // Whether a listener of the other process is there for this one, which it is from now on.
    std::optional<SocketAddress> resumed(const Listener& listener);
    // Those that no settings have asked for.
    void drop_unclaimed();

private:
    // Whether the settings want it; one of another process may be of other settings.
    enum class Claimed : std::uint8_t { Yes, NotYet };
    struct UdpListener {
        Listener listener;  // with the port that it got
        drivers::UdpSocketSet::Id socket;
        std::unique_ptr<DtlsFront> dtls;  // absent without a certificate
        enum class State : std::uint8_t { Open, Closed };
        State state = State::Open;  // its place stays: sockets name it
        Claimed claimed = Claimed::Yes;
    };
    struct TcpListener {
        Listener listener;
        std::unique_ptr<drivers::TcpListener> socket;
        Claimed claimed = Claimed::Yes;
    };

    std::expected<SocketAddress, StartError> listen_udp(Listener listener,
                                                        const Contexts& contexts);
    std::expected<SocketAddress, StartError> listen_tcp(Listener listener,
                                                        const Contexts& contexts);
    void add_tenant(const Settings& settings, std::size_t index);
    void keep_dtls_clients(const UdpListener& listener);
    drivers::UdpSocketSet::Options listener_options(std::size_t index) const;
    void begin_dtls(UdpListener& listener, const drivers::TlsContext& context);

    void accept(std::unique_ptr<drivers::TcpStream> stream, const Listener& listener);
    void handle_arrivals(std::uint64_t tag,
                         std::span<const drivers::UdpSocketSet::Arrival> arrivals);
    void handle_clients(UdpListener& listener,
                        std::span<const drivers::UdpSocketSet::Arrival> arrivals);
    // From a client of any kind: to the tenant, or to the shard that it is for.
    void handle_message(std::size_t tenant, const turn::ClientFlow& flow, BytesView message);
    void forward(std::uint8_t shard, std::size_t tenant, const turn::ClientFlow& flow,
                 BytesView message);
    void handle_forwarded(std::uint8_t from, std::size_t tenant, const turn::ClientFlow& flow,
                          BytesView message);
    void client_gone(std::size_t tenant, const turn::ClientFlow& flow);
    void end_round();

    void send_to_client(const turn::ToClient& message) override;
    void send_answer(const turn::ClientFlow& flow, BytesView message) override;
    void allocation_opened(const turn::ClientFlow& flow) override;
    void allocation_closed(const turn::ClientFlow& flow) override;
    void allocation_moved(const turn::ClientFlow& from, const turn::ClientFlow& to) override;
    StreamFront::Taken take_connection(const turn::ClientFlow& flow) override;
    // To a client that is no plain UDP client of ours.
    void send_parts(const turn::ClientFlow& flow, BytesView prefix, BytesView payload,
                    std::size_t padding, StreamFront::Kind kind);
    UdpListener* listener_of(const SocketAddress& local);

    Common& common_;
    std::uint8_t number_;
    drivers::Loop loop_;
    drivers::UdpSocketSet sockets_;
    std::unique_ptr<RelayPorts> ports_;
    std::vector<std::unique_ptr<TenantFront>> tenants_;
    Contexts contexts_;
    StreamFront streams_;
    std::vector<UdpListener> udp_listeners_;
    std::vector<std::unique_ptr<TcpListener>> tcp_listeners_;
    std::set<turn::ClientFlow> staying_;  // who has an allocation that copy() did not give
    ForeignFlows foreign_;
    crypto::RandomStream random_;
    std::atomic<std::size_t> mailed_ = 0;
    drivers::Timer clock_timer_;
    drivers::Timer kernel_timer_;  // on the first shard, for all
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
